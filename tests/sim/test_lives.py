"""A domain between two lives: listed, named by every verb, and ended for good at any moment."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.sim.autostarting import outcomes
from tests.sim.faulty import RefusingHypervisor
from tests.sim.steps import NEXT_LIFE, RESTART, RESTART_LATER
from tests.sim.test_faults import kill, settled
from tests.sim.world import BEGIN, EXAMPLE, World, play
from xenclient.xend.core import is_reading
from xend.domain.claims import disks_of
from xend.domain.registry import Domain
from xend.domain.sharing import identity_of
from xend.domain.waiting import Waiting, wait_seconds
from xend.errors import XendError
from xend.operation.running import Operation
from xend.packing import pack, unpack
from xend.simulator.image import write_kernel

pytestmark = pytest.mark.slow

#: Crashes as soon as it boots, and is started again, for ever.
LOOP = EXAMPLE + 'on_crash="restart"\nextra="sim=crash-at=1"\n'
#: The same with a disk that nobody else may write.
ALONE = LOOP.replace("w!", "w")
FILE = {"name": "example", "path": "/etc/xen/example"}
#: Longer than any wait between two lives.
LONG = 70.0


class SlowToStart(RefusingHypervisor):
    """Takes a while to let a domain run, so that a call that comes before that step finds it at it."""

    async def unpause(self, domid: int) -> None:
        await trio.sleep(1)
        await super().unpause(domid)


async def start_slowly(world: World) -> None:
    """Another xend takes this one's place, whose domains are slow to start."""
    await world.kill_xend()
    world.wrap = SlowToStart
    await world.start_xend()


async def waiting(world: World, name: str = "example", failures: int = 5) -> dict[str, Any]:
    """Let time pass until a domain waits that failed so often in a row; what is listed of it."""
    found: list[dict[str, Any]] = []

    async def waits() -> bool:
        found[:] = [each for each in await world.call("domain.list") if each["name"] == name]
        return bool(found) and found[0]["state"] == "waiting" and found[0]["waiting"]["failures"] >= failures

    await world.until(waits)
    return found[0]


async def looping(world: World, text: str = LOOP, **params: Any) -> dict[str, Any]:
    """A domain that waits for some seconds yet; what is listed of it."""
    await world.create(text, **(params or FILE))
    return await waiting(world)


async def is_gone(world: World, before: list[str]) -> None:
    """Nothing is left, and nothing comes back."""
    await settled(world)
    assert await world.call("domain.list") == [*await world.call("domain.list", domain=0)]
    assert await world.snapshot() == before
    await trio.sleep(LONG)
    assert await world.snapshot() == before
    assert list((world.directory / "xend/domains").iterdir()) == []


def test_one_that_waits_is_listed_with_the_time_of_the_next_try_and_how_often_it_failed() -> None:
    async def body(world: World) -> None:
        found = await looping(world)
        assert (found["domid"], found["name"], found["memory_kib"], found["vcpus"]) == (None, "example", 0, 0)
        assert (found["uptime_s"], found["devices"]) == (None, [])
        told = found["waiting"]
        assert (told["reason"], told["failures"], told["error"]) == ("crash", 5, None)
        assert told["next_try"] == pytest.approx(BEGIN + world.now() + told["in_s"])
        for word in ("example", found["uuid"]):
            assert await world.call("domain.list", domain=word) == [found]
        config = await world.call("domain.config", domain="example")
        assert (config["domid"], config["config"]["c_info"]["name"]) == (None, "example")
        await trio.sleep(told["in_s"] + 0.1)
        (found,) = await world.call("domain.list", domain="example")
        assert (found["domid"], found["waiting"]) == (6, None) or found["waiting"]["failures"] == 6

    play(body)


def test_from_its_crash_until_it_is_destroyed_it_is_in_every_list() -> None:
    async def body(world: World) -> None:
        uuids: set[str] = set()

        def on_step(operation: Operation) -> None:
            world.soon(look)

        async def look() -> None:
            found = [each for each in await world.call("domain.list") if each["domid"] != 0]
            assert [each["name"] for each in found] == ["example"]
            uuids.update(each["uuid"] for each in found)

        await world.create(LOOP, **FILE)
        world.on_step = on_step
        for _ in range(100):
            await look()
            await trio.sleep(0.4)
        world.on_step = lambda operation: None
        assert len(uuids) == 1

    play(body)


