"""Domains with a device model (qemu): it serves their devices, fails in every way, dies, outlives xend."""

import struct
from contextlib import suppress
from pathlib import Path

import attrs
import pytest
import trio

from tests.sim.test_faults import refusal_of, settled
from tests.sim.world import Killed, World, play
from xend.domain.model_ready import restate
from xend.errors import XendError
from xend.hypervisor import SHUTDOWN_REASONS
from xend.operation.running import Operation

QCOW2 = b"QFI\xfb" + bytes(508)


def example(world: World, more: str = "", sim: str = "") -> str:
    (world.directory / "root/disk.qcow2").write_bytes(QCOW2)
    args = f'device_model_args = [ "-sim", "{sim}" ]' if sim else ""
    return f"""
name = "example"
kernel = "/netbsd"
memory = 64
vif = [ 'bridge=bridge0' ]
disk = [ 'file:/disk.img,0x0,w!', '/disk.qcow2,qcow2,xvdb,w' ]
{args}
{more}
"""


async def served(world: World, domid: int) -> None:
    """Let time pass until the disk that is a device model's is connected."""

    async def both() -> bool:
        front = await world.client.read(f"/local/domain/{domid}/device/vbd/51728/state")
        return (await world.backend_state(domid, "qdisk", 51728), front) == (b"4", b"4")

    await world.until(both)


def test_a_disk_of_another_format_is_served_until_the_domain_goes() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        domid = await world.create(example(world))
        await served(world, domid)
        backend = f"/local/domain/0/backend/qdisk/{domid}/51728"
        assert not await world.client.exists(f"{backend}/script")
        assert await world.client.read(f"/local/domain/{domid}/image/device-model-pid") == b"1000"
        devices = await world.call("device.list", domain="example", kind="vbd")
        assert [each["backend"]["state"] for each in devices] == ["4", "4"]
        await world.call("domain.destroy", domain="example")
        await settled(world)
        assert await world.snapshot() == before

    play(body)


SCREEN = 'name = "bare"\nkernel = "/netbsd"\nmemory = 64\nvfb = [ "vnc=1" ]\n'


def test_one_that_has_opened_all_as_it_starts_gives_up_its_rights() -> None:
    async def body(world: World) -> None:
        domid = await world.create(SCREEN)
        (model,) = world.models.running()
        argv, root = list(model.order.argv), f"{world.directory}/xend/models/qemu-root-{domid}"
        assert argv[argv.index("-chroot") + 1] == root
        uid = 2_000_100_000 + domid
        assert argv[argv.index("-runas") + 1] == f"{uid}:{uid}"

        async def connected() -> bool:
            return await world.backend_state(domid, "vfb", 0) == b"4"

        await world.until(connected)
        await world.call("domain.destroy", domain="bare")
        await settled(world)
        assert world.models.reaped == [uid]

    play(body)


def test_a_screen_that_is_written_anew_as_qemu_starts_is_waited_for_no_more() -> None:
    """As QEMU 9.1 does behind its own back."""

    async def body(world: World) -> None:
        world.models.qemu = (10, 0)
        domid = await world.create(SCREEN)
        (started,) = world.models.running()
        assert "-vga xenfb" in " ".join(started.order.argv)
        model = world.xend.host.models.get(domid)
        assert model is not None
        other = attrs.evolve(model, domid=77)  # whose backends nobody else writes to
        backends = [f"/local/domain/0/backend/{kind}/77/0" for kind in ("vfb", "vkbd")]
        for state, status, then in (("1", "connected", b"2"), ("1", "", b"1"), ("4", "connected", b"4")):
            for path in backends:
                await world.client.write(f"{path}/hotplug-status", status)
                await world.client.write(f"{path}/state", state)
            await restate(world.xend.host, other)
            assert [await world.client.read(f"{path}/state") for path in backends] == [then, then]

    play(body)


def test_a_domain_without_such_a_device_has_none() -> None:
    async def body(world: World) -> None:
        await world.create()
        assert not world.models.started

    play(body)


