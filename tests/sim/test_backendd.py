"""xenbackendd beside another toolstack: it runs the scripts of devices that others write."""

import trio

from tests.sim.world import World, play
from xend.backendd.coordinator import Coordinator
from xend.config import DiskConfig
from xend.device import nodes
from xend.device.device import Device
from xend.device.vbd import vbd_device

DOMID = 1
BARE = 'name = "bare"\nkernel = "/netbsd"\nmemory = 64\n'


def disk(world: World) -> Device:
    config = DiskConfig(target="/disk.img", vdev="xvda", devid=51712, name="xvda")
    return vbd_device(DOMID, config, world.xend.host.settings)


async def begin(world: World) -> None:
    """The coordinator, with dom0's backends and the world's scripts."""
    await world.create(BARE)
    await world.start(_coordinate, world)


async def _coordinate(world: World, *, task_status: trio.TaskStatus[None]) -> None:
    async with world.connect_store() as store:
        coordinator = Coordinator(store, world.xend.host.settings, world.scripts.run, world.log)
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


def test_nothing_is_run_where_the_toolstack_runs_scripts_itself() -> None:
    async def body(world: World) -> None:
        await world.client.write("/local/domain/0/libxl/disable_udev", "1")
        await begin(world)
        await nodes.add(world.client, disk(world))
        await trio.sleep(5)
        assert world.scripts.calls == []

    play(body)