@pytest.mark.parametrize("verb", ["domain.destroy", "domain.shutdown"])
def test_ending_it_while_it_waits_is_final(verb: str) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        await looping(world)
        began = world.now()
        answer = await world.call(verb, domain="example", **({"wait": True} if "shut" in verb else {}))
        assert answer["domid"] is None
        assert world.now() - began < 0.1
        await is_gone(world, before)
        assert world.logged[-3:-1] == [
            f"domain.destroy example: started (operation {answer['operation']})",
            "domain example: destroyed: "
            + ("ended" if "destroy" in verb else "asked to shut down")
            + " between two lives",
        ]

    play(body)


# --- at each step -----------------------------------------------------------------------------------------


#: At once: one operation; after a wait: two.
REBOOTS = [("domain.restart", step) for step in RESTART]
LOOPS = [("domain.restart", step) for step in RESTART_LATER]
LIVES = [("domain.next_life", step) for step in NEXT_LIFE]


def acting(world: World, kind: str, step: str, act: Callable[[], Any], skip: int = 0) -> list[object]:
    """Has `act` done before a step of a domain's operation, once; returns what will hold its outcome."""
    outcome: list[object] = []
    seen: list[int] = []

    async def task() -> None:
        try:
            outcome.append(await act())
        except XendError as error:
            outcome.append(error)

    def on_step(operation: Operation) -> None:
        if operation.kind.name == kind and operation.doing == step and operation.state == "running":
            seen.append(1)
            if len(seen) == skip + 1:
                world.soon(task)

    world.on_step = on_step
    return outcome


@pytest.mark.parametrize(("kind", "step"), REBOOTS)
def test_ending_one_that_reboots_is_final_at_each_step(kind: str, step: str) -> None:
    async def body(world: World) -> None:
        verb = ("domain.destroy", "domain.shutdown")[REBOOTS.index((kind, step)) % 2]
        before = await world.snapshot()
        await world.connected(await world.create())
        outcome = acting(world, kind, step, lambda: world.call(verb, domain="example"))
        await world.call("domain.reboot", domain="example")
        await trio.sleep(30)
        assert [type(each) for each in outcome] == [dict], outcome
        await is_gone(world, before)
        assert not any("by others" in line for line in world.logged)

    play(body)


@pytest.mark.parametrize(("kind", "step"), LOOPS + LIVES)
def test_destroying_one_that_loops_is_final_at_each_step(kind: str, step: str) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        outcome = acting(world, kind, step, lambda: world.call("domain.destroy", domain="example"), skip=1)
        await world.create(LOOP, **FILE)
        await trio.sleep(60)
        assert [type(each) for each in outcome] == [dict], outcome
        await is_gone(world, before)
        assert not any("by others" in line for line in world.logged)

    play(body)