def test_each_life_has_its_own() -> None:
    async def body(world: World) -> None:
        domid = await world.create(example(world))
        await served(world, domid)
        await world.call("domain.reboot", domain="example", wait=True)
        await settled(world)
        (info,) = [each for each in await world.call("domain.list") if each["name"] == "example"]
        await served(world, info["domid"])
        assert len(world.models.started) == 2
        assert len(world.models.running()) == 1

    play(body)


FAILURES = [
    ("exit=qemu: no such machine", "device_failed", "as it started", "qemu: no such machine"),
    ("hang", "no_answer", "waited 60 s", "it said nothing"),
    ("mute", "no_answer", "waited 10 s", "it said nothing"),
    ("nonsense", "device_failed", "does not answer as it should", "it says what is no JSON"),
    ("flood", "device_failed", "does not answer as it should", "it says more than 8388608 bytes"),
    ("refuse", "device_failed", "does not answer as it should", "qmp_capabilities: not today"),
    (
        "late=Cipher backend does not support DES",
        "device_failed",
        "has ended with exit status 1 as it started",
        "Cipher backend does not support DES",
    ),
    (
        "close=Address already in use",
        "device_failed",
        "has ended with exit status 1 as it started",
        "Address already in use",
    ),
]


@pytest.mark.parametrize(
    ("sim", "code", "message", "cause"), FAILURES, ids=lambda value: value.partition("=")[0]
)
def test_each_failure_of_its_start_is_told_and_leaves_nothing(
    sim: str, code: str, message: str, cause: str
) -> None:
    async def body(world: World) -> None:
        error = await refusal_of(world, example(world, sim=sim))
        assert error.code == code
        assert message in error.message
        assert cause in error.fields["cause"]
        assert "the device model of example (xen-qemu-system-i386, pid 1000)" in error.message
        assert error.fields["step"] in ("start its device model", "wait for its device model")

    play(body)


def test_one_that_does_not_obey_is_killed() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        await world.create(example(world, sim="stubborn"))
        begin = world.now()
        await world.call("domain.destroy", domain="example")
        await settled(world)
        assert await world.snapshot() == before
        assert world.models.started[0].status == -9
        assert world.now() - begin >= 10

    play(body)


def test_a_broken_image_is_told_in_its_words() -> None:
    async def body(world: World) -> None:
        text = example(world)
        (world.directory / "root/disk.qcow2").write_bytes(bytes(512))
        error = await refusal_of(world, text)
        assert (error.code, error.fields["device"]) == ("device_failed", "vbd xvdb")
        assert "its device model (qemu) does not serve it" in error.message
        assert (
            error.fields["cause"]
            == "qemu: failed to create 'qdisk' device '51728': Image is not in qcow2 format"
        )
        assert not error.fields.get("warnings")

    play(body)


REFUSED = [
    ("device_model_override='/no/such'", "the device model /no/such does not exist"),
    ("device_model_override='/dev/null'", "the device model /dev/null is no file"),
    ("device_model_override='no-qemu'", "there is no such program in /usr"),
    ("device_model_override='./qemu'", "expected a name, or an absolute path"),
    ("device_model_user='nobody-of-that-name'", "there is no such user"),
    ("device_model_user='root'", "expected not root"),
    ("dm_restrict=1", "serves no paravirtual device any more"),
    ("disk=['/none.img,qcow2,xvda,w']", "cannot be read"),
    ("disk=['/disk.img,raw,xvda,w,backendtype=tap']", "a backend tap for raw images does not run here"),
    (
        "disk=['format=raw,vdev=xvdc,access=ro,devtype=cdrom,backendtype=qdisk']",
        "cannot serve an empty drive",
    ),
]


def test_what_cannot_work_is_refused_before_anything_is_done() -> None:
    async def body(world: World) -> None:
        for text, message in REFUSED:
            error = await refusal_of(world, example(world, text))
            assert message in error.message, text
        world.models.is_missing = True
        error = await refusal_of(world, example(world))
        assert "there is no device model (qemu) on this host" in error.message
        assert "qemu-system-xen" in error.fields["hint"]
        assert not world.models.started

    play(body)


