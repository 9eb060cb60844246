"""Devices put in and taken out while their domain runs; and what is said of those that do not work."""

import pytest
import trio

from tests.sim.test_faults import at, kill, settled
from tests.sim.world import EXAMPLE, World, play
from xend.device.reasons import UNRUNNABLE
from xend.errors import XendError
from xend.kinds import KINDS

pytestmark = pytest.mark.slow

BARE = 'name = "bare"\nkernel = "/netbsd"\nmemory = 64\n'
DISK = "file:/disk.img,xvdb,w"
VIF = "bridge=bridge0,mac=00:16:3e:11:22:33"
XVDB = 51728


async def attach(world: World, kind: str, spec: object, domain: str = "bare") -> dict[str, object]:
    answer: dict[str, object] = await world.call("device.attach", domain=domain, kind=kind, spec=spec)
    return answer


async def state_is(world: World, domid: int, kind: str, devid: int, state: bytes) -> None:
    async def reached() -> bool:
        return await world.backend_state(domid, kind, devid) == state

    await world.until(reached)


@pytest.mark.parametrize(("kind", "spec", "devid", "words"), [
    ("vbd", DISK, XVDB, ["xvdb", "vbd xvdb", str(XVDB)]),
    ("vbd", ["vdev=xvdb", "target=/disk.img", "access=r"], XVDB, ["xvdb"]),
    ("vif", ["bridge=bridge0,", "mac=00:16:3e:11:22:33"], 0, ["0"]),
    ("vif", VIF, 0, ["0", "vif 0", "00:16:3E:11:22:33"]),
])  # fmt: skip
def test_a_device_is_attached_connects_and_is_detached(
    kind: str, spec: object, devid: int, words: list[str]
) -> None:
    async def body(world: World) -> None:
        domid = await world.create(BARE)
        await trio.sleep(5)
        before = await world.snapshot()
        for word in words:
            answer = await attach(world, kind, spec)
            assert answer["devid"] == devid
            await state_is(world, domid, kind, devid, b"4")
            (listed,) = await world.call("device.list", domain="bare")
            assert (listed["kind"], listed["devid"], listed["frontend"]["state"]) == (kind, devid, "4")
            await world.call("device.detach", domain="bare", kind=kind, device=word)
            assert await world.snapshot() == before

    play(body)


def test_what_was_attached_is_there_after_a_restart_and_what_was_detached_is_not() -> None:
    async def body(world: World) -> None:
        await world.connected(await world.create())
        await attach(world, "vbd", ["target=/netbsd", "vdev=xvdb", "access=r"], "example")
        await world.call("device.detach", domain="example", kind="vbd", device="0x0")
        await world.kill_xend()
        await world.start_xend()
        await world.call("domain.reboot", domain="example", wait=True)
        await trio.sleep(20)
        names = [each["name"] for each in await world.call("device.list", domain="example")]
        assert names == ["vbd xvdb", "vif 0"]
        await state_is(world, 2, "vbd", XVDB, b"4")

    play(body)


def test_interfaces_get_the_next_number_and_an_address() -> None:
    async def body(world: World) -> None:
        await world.create(BARE)
        for number in range(3):
            assert (await attach(world, "vif", ""))["devid"] == number
        await world.call("device.detach", domain="bare", kind="vif", device="1", force=True)
        assert (await attach(world, "vif", ""))["devid"] == 1
        macs = {await world.client.read(f"/libxl/1/device/vif/{number}/mac") for number in range(3)}
        assert len(macs) == 3

    play(body)


REFUSED = [
    ("vbd", "file:/disk.img,xvdb,z", "bad_config", r"""disk "file:/disk.img,xvdb,z": """),
    ("vbd", "file:/no.img,xvdb,w", "bad_image", "vbd xvdb: disk .*/no.img cannot be read: No such file"),
    ("vbd", "format=qcow2,vdev=xvdb,target=/disk.img", "unsupported", "it was made without such a device"),
    ("vbd", "file:/netbsd,xvda,w", "busy", "bare has a vbd xvda already"),
    ("vif", "devid=0", "busy", "bare has a vif 0 already"),
    ("vif", "script=/bin/sh", "bad_config", "is not in the script directory"),
    ("vif", "script=vif-nosuch", "script_failed", "script .*/vif-nosuch does not exist"),
    ("vbd", "file:/disk.img,xvdc,w", "busy", "disk.img is in use: domain other writes to it as xvda"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "spec", "code", "message"), REFUSED)