@pytest.mark.parametrize("pause_s", [0.0, 0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("verb", ["domain.destroy", "domain.shutdown"])
def test_ending_one_a_moment_after_its_reboot_is_final(verb: str, pause_s: float) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        await world.connected(await world.create())
        await world.call("domain.reboot", domain="example", wait_for="accepted")
        await trio.sleep(pause_s)
        if verb == "domain.shutdown":
            with_reboot = [each for each in await world.call("operation.list") if each["state"] == "running"]
            for each in with_reboot:  # who asked for a reboot has it first
                if each["kind"] == "domain.reboot":
                    await world.call("operation.wait", operation=each["operation"])
        await world.call(verb, domain="example")
        await trio.sleep(10)
        await is_gone(world, before)

    play(body)


@pytest.mark.parametrize(("kind", "step"), REBOOTS)
def test_xend_killed_while_it_ends_one_that_reboots(kind: str, step: str) -> None:
    """At each step, and at the first one of what follows: whoever was told that it is done has it done."""

    async def body(world: World) -> None:
        before = await world.snapshot()
        await world.connected(await world.create())

        async def act() -> None:
            def on_step(operation: Operation) -> None:
                if operation.kind.name == "domain.destroy":
                    kill()

            world.on_step = on_step
            await world.call("domain.destroy", domain="example", wait_for="accepted")

        acting(world, kind, step, act)
        await world.call("domain.reboot", domain="example")
        await trio.sleep(30)
        world.on_step = lambda operation: None
        await world.start_xend()
        await is_gone(world, before)

    play(body)


@pytest.mark.parametrize(("kind", "step"), [*REBOOTS[::4], *LOOPS[::4], *LIVES[::4]])
def test_a_record_that_cannot_be_used_costs_no_more_than_that_operation(kind: str, step: str) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()

        def on_step(operation: Operation) -> None:
            if operation.kind.name == kind and operation.doing == step:
                kill()

        world.on_step = on_step
        if (kind, step) in REBOOTS[::4]:
            await world.connected(await world.create())
            await world.call("domain.reboot", domain="example")
        else:
            await world.create(LOOP, **FILE)
        await trio.sleep(10)
        for path in (world.directory / "xend/operations").iterdir():
            path.write_bytes(pack({**unpack(path.read_bytes()), "facts": {"old": 1}, "steps": [1]}))
        world.on_step = lambda operation: None
        await world.start_xend()
        await trio.sleep(5)
        assert not any("Traceback" in line for line in world.logged)
        for domain in await world.call("domain.list"):
            if domain["domid"] != 0:
                await world.call("domain.destroy", domain=domain["uuid"])
        await is_gone(world, before)

    play(body)


# --- what others do with it -------------------------------------------------------------------------------

#: What each method that names a domain does between two lives: None: it acts on it, or what it says.
WAITS = (
    r"example waits for its next life \(crash, failed 5 times\): "
    r"it is started again at \d\d:\d\d:\d\d, in \d+ s"
)
METHODS: dict[str, tuple[dict[str, Any], str | None]] = {
    "domain.list": ({}, None),
    "domain.config": ({}, None),
    "domain.create": ({"text": LOOP, **FILE}, None),
    "domain.destroy": ({}, None),
    "domain.shutdown": ({}, None),
    "domain.reboot": ({}, None),
    "domain.rename": ({"name": "other"}, None),
    "domain.pause": ({}, WAITS),
    "domain.unpause": ({}, WAITS),
    "domain.set_memory": ({"target_kib": 32 << 10}, WAITS),
    "domain.set_max_memory": ({"max_memory_kib": 256 << 10}, WAITS),
    "domain.sysrq": ({"letter": "s"}, WAITS),
    "domain.set_vcpus": ({"vcpus": 1}, WAITS),
    "domain.pin_vcpus": ({"hard": "0"}, WAITS),
    "domain.set_scheduling": ({"scheduler": "credit2", "weight": 300}, WAITS),
    "domain.set_pool": ({"pool": "Pool-0"}, WAITS),
    "domain.update_config": ({"text": LOOP, "domain": "example"}, WAITS),
    "domain.trigger": ({"trigger": "nmi"}, WAITS),
    "domain.monitor_command": ({"command": "info status"}, WAITS),
    "domain.dump_core": ({"path": "/core"}, WAITS),
    "domain.save": ({"file": "/saved"}, WAITS),
    "domain.suspend": ({}, WAITS),
    "domain.resume": ({}, WAITS),
    "scheduling.show": ({}, WAITS),
    "quota.list": ({}, WAITS),
    "quota.set": ({"values": {"nodes": 10}}, WAITS),
    "vcpu.list": ({}, WAITS),
    "device.list": ({}, WAITS),
    "screen.show": ({}, WAITS),
    "serial.show": ({}, WAITS),
    "usb.list": ({}, WAITS),
    "usb.attach": ({"spec": "hostbus=1,hostaddr=2"}, WAITS),
    "usb.detach": ({"controller": 0, "port": 1}, WAITS),
    "pci.list": ({}, WAITS),
    "pci.attach": ({"spec": "01:00.0"}, WAITS),
    "pci.detach": ({"spec": "01:00.0"}, WAITS),
    "device.explain": ({"device": "vif 0"}, None),
    "device.attach": ({"kind": "vif", "spec": "bridge=bridge0"}, WAITS),
    "device.detach": ({"kind": "vif", "device": "0"}, WAITS),
    "device.insert": ({"device": "0x0", "target": "/disk.img"}, WAITS),
    "device.eject": ({"device": "0x0"}, WAITS),
    "console.attach": ({}, WAITS),
    "autostart.start": ({"names": ["example"]}, None),
    "autostart.stop": ({"names": ["example"]}, None),
}
#: Those that name no domain.
OTHERS = {
    "domain.restore",
    "managed.list", "managed.read", "managed.new", "managed.replace", "managed.delete", "autostart.enable",
    "autostart.disable", "config.check", "hello", "host.info", "host.config", "host.dmesg",
    "stats.list", "console.write", "console.detach", "operation.list", "operation.show",
    "operation.wait", "operation.cancel", "events.subscribe", "events.unsubscribe", "host.debug_keys",
    "host.set_parameters", "topology.show", "cpus.show", "security.show", "security.set_enforcing",
    "pci.assignable", "pci.make_assignable", "pci.make_unassignable",
    "security.load_policy", "scheduling.list", "pool.list", "pool.create", "pool.destroy", "pool.rename",
    "pool.add_cpus", "pool.remove_cpus", "pool.split", "pool.set_scheduling",
}  # fmt: skip


def test_every_method_is_in_the_table() -> None:
    """And the client knows by its name whether it only reads."""

    async def body(world: World) -> None:
        assert {method.name for method in world.xend.methods()} == {*METHODS, *OTHERS}
        reading = {method.name for method in world.xend.methods() if method.access == "read"}
        assert {name for name in (*METHODS, *OTHERS) if is_reading(name)} == reading

    play(body)


def params_of(method: str) -> dict[str, Any]:
    params, _ = METHODS[method]
    return params if {"text", "names"} & set(params) else {**params, "domain": "example"}


@pytest.mark.parametrize("method", [method for method, (_, refusal) in METHODS.items() if refusal is None])
def test_what_a_method_does_between_two_lives(method: str) -> None:
    async def body(world: World) -> None:
        await looping(world)
        (world.directory / "example").write_text(LOOP)
        await world.call(method, **params_of(method))

    play(body)


def test_what_is_refused_between_two_lives_changes_nothing() -> None:
    async def body(world: World) -> None:
        await looping(world)
        before = await world.call("domain.list")
        for method, (_, refusal) in METHODS.items():
            if refusal is None:
                continue
            with pytest.raises(XendError) as caught:
                await world.call(method, **params_of(method))
            assert re.fullmatch(refusal, caught.value.message), method
            hint = "xl reboot example starts it now, xl destroy example ends it"
            assert caught.value.fields["hint"] == hint, method
            assert await world.call("domain.list") == before, method

    play(body)


def test_a_reboot_begins_the_next_life_at_once() -> None:
    async def body(world: World) -> None:
        found = await looping(world)
        began = world.now()
        answer = await world.call("domain.reboot", domain="example")
        assert world.now() - began < 1 < found["waiting"]["in_s"]
        assert answer["domid"] == 6
        assert (await waiting(world, failures=6))["uuid"] == found["uuid"]

    play(body)


@pytest.mark.parametrize(("kind", "step"), [REBOOTS[0], REBOOTS[-1]])
def test_who_reboots_one_between_two_lives_waits_for_the_begin_of_the_next(kind: str, step: str) -> None:
    async def body(world: World) -> None:
        await start_slowly(world)
        await world.connected(await world.create())
        outcome = acting(world, kind, step, lambda: world.call("domain.reboot", domain="example", wait=True))
        await world.call("domain.reboot", domain="example")
        await trio.sleep(30)
        (found,) = await world.call("domain.list", domain="example")
        assert [each["domid"] for each in outcome if isinstance(each, dict)] == [found["domid"]] == [2]

    play(body)


def test_one_that_waits_can_be_renamed_and_lives_on_by_that_name() -> None:
    async def body(world: World) -> None:
        found = await looping(world)
        await world.call("domain.rename", domain="example", name="other")
        with pytest.raises(XendError, match="domain example does not exist"):
            await world.call("domain.list", domain="example")
        assert (await waiting(world, "other", failures=6))["uuid"] == found["uuid"]
        await world.call("domain.destroy", domain="other")
        assert await world.names() == []

    play(body)


def test_its_name_and_its_disks_are_its_own_while_it_waits() -> None:
    async def body(world: World) -> None:
        await looping(world, ALONE)
        with pytest.raises(XendError) as caught:
            await world.create(EXAMPLE, name="example", path="/root/example")
        assert caught.value.code == "name_in_use"
        assert re.fullmatch(
            f"domain example exists already: {WAITS.replace('example waits', 'it waits')}",
            caught.value.message,
        )
        with pytest.raises(XendError, match=r"/disk.img is in use: domain example writes to it as 0x0"):
            await world.create(ALONE, extra=['name="other"'])
        with pytest.raises(XendError, match="domain example exists already"):
            await world.create(EXAMPLE)  # of no file at all
        await world.call("domain.destroy", domain="example")
        await world.create(EXAMPLE.replace("w!", "w"), name="example", path="/root/example")

    play(body)


# --- the mended file --------------------------------------------------------------------------------------


def test_creating_the_mended_file_replaces_one_that_waits() -> None:
    async def body(world: World) -> None:
        found = await looping(world, ALONE)
        answer = await world.call("domain.create", text=EXAMPLE.replace("w!", "w"), **FILE)
        assert answer["uuid"] == found["uuid"]
        await world.connected(answer["domid"])
        await trio.sleep(LONG)
        (listed,) = [each for each in await world.call("domain.list") if each["domid"] != 0]
        assert (listed["domid"], listed["state"]) == (answer["domid"], "running")
        assert "domain example: destroyed: replaced by a new one of example" in world.logged

    play(body)


@pytest.mark.parametrize(("kind", "step"), LOOPS + LIVES)
def test_creating_the_mended_file_replaces_it_at_each_step(kind: str, step: str) -> None:
    async def body(world: World) -> None:
        await start_slowly(world)
        act = lambda: world.call("domain.create", text=EXAMPLE.replace("w!", "w"), **FILE)  # noqa: E731
        outcome = acting(world, kind, step, act, skip=1)
        await world.create(ALONE, **FILE)
        await trio.sleep(LONG)
        assert [type(each) for each in outcome] == [dict], outcome
        (listed,) = [each for each in await world.call("domain.list") if each["domid"] != 0]
        assert (listed["domid"], listed["state"]) == (outcome[0]["domid"], "running")  # type: ignore[index]

    play(body)


def test_a_link_to_the_same_file_replaces_it_too(tmp_path: Path) -> None:
    async def body(world: World) -> None:
        (tmp_path / "auto").mkdir()
        (tmp_path / "example").write_text(LOOP)
        (tmp_path / "auto/10-example").symlink_to("../example")
        await looping(world, name="example", path=str(tmp_path / "example"))
        await world.create(EXAMPLE, name="10-example", path=str(tmp_path / "auto/10-example"))
        assert await world.names() == ["example"]

    play(body)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("memory = 64\nkernel =", "example:2"),
        (EXAMPLE.replace("/netbsd", "/missing"), "/missing"),
        (EXAMPLE.replace("memory = 64", "memory = 640000"), "the whole host has"),
    ],
)
def test_a_file_that_is_not_mended_yet_changes_nothing(text: str, message: str) -> None:
    async def body(world: World) -> None:
        found = await looping(world)
        with pytest.raises(XendError, match=message):
            await world.create(text, **FILE)
        assert await world.call("domain.list", domain="example") == [found]
        await waiting(world, failures=6)

    play(body)