def test_its_death_is_told_with_the_devices_that_are_dead() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        domid = await world.create(example(world, sim="die=30"))
        await served(world, domid)
        await trio.sleep(31)
        told = [line for line in world.logged if "device_model_died" in line]
        assert len(told) == 1
        assert "has ended with exit status 1: qemu: it was told to die; dead devices: vbd xvdb" in told[0]
        explained = await world.call("device.explain", domain="example", device="xvdb")
        assert "has ended with exit status 1" in explained["cause"]
        with pytest.raises(XendError, match="its device model \\(qemu\\) has died"):
            await world.call("device.detach", domain="example", kind="vbd", device="xvdb")
        begin = world.now()
        await world.call("domain.destroy", domain="example")
        await settled(world)
        assert world.now() - begin < 5
        assert await world.snapshot() == before

    play(body)


def test_it_outlives_xend_and_the_next_one_watches_it() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        domid = await world.create(example(world))
        await served(world, domid)
        await world.kill_xend()
        await world.start_xend()
        assert len(world.models.running()) == 1
        world.models.running()[0].send(9)  # type: ignore[arg-type]
        await trio.sleep(1)
        assert sum("device_model_died" in line for line in world.logged) == 1
        await world.kill_xend()
        await world.start_xend()
        await trio.sleep(1)
        assert sum("device_model_died" in line for line in world.logged) == 1
        explained = await world.call("device.explain", domain="example", device="xvdb")
        assert "was ended by signal 9" in explained["cause"]
        await world.call("domain.destroy", domain="example")
        await settled(world)
        assert await world.snapshot() == before

    play(body)


def test_one_that_died_while_there_was_no_xend_is_told_by_the_next() -> None:
    async def body(world: World) -> None:
        domid = await world.create(example(world))
        await served(world, domid)
        await world.kill_xend()
        world.models.running()[0].send(9)  # type: ignore[arg-type]
        await trio.sleep(1)
        await world.start_xend()
        await trio.sleep(1)
        assert sum("device_model_died" in line for line in world.logged) == 1

    play(body)


def kill_at(world: World, kind: str, key: str) -> None:
    """xend is killed before that step, once."""

    def kill(operation: Operation) -> None:
        if operation.kind.name == kind and operation.steps[operation.step].key == key:
            world.on_step = lambda operation: None
            raise Killed

    world.on_step = kill


def test_a_kill_of_xend_at_each_step_of_its_start_leaves_nothing() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        for key in ("vbd/51728.add", "model.start", "model.await", "vbd/51728.await-backend", "start"):
            kill_at(world, "domain.create", key)
            world.soon(_created, world, example(world))
            await trio.sleep(30)
            await world.start_xend()
            await settled(world)
            assert await world.snapshot() == before, key

    play(body)


def test_a_kill_of_xend_at_each_step_of_its_end_leaves_nothing() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        for key in ("vbd/51728.close", "vbd/51728.remove", "end-model", "destroy", "forget"):
            domid = await world.create(example(world))
            await served(world, domid)
            kill_at(world, "domain.destroy", key)
            world.soon(_destroyed, world)
            await trio.sleep(30)
            await world.start_xend()
            await settled(world)
            assert await world.snapshot() == before, key

    play(body)


async def _destroyed(world: World) -> None:
    with suppress(XendError):
        await world.call("domain.destroy", domain="example")


async def _created(world: World, text: str) -> None:
    with suppress(XendError):
        await world.create(text)


def test_its_log_is_bounded_and_the_ones_before_are_kept() -> None:
    async def body(world: World) -> None:
        await world.create(example(world))
        model = world.models.running()[0]
        log = world.directory / "log/qemu-dm-example.log"
        for _ in range(40):
            model.say("x" * 100_000)
        await trio.sleep(3)
        assert log.stat().st_size < 1 << 20
        assert Path(f"{log}.1").stat().st_size == 1 << 20
        model.say("after")
        assert log.read_text() == "after\n"
        await world.call("domain.destroy", domain="example")
        await world.create(example(world))
        assert Path(f"{log}.1").read_text() == "after\n"

    play(body)


def test_a_pvh_domain_has_one_too() -> None:
    async def body(world: World) -> None:
        domid = await world.create(example(world, 'type = "pvh"'))
        await served(world, domid)

    play(body)


