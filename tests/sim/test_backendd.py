"""xenbackendd beside another toolstack: it runs the scripts of devices that others write."""

from collections.abc import Mapping, Sequence

import attrs
import trio

from tests.sim.world import World, play
from xend.backendd.coordinator import Coordinator
from xend.config.disk import DiskConfig
from xend.device import nodes
from xend.device.device import Device
from xend.device.vbd import vbd_device
from xend.host import RunScript, ScriptOutcome

DOMID = 1
BARE = 'name = "bare"\nkernel = "/netbsd"\nmemory = 64\n'


def disk(world: World) -> Device:
    config = DiskConfig(target="/disk.img", vdev="xvda", devid=51712, name="xvda")
    return vbd_device(DOMID, config, world.xend.host.settings)


async def begin(world: World) -> None:
    """The coordinator, with dom0's backends and the world's scripts."""
    await world.create(BARE)
    await world.start(_coordinate, world)


async def _coordinate(
    world: World, run_script: RunScript | None = None, *, task_status: trio.TaskStatus[None]
) -> None:
    async with world.connect_store() as store:
        settings = world.xend.host.settings
        coordinator = Coordinator(store, settings, run_script or world.scripts.run, world.log)
        await coordinator.run(task_status=task_status)


async def status(world: World, device: Device) -> bytes:
    return await world.client.read(f"{device.backend_path}/hotplug-status")


def test_a_device_of_another_toolstack_is_put_in_and_taken_out() -> None:
    async def body(world: World) -> None:
        await begin(world)
        device = disk(world)
        await nodes.add(world.client, device)
        await trio.sleep(5)
        assert await status(world, device) == b"connected"
        assert [call[1] for call in world.scripts.calls] == ["add"]
        await nodes.force_closing(world.client, device)
        await trio.sleep(5)
        assert [call[1] for call in world.scripts.calls] == ["add", "remove"]
        assert not await world.client.exists(device.backend_path)

    play(body)


def test_a_device_that_its_guest_closed_is_taken_out_once_it_shall_not_come_back() -> None:
    """As a guest leaves it that shuts down: Closed, and only then told to go."""

    async def body(world: World) -> None:
        await begin(world)
        device = disk(world)
        await nodes.add(world.client, device)
        await trio.sleep(5)
        await world.client.write(f"{device.backend_path}/state", "6")
        await trio.sleep(5)
        assert await world.client.exists(device.backend_path)
        await world.client.write(f"{device.backend_path}/online", "0")
        await trio.sleep(5)
        assert [call[1] for call in world.scripts.calls] == ["add", "remove"]
        assert not await world.client.exists(device.backend_path)

    play(body)


def test_devices_that_are_there_already_are_put_in() -> None:
    async def body(world: World) -> None:
        device = disk(world)
        await world.create(BARE)
        await nodes.add(world.client, device)
        await trio.sleep(5)
        assert world.scripts.calls == []
        await world.start(_coordinate, world)
        await trio.sleep(5)
        assert await status(world, device) == b"connected"

    play(body)


def test_a_script_that_fails_is_told_in_the_backend() -> None:
    async def body(world: World) -> None:
        await begin(world)
        world.scripts.behaviours["block"] = "nothing"
        device = disk(world)
        await nodes.add(world.client, device)
        await trio.sleep(5)
        assert await status(world, device) == b"error"
        error = await world.client.read(f"{device.backend_path}/hotplug-error")
        assert b"hotplug-status is empty" in error
        assert len(world.scripts.calls) == 1

    play(body)


def test_a_script_that_hung_is_not_run_again_to_take_its_device_out() -> None:
    """Whoever waits for the device to go would wait for another deadline."""

    async def body(world: World) -> None:
        await begin(world)
        world.scripts.behaviours["block"] = "hang"
        device = disk(world)
        for _ in range(2):
            world.scripts.calls.clear()
            await nodes.add(world.client, device)
            await trio.sleep(45)
            assert await status(world, device) == b"error"
            await nodes.force_closing(world.client, device)
            await trio.sleep(5)
            assert [call[1] for call in world.scripts.calls] == ["add"]
            assert not await world.client.exists(device.backend_path)
        assert any("block hung before, and is not run to take it out" in line for line in world.logged)

    play(body)


def test_a_script_that_cannot_take_its_device_out_keeps_no_directory() -> None:
    async def body(world: World) -> None:
        await begin(world)
        world.scripts.behaviours["block"] = "busy"
        device = disk(world)
        await nodes.add(world.client, device)
        await trio.sleep(5)
        await nodes.force_closing(world.client, device)
        await trio.sleep(5)
        assert not await world.client.exists(device.backend_path)
        assert any("/dev/loop7 may be left: loop7: busy" in line for line in world.logged)

    play(body)


def test_a_fault_at_one_device_is_not_the_others() -> None:
    async def body(world: World) -> None:
        broken = [True]

        async def run_script(
            argv: Sequence[str], environment: Mapping[str, str], seconds: float
        ) -> ScriptOutcome:
            if broken:
                broken.clear()
                raise ExceptionGroup("from a nursery", [OSError(5, "unforeseen")])
            return await world.scripts.run(argv, environment, seconds)

        await world.create(BARE)
        await world.start(_coordinate, world, run_script)
        first = disk(world)
        await nodes.add(world.client, first)
        await trio.sleep(5)
        second = attrs.evolve(first, devid=51728)
        await nodes.add(world.client, second)
        await trio.sleep(5)
        assert await status(world, second) == b"connected"
        assert any("a fault in xend itself: OSError(5, 'unforeseen')" in line for line in world.logged)

    play(body)


def test_nothing_is_run_where_the_toolstack_runs_scripts_itself() -> None:
    async def body(world: World) -> None:
        await world.client.write("/local/domain/0/libxl/disable_udev", "1")
        await begin(world)
        await nodes.add(world.client, disk(world))
        await trio.sleep(5)
        assert world.scripts.calls == []

    play(body)