def test_a_dry_run_changes_nothing() -> None:
    async def body(world: World) -> None:
        found = await looping(world)
        for method, params in (
            ("domain.create", {"text": EXAMPLE, **FILE}),
            ("domain.destroy", {"domain": "example"}),
            ("domain.shutdown", {"domain": "example"}),
            ("domain.reboot", {"domain": "example"}),
        ):
            assert (await world.call(method, dry_run=True, **params))["steps"]
        assert await world.call("domain.list", domain="example") == [found]

    play(body)


# --- a next life that cannot begin ------------------------------------------------------------------------


def test_what_cannot_be_started_again_is_tried_again_until_it_can() -> None:
    async def body(world: World) -> None:
        await world.connected(await world.create(EXAMPLE, **FILE))
        (world.directory / "root/netbsd").unlink()
        await world.call("domain.reboot", domain="example", wait=True)
        found = await waiting(world, failures=6)
        assert found["waiting"]["reason"] == "reboot"
        assert "/netbsd" in found["waiting"]["error"]["message"]
        with pytest.raises(XendError, match="/netbsd"):
            await world.call("domain.reboot", domain="example")
        assert (await waiting(world, failures=7))["waiting"]["in_s"] == pytest.approx(32, abs=0.1)
        write_kernel(world.directory / "root/netbsd")
        await trio.sleep(33)
        (found,) = await world.call("domain.list", domain="example")
        assert (found["state"], found["waiting"]) == ("running", None)
        await world.connected(found["domid"])
        assert not any("by others" in line for line in world.logged)

    play(body)