def test_one_whose_domain_went_while_there_was_no_xend_is_ended() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        domid = await world.create(example(world))
        await served(world, domid)
        await world.kill_xend()
        await world.destroy_behind_back(domid)
        await world.start_xend()
        await settled(world)
        await trio.sleep(5)
        assert await world.snapshot() == before

    play(body)


def test_a_domain_that_xend_knows_no_longer_keeps_it() -> None:
    async def body(world: World) -> None:
        domid = await world.create(example(world))
        await served(world, domid)
        await world.kill_xend()
        for path in (world.directory / "xend/domains").iterdir():
            path.write_bytes(b"no record")
        await world.start_xend()
        await trio.sleep(5)
        assert len(world.models.running()) == 1

    play(body)


def over(name: str, form: str | None = None, size: int = 1 << 20) -> bytes:
    """An image of qcow2 that lies on another one, whose format it says, or not."""
    says = b"" if form is None else struct.pack(">II8s", 0xE2792ACA, len(form), form.encode())
    head = struct.pack(">4sIQIIQ", b"QFI\xfb", 3, 112 + len(says), len(name), 16, size).ljust(72, b"\0")
    return head + struct.pack(">QQQII", 0, 0, 0, 4, 104) + says + bytes(8) + name.encode()


def with_disk(name: str, disk: str) -> str:
    return f"name = '{name}'\nkernel = '/netbsd'\nmemory = 16\ndisk = [ '{disk}' ]"


#: Disks of a domain, and another one's; why that is refused, None: it is not.
MEETINGS = [
    ("/over,qcow2,xvda,w", "/base,raw,xvda,w", "target /over lies on it, which domain first has as xvda"),
    ("/over,qcow2,xvda,r", "/base,raw,xvda,w", "target /over lies on it"),
    ("/over,qcow2,xvda,w", "/base,raw,xvda,w!", None),
    ("/over,qcow2,xvda,w", "/base,raw,xvda,r", None),
    ("/over,qcow2,xvda,w", "/other,qcow2,xvda,w", None),
    ("/over,qcow2,xvda,w", "/over,qcow2,xvda,r", "domain first writes to it"),
    ("/base,raw,xvda,w", "/over,qcow2,xvda,r", "it lies on target /base, to which domain first writes"),
    ("/base,raw,xvda,w", "/above,qcow2,xvda,r", "it lies on target /base"),
    ("/over,qcow2,xvda,w", "/above,qcow2,xvda,w", "it lies on target /over"),
    ("/base,raw,xvda,r", "/over,qcow2,xvda,w", None),
]


def test_what_lies_below_an_image_is_nobodys_to_write_to() -> None:
    async def body(world: World) -> None:
        root = world.directory / "root"
        (root / "base").write_bytes(bytes(4096))
        for name, below in (("over", "base"), ("other", "base"), ("above", "over")):
            (root / name).write_bytes(over(below))
        for first, second, refused in MEETINGS:
            await world.create(with_disk("first", first))
            await world.kill_xend()  # it is remembered
            await world.start_xend()
            if refused is None:
                await world.create(with_disk("second", second))
                await world.call("domain.destroy", domain="second")
            else:
                with pytest.raises(XendError) as caught:
                    await world.create(with_disk("second", second))
                assert (caught.value.code, refused in caught.value.message) == ("busy", True), caught.value
            await world.call("domain.destroy", domain="first")

    play(body)


def test_a_soft_reset_and_a_copy_that_is_kept_have_each_life_its_own() -> None:
    async def body(world: World) -> None:
        domid = await world.create(example(world, 'type = "pvh"'))
        await served(world, domid)
        await world.host.shutdown(domid, SHUTDOWN_REASONS.index("soft_reset"))
        await trio.sleep(5)
        await settled(world)
        await served(world, domid)
        assert [each.ended.is_set() for each in world.models.started] == [True, False]
        await world.call("domain.destroy", domain="example")
        domid = await world.create(example(world, 'on_crash = "rename-restart"'))
        await served(world, domid)
        await world.host.shutdown(domid, SHUTDOWN_REASONS.index("crash"))
        await trio.sleep(5)
        await settled(world)
        await served(world, domid + 1)
        assert await world.names() == ["example-1", "example"]
        assert len(world.models.running()) == 1

    play(body)
