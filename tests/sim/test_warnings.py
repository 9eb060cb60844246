"""What goes wrong and does not stop an operation: told to who asked for it, logged, and over in time."""

import errno

import pytest
import trio

from tests.sim.faulty import RefusingHypervisor
from tests.sim.test_faults import at, at_rest, kill, settled
from tests.sim.world import EXAMPLE, World, play
from xend.errors import XendError
from xend.hypervisor import ConsoleRing, HypervisorError

BARE = 'name = "bare"\nkernel = "/netbsd"\nmemory = 64\n'
DISK = "file:/disk.img,xvdb,w"
HOTPLUG_SECONDS = 40.0


def test_a_script_that_fails_as_a_domain_is_destroyed_is_told_of() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        world.scripts.behaviours["block"] = "busy"
        await world.connected(await world.create())
        answer = await world.call("domain.destroy", domain="example")
        (warning,) = answer["warnings"]
        script = world.directory / "scripts/block"
        assert warning == {
            "code": "script_failed",
            "message": f"vbd 0x0: {script} exited with status 1 as it took it out; /dev/loop7 may be left",
            "cause": "loop7: busy",
            "hint": "see losetup -a; once nothing uses it: losetup -d /dev/loop7",
            "script_output": "detaching\nloop7: busy\n ",
            "device": "vbd 0x0",
            "domain": "example",
            "step": "vbd 0x0: run its script",
        }
        assert any(
            line.startswith("example: vbd 0x0: ") and "/dev/loop7 may be left: loop7: busy" in line
            for line in world.logged
        )
        assert await world.snapshot() == before
        shown = await world.call("operation.show", operation=answer["operation"])
        assert (shown["state"], shown["warnings"]) == ("done", [warning])
        await world.kill_xend()
        await world.start_xend()
        assert await world.call("operation.show", operation=answer["operation"]) == shown

    play(body)


class Taken(RefusingHypervisor):
    """Somebody else has bound the port of each console."""

    async def open_console(self, domid: int, gfn: int, port: int) -> ConsoleRing:
        raise HypervisorError(errno.EINVAL, f"the console of domain {domid} cannot be opened")


def test_a_console_that_another_program_has_is_left_to_it() -> None:
    async def body(world: World) -> None:
        await world.kill_xend()
        world.wrap = Taken
        await world.start_xend()
        before = await world.snapshot()
        answer = await world.call("domain.create", text=BARE)
        (warning,) = answer["warnings"]
        assert (warning["code"], warning["device"]) == ("hypervisor_failed", "console")
        assert "xenconsoled" in warning["hint"]
        (listed,) = (each for each in await world.call("domain.list") if each["name"] == "bare")
        assert listed["state"] == "running"
        await world.call("domain.destroy", domain="bare")
        assert await world.snapshot() == before

    play(body)


@pytest.mark.parametrize("force", [False, True])
def test_a_script_that_fails_as_a_device_is_detached_is_told_of(force: bool) -> None:
    async def body(world: World) -> None:
        world.scripts.behaviours["block"] = "busy"
        await world.create(BARE)
        await world.call("device.attach", domain="bare", kind="vbd", spec=DISK)
        await trio.sleep(5)
        answer = await world.call("device.detach", domain="bare", kind="vbd", device="xvdb", force=force)
        (warning,) = answer["warnings"]
        assert (warning["device"], warning["domain"]) == ("vbd xvdb", "bare")
        assert "/dev/loop7 may be left" in warning["message"]
        assert await world.call("device.list", domain="bare") == []

    play(body)


def test_an_interface_that_stays_is_named() -> None:
    async def body(world: World) -> None:
        world.scripts.behaviours["vif-bridge"] = "busy"
        await world.connected(await world.create())
        (warning,) = (await world.call("domain.destroy", domain="example"))["warnings"]
        assert "interface vif1.0 may be left as it was" in warning["message"]
        assert warning["hint"] == "see ip link show vif1.0"

    play(body)


def test_what_a_restart_could_not_take_out_is_in_its_operation_and_the_log() -> None:
    async def body(world: World) -> None:
        world.scripts.behaviours["block"] = "busy"
        await world.connected(await world.create())
        await world.call("domain.reboot", domain="example", wait=True)
        await settled(world)
        (restart,) = [each for each in await world.call("operation.list") if each["kind"] == "domain.restart"]
        assert restart["state"] == "done"
        assert [warning["device"] for warning in restart["warnings"]] == ["vbd 0x0"]
        assert any("/dev/loop7 may be left" in line for line in world.logged)
        assert await world.names() == ["example"]

    play(body)


def test_who_waits_for_a_shutdown_hears_of_what_followed_it() -> None:
    """The domain is destroyed by an operation of xend's own then."""

    async def body(world: World) -> None:
        world.scripts.behaviours["block"] = "busy"
        await world.connected(await world.create())
        answer = await world.call("domain.shutdown", domain="example", wait=True)
        assert [warning["device"] for warning in answer["warnings"]] == ["vbd 0x0"]
        assert await world.names() == []

    play(body)


def test_a_core_that_cannot_be_written_is_told_of() -> None:
    async def body(world: World) -> None:
        (world.directory / "dump").write_text("in the way")
        await world.create(extra=['on_crash="coredump-destroy"', 'extra="sim=crash-at=5"'])
        await trio.sleep(30)
        await settled(world)
        (dump,) = [each for each in await world.call("operation.list") if each["kind"] == "domain.dump"]
        (warning,) = dump["warnings"]
        assert (warning["message"], warning["cause"]) == (
            f"cannot make {world.directory}/dump",
            "Not a directory",
        )
        assert await world.names() == []

    play(body)