def test_why_a_device_keeps_it_from_its_next_life_is_told() -> None:
    async def body(world: World) -> None:
        await world.connected(await world.create(EXAMPLE, **FILE))
        world.scripts.behaviours["vif-bridge"] = "fail"
        await world.call("domain.reboot", domain="example", wait=True)
        await waiting(world, failures=3)
        story = await world.call("device.explain", domain="example", device="vif 0")
        assert story["live"] is None
        assert any("no such bridge" in line["text"] or "failed" in line["text"] for line in story["lines"])

    play(body)


# --- xend ends meanwhile ----------------------------------------------------------------------------------


def test_another_xend_waits_out_what_is_left() -> None:
    async def body(world: World) -> None:
        await looping(world)
        found = await waiting(world, failures=7)
        left_s = found["waiting"]["in_s"]
        assert left_s > 20
        await trio.sleep(5)
        await world.kill_xend()
        await trio.sleep(5)
        await world.start_xend()
        (again,) = await world.call("domain.list", domain="example")
        assert (again["state"], again["uuid"]) == ("waiting", found["uuid"])
        assert again["waiting"]["failures"] == 7
        assert again["waiting"]["in_s"] == pytest.approx(left_s - 10, abs=0.1)
        assert again["waiting"]["next_try"] == pytest.approx(found["waiting"]["next_try"])
        began = world.now()
        await waiting(world, failures=8)
        assert world.now() - began == pytest.approx(left_s - 10, abs=2)

    play(body)