def test_what_cannot_be_attached_changes_nothing(kind: str, spec: str, code: str, message: str) -> None:
    async def body(world: World) -> None:
        await world.create(BARE + "vif=['']\ndisk=['file:/netbsd,xvda,r']\n")
        await world.create(BARE + "name='other'\ndisk=['file:/disk.img,xvda,w']\n")
        await trio.sleep(5)
        before = await world.snapshot()
        with pytest.raises(XendError, match=message) as caught:
            await attach(world, kind, spec)
        assert caught.value.code == code
        is_about_it = code in ("bad_config", "unsupported") and message.startswith(("disk", "vif"))
        assert caught.value.fields.get("method") == ("device.attach" if is_about_it else None)
        assert await world.snapshot() == before

    play(body)


def test_a_script_with_line_ends_of_windows_is_told_so() -> None:
    async def body(world: World) -> None:
        await world.create(BARE)
        script = world.directory / "scripts/vif-crlf"
        script.write_bytes(b"#!/bin/sh\r\nexit 0\r\n")
        script.chmod(0o755)
        with pytest.raises(XendError) as caught:
            await attach(world, "vif", "script=vif-crlf")
        first = r'cannot be run: its first line names "/bin/sh\r", with a carriage return at its end'
        assert caught.value.message == f"vif 0: script {script} {first}"
        assert caught.value.fields["reason"] == "carriage_return"
        # This one is run, and stumbles.
        script.write_bytes(b"#!/bin/sh\n:\r\n")
        world.scripts.behaviours["vif-crlf"] = "nothing"
        with pytest.raises(XendError) as caught:
            await attach(world, "vif", "script=vif-crlf")
        assert caught.value.fields["reason"] == "carriage_return"
        assert caught.value.fields["hint"] == UNRUNNABLE["carriage_return"]
        told = await world.call("device.explain", domain="bare", device="vif 0")
        assert told["cause"] == UNRUNNABLE["carriage_return"]

    play(body)


def test_operations_have_words_for_people() -> None:
    titles = [kind.title for kind in KINDS]
    assert len(set(titles)) == len(titles)
    assert not [title for title in titles if "." in title or "_" in title]


def test_a_guest_that_does_not_let_go_keeps_its_device_unless_forced() -> None:
    async def body(world: World) -> None:
        domid = await world.create(extra=['extra="sim=never-answer"'])
        before = await world.snapshot()
        with pytest.raises(XendError, match="vif 0: its guest did not let go of it within 10 s") as caught:
            await world.call("device.detach", domain="example", kind="vif", device="0")
        assert caught.value.fields["waited_s"] == 10
        assert await world.client.read(f"/local/domain/0/backend/vif/{domid}/0/online") == b"1"
        assert await world.snapshot() == before
        await world.call("device.detach", domain="example", kind="vif", device="0", force=True)
        assert [each["name"] for each in await world.call("device.list", domain="example")] == ["vbd 0x0"]

    play(body)


def test_no_device_is_named_with_those_there_are() -> None:
    async def body(world: World) -> None:
        await world.create()
        with pytest.raises(XendError) as caught:
            await world.call("device.detach", domain="example", kind="vif", device="7")
        assert str(caught.value) == "example has no device vif 7 (it has: vbd 0x0, vif 0)"

    play(body)


ATTACH = ["vbd xvdb: check what it needs", "vbd xvdb: write its nodes", "vbd xvdb: wait for its backend",
          "vbd xvdb: run its script", "vbd xvdb: remember it"]  # fmt: skip
DETACH = ["vbd xvdb: close its backend", "vbd xvdb: run its script", "vbd xvdb: remove its nodes",
          "vbd xvdb: forget it"]  # fmt: skip


@pytest.mark.parametrize("step", ATTACH)
def test_xend_killed_while_it_attaches_undoes_it_when_it_is_back(step: str) -> None:
    async def body(world: World) -> None:
        await world.create(BARE + "name='example'")
        await trio.sleep(5)
        before = await world.snapshot()
        world.on_step = at("device.attach", step, kill)
        await world.call("device.attach", domain="example", kind="vbd", spec=DISK, wait_for="accepted")
        await trio.sleep(20)
        await world.start_xend()
        await settled(world)
        assert await world.snapshot() == before
        await attach(world, "vbd", DISK, "example")

    play(body)