def test_autostop_says_it_in_its_row() -> None:
    async def body(world: World) -> None:
        world.scripts.behaviours["block"] = "busy"
        await world.connected(await world.create())
        (row,) = await world.call("autostart.stop", all=True)
        assert (row["outcome"], row["ok"]) == ("down", True)
        assert "/dev/loop7 may be left: loop7: busy" in row["reason"]
        assert row["error"]["script_output"] == "detaching\nloop7: busy\n "

    play(body)


# --- scripts that hang ------------------------------------------------------------------------------------


def test_one_that_hangs_as_a_domain_is_made_costs_its_deadline_once() -> None:
    async def body(world: World) -> None:
        world.scripts.behaviours["vif-bridge"] = "hang"
        before = await world.snapshot()
        start = trio.current_time()
        with pytest.raises(
            XendError, match=r"^vif 0: .*vif-bridge did not end within 40 s and was killed"
        ) as caught:
            await world.create()
        assert trio.current_time() - start < HOTPLUG_SECONDS * 1.25
        assert len([argv for argv in world.scripts.calls if argv[0].endswith("vif-bridge")]) == 1
        (warning,) = caught.value.fields["warnings"]
        assert "vif-bridge hung before, and is not run to take it out" in warning["message"]
        assert "vif1.0 may be left" in warning["message"]
        assert await world.snapshot() == before

    play(body)


@pytest.mark.parametrize("behaviour", ["hang", "stuck"])
def test_one_that_hangs_as_a_device_is_attached_or_detached_costs_it_once(behaviour: str) -> None:
    async def body(world: World) -> None:
        await world.create(BARE)
        await trio.sleep(5)
        world.scripts.behaviours["block"] = behaviour
        start = trio.current_time()
        attach = {"domain": "bare", "kind": "vbd", "spec": DISK}
        if behaviour == "hang":
            with pytest.raises(XendError, match="did not end within 40 s"):
                await world.call("device.attach", **attach)
        else:
            await world.call("device.attach", **attach)
            await trio.sleep(5)
            answer = await world.call("device.detach", domain="bare", kind="vbd", device="xvdb")
            (warning,) = answer["warnings"]
            assert warning["message"].endswith(
                "did not end within 40 s and was killed; a loop unit may be left"
            )
            assert warning["waited_s"] == HOTPLUG_SECONDS
        assert trio.current_time() - start < HOTPLUG_SECONDS * 1.5
        assert await world.call("device.list", domain="bare") == []
        world.scripts.behaviours.clear()
        await world.call("device.attach", **attach)

    play(body)


def test_others_are_served_while_one_hangs() -> None:
    async def body(world: World) -> None:
        await world.create(BARE)
        world.scripts.behaviours["block"] = "hang"
        world.soon(world.call, "domain.list")
        operation = await world.call("domain.create", text=EXAMPLE, wait_for="accepted")
        await trio.sleep(5)
        start = trio.current_time()
        await world.call("domain.pause", domain="bare")
        await world.create(BARE, extra=['name="other"'])
        assert trio.current_time() - start < 5
        shown = await world.call("operation.show", operation=operation["operation"])
        assert shown["waiting"]["for"].endswith("block to end (vbd 0x0)")
        await settled(world)
        assert sorted(await world.names()) == ["bare", "other"]

    play(body)


# --- faults of xend's own ---------------------------------------------------------------------------------


class Faulty(RefusingHypervisor):
    """Raises what nobody foresaw as it destroys a domain, as often as it is told."""

    faults = 0

    async def destroy(self, domid: int) -> None:
        if self.faults:
            self.faults -= 1
            raise ExceptionGroup("from a nursery", [ValueError("unforeseen")])
        await super().destroy(domid)


@pytest.mark.parametrize("is_after_a_crash", [False, True])
def test_an_undo_that_raises_leaves_a_domain_that_can_be_seen_and_destroyed(is_after_a_crash: bool) -> None:
    async def body(world: World) -> None:
        await world.kill_xend()
        hypervisor = Faulty(world.host)
        world.wrap = lambda inner: hypervisor
        await world.start_xend()
        before = await world.snapshot()
        hypervisor.faults = 1
        if is_after_a_crash:
            world.on_step = at("domain.create", "vbd 0x0: run its script", kill)
            await world.call("domain.create", text=EXAMPLE, wait_for="accepted")
            await trio.sleep(20)
            await world.start_xend()
            await at_rest(world)  # what is left is not served
        else:
            world.scripts.behaviours["block"] = "fail once"
            with pytest.raises(XendError, match="block exited with status 1"):
                await world.create()
        (operation,) = await world.call("operation.list")
        (warning,) = operation["warnings"]
        assert operation["state"] == "failed"
        assert warning["message"] == "could not undo 'create an empty domain': a fault in xend itself"
        assert (warning["domain"], warning["cause"]) == ("example", "ValueError('unforeseen')")
        assert await world.names() == ["example"]
        await world.kill_xend()
        await world.start_xend()
        await world.call("domain.destroy", domain="example")
        assert await world.snapshot() == before

    play(body)