@pytest.mark.parametrize("verb", ["domain.destroy", "domain.shutdown"])
def test_another_xend_can_be_told_to_end_it(verb: str) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        await looping(world)
        await world.kill_xend()
        await world.start_xend()
        await world.call(verb, domain="example")
        await is_gone(world, before)

    play(body)


def test_a_clock_that_was_set_back_makes_nobody_wait_longer() -> None:
    waits = Waiting(reason="crash", next_try=5000.0, wait_s=8.0)
    assert [waits.left_s(now) for now in (4990.0, 4995.0, 4999.0, 5000.0, 9000.0)] == [
        8.0,
        5.0,
        1.0,
        0.0,
        0.0,
    ]


def test_the_waits_grow_to_a_minute() -> None:
    assert [wait_seconds(number) for number in range(1, 10)] == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert wait_seconds(10_000) == 60


# --- all of them, and the host's end ----------------------------------------------------------------------


def test_stopping_all_ends_one_that_waits() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        await looping(world)
        rows = await world.call("autostart.stop", all=True)
        assert outcomes(rows) == {"example": ("down", "it was between two lives")}
        await is_gone(world, before)

    play(body)


@pytest.mark.parametrize(("kind", "step"), LOOPS + LIVES)
def test_stopping_all_ends_it_at_each_step(kind: str, step: str) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        outcome = acting(world, kind, step, lambda: world.call("autostart.stop", all=True), skip=1)
        await world.create(LOOP, **FILE)
        await trio.sleep(100)
        assert [[row["name"] for row in rows] for rows in outcome] == [["example"]]  # type: ignore[attr-defined]
        assert all(row["ok"] or row["outcome"] == "destroyed" for row in outcome[0])  # type: ignore[attr-defined]
        await is_gone(world, before)

    play(body)


def test_what_crashes_while_it_waits_for_its_turn_is_not_started_again() -> None:
    """One that is needed by a guest that hangs is asked late; whatever it does until then, it stays down."""

    async def body(world: World) -> None:
        before = await world.snapshot()
        db = EXAMPLE.replace("w!", "r") + 'name="db"\non_crash="rename-restart"\nextra="sim=crash-at=20"\n'
        await world.create(db, name="db", path="/etc/xen/db")
        web = EXAMPLE.replace("w!", "r") + 'name="web"\nautostart_after=["db"]\nextra="sim=hang-shutdown"\n'
        await world.create(web, name="web", path="/etc/xen/web")
        await world.call("autostart.stop", all=True)
        names = await world.names()
        assert names in ([], ["db"])  # its copy is what the configuration asks for, and no life follows
        for name in names:
            await world.call("domain.destroy", domain=name)
        await is_gone(world, before)

    play(body)