@pytest.mark.parametrize("step", DETACH)
def test_xend_killed_while_it_detaches_goes_on_when_it_is_back(step: str) -> None:
    async def body(world: World) -> None:
        domid = await world.create(BARE + "name='example'")
        await trio.sleep(5)
        before = await world.snapshot()
        await attach(world, "vbd", DISK, "example")
        await state_is(world, domid, "vbd", XVDB, b"4")
        world.on_step = at("device.detach", step, kill)
        await world.call("device.detach", domain="example", kind="vbd", device="xvdb", wait_for="accepted")
        await trio.sleep(20)
        await world.start_xend()
        await settled(world)
        assert await world.snapshot() == before

    play(body)


@pytest.mark.parametrize("step", [*ATTACH, *DETACH])
def test_a_domain_that_dies_meanwhile_leaves_nothing(step: str) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        await world.create(BARE + "name='example'")
        await trio.sleep(5)
        kind = "device.attach" if step in ATTACH else "device.detach"
        if kind == "device.detach":
            await attach(world, "vbd", DISK, "example")
            await trio.sleep(5)
        world.on_step = at(kind, step, lambda: world.soon(world.destroy_behind_back, 1))
        params = {"spec": DISK} if kind == "device.attach" else {"device": "xvdb"}
        await world.call(kind, domain="example", kind="vbd", wait_for="accepted", **params)
        await settled(world)
        await trio.sleep(30)
        await settled(world)
        assert await world.snapshot() == before

    play(body)


def test_fifty_attaches_and_detaches_in_a_row_on_many_domains_at_once() -> None:
    async def body(world: World) -> None:
        for number in range(5):
            await world.create(BARE, extra=[f'name="d{number}"', "memory=32"])
        await trio.sleep(5)
        before = await world.snapshot()

        async def again(number: int) -> None:
            for _ in range(10):
                await attach(world, "vif", "", f"d{number}")
                await world.call("device.detach", domain=f"d{number}", kind="vif", device="0")

        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(again, number)
        assert await world.snapshot() == before

    play(body)


def test_a_target_that_its_own_script_understands_need_be_no_file() -> None:
    async def body(world: World) -> None:
        await world.create(BARE)
        await attach(world, "vbd", "script=block-iscsi,vdev=xvdb,target=iqn=iqn.2026-11:disk,portal=10.0.0.1")
        (listed,) = await world.call("device.list", domain="bare")
        assert listed["backend"]["hotplug-status"] == "connected"

    play(body)


def test_fifty_attaches_and_then_detaches_of_one_domain_at_once() -> None:
    async def body(world: World) -> None:
        domid = await world.create(BARE)
        await trio.sleep(5)
        before = await world.snapshot()
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(attach, world, "vif", "")
        assert len(await world.client.directory(f"/libxl/{domid}/device/vif")) == 50
        await trio.sleep(5)

        async def detach(devid: int) -> None:
            await world.call("device.detach", domain="bare", kind="vif", device=str(devid))

        async with trio.open_nursery() as nursery:
            for devid in range(50):
                nursery.start_soon(detach, devid)
        assert await world.snapshot() == before

    play(body)


def test_explain_tells_a_device_s_story_and_the_likely_cause() -> None:
    async def body(world: World) -> None:
        await world.create(BARE)
        world.scripts.behaviours["vif-bridge"] = "fail"
        with pytest.raises(XendError):
            await attach(world, "vif", VIF)
        told = await world.call("device.explain", domain="bare", device="vif 0")
        texts = [line["text"] for line in told["lines"]]
        assert texts[0] == "nodes written"
        assert "backend: InitWait (2)" in texts
        assert any("vif-bridge exited with status 1" in text for text in texts)
        assert told["cause"].startswith("the bridge does not exist: ip link add bridge0 type bridge")
        assert told["live"] is None
        world.scripts.behaviours.clear()
        await attach(world, "vif", VIF)
        await state_is(world, 1, "vif", 0, b"4")
        told = await world.call("device.explain", domain="bare", device="0")
        assert (told["cause"], told["backend_state"], told["frontend_state"]) == (None, 4, 4)

    play(body)


def test_a_frontend_without_a_driver_is_the_likely_cause() -> None:
    async def body(world: World) -> None:
        await world.create(EXAMPLE, extra=['extra="sim=never-answer"'])
        await trio.sleep(30)
        told = await world.call("device.explain", domain="example", device="vif 0")
        assert told["cause"] == "the guest's kernel has no driver for a vif, or has not come so far"

    play(body)