# --- copies that stay -------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["rename-restart", "preserve"])
def test_a_copy_that_stays_is_a_domain_like_others(action: str) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        text = ALONE.replace('on_crash="restart"', f'on_crash="{action}"').replace("crash-at=1", "crash-at=3")
        await world.create(text, **FILE)
        await trio.sleep(2.8)
        name = "example" if action == "preserve" else "example-1"

        async def is_there() -> bool:
            return (
                name in await world.names()
                and (await world.call("domain.list", domain=name))[0]["state"] == "crashed"
            )

        await world.until(is_there)
        for _ in range(2):
            (copy,) = await world.call("domain.list", domain=name)
            assert (copy["domid"], copy["state"], copy["waiting"]) == (1, "crashed", None)
            assert await world.call("domain.list", domain=1) == [copy]
            host = world.xend.host
            identity = identity_of(host, disks_of(of(world, "example").config)[0])
            assert identity is not None
            assert {claim.name for claim in host.domains.claims.meeting(identity)} == {"example"}
            await world.kill_xend()
            await world.start_xend()
            await trio.sleep(1)
        await world.call("domain.destroy", domain=1 if action == "preserve" else name)
        if action != "preserve":
            await world.call("autostart.stop", all=True)
        await is_gone(world, before)

    play(body)


def of(world: World, name: str) -> Domain:
    found = world.xend.host.domains.by_name(name)
    assert found is not None
    return found


def test_a_renamed_copy_leaves_its_disks_to_the_new_one() -> None:
    """Who asks for rename-restart wants to look at what crashed, and to have the service back."""

    async def body(world: World) -> None:
        text = EXAMPLE.replace("w!", "w") + 'on_crash="rename-restart"\n'
        await world.connected(await world.create(text))
        await world.host.shutdown(1, 3)
        await trio.sleep(5)
        found = [each for each in await world.call("domain.list") if each["domid"] != 0]
        assert [(each["name"], each["state"]) for each in found] == [
            ("example-1", "crashed"),
            ("example", "running"),
        ]
        assert (await world.call("domain.config", domain="example-1"))["config"].get("disks") is None
        assert await world.call("device.list", domain="example-1") == []
        await world.connected(found[1]["domid"])

    play(body)


# --- what is said of it -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "step"), LOOPS + LIVES)
def test_cancelling_a_restart_ends_it_and_says_so(kind: str, step: str) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()

        async def act() -> None:
            for each in await world.call("operation.list"):
                if each["state"] == "running":
                    await world.call("operation.cancel", operation=each["operation"])

        acting(world, kind, step, act, skip=1)
        await world.create(LOOP, **FILE)
        await trio.sleep(100)
        if await world.names():  # it was too late: the last step had begun
            assert step in (LOOPS[-1][1], LIVES[-1][1])
            await world.call("domain.destroy", domain="example")
            return
        ends = [line for line in world.logged if re.match(r"domain example.*: (destroyed|reaped)", line)]
        assert [line.partition(": ")[2] for line in ends] == ["destroyed: its restart was cancelled"]
        assert not any("by others" in line for line in world.logged)
        await is_gone(world, before)

    play(body)


def test_an_event_tells_of_the_wait() -> None:
    async def body(world: World) -> None:
        heard = []

        def hear(kind: str, what: str, **fields: Any) -> int:
            if (kind, what) == ("domain", "waiting"):
                heard.append(fields)
            return publish(kind, what, **fields)

        publish = world.xend.events.publish
        world.xend.events.publish = hear  # type: ignore[method-assign]
        await looping(world)
        assert [each["failures"] for each in heard] == [2, 3, 4, 5]
        assert heard[-1]["reason"] == "crash; it is started again in 8 s"
        assert "domid" not in heard[-1]

    play(body)


def test_one_destroyed_by_others_is_still_told_as_such() -> None:
    async def body(world: World) -> None:
        await world.connected(await world.create(EXAMPLE.replace("w!", "r") + 'on_crash="restart"\n'))
        await world.destroy_behind_back(1)
        await trio.sleep(5)
        assert await world.names() == []
        assert any("destroyed by others" in line for line in world.logged)

    play(body)


def test_a_shutdown_is_not_lost_on_a_guest_that_reboots_at_that_moment() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        await world.create(EXAMPLE + 'extra="sim=never-answer"\n')
        await trio.sleep(3)
        await world.call("domain.shutdown", domain="example", wait_for="accepted")
        await trio.sleep(1)
        await world.host.shutdown(1, 1)  # as its own administrator has it reboot
        await trio.sleep(10)
        await is_gone(world, before)

    play(body)
