"""Discs of virtual CD drives: inserted, changed, ejected while the domain runs."""

from pathlib import Path

import pytest
import trio

from tests.sim.test_faults import at, kill, settled
from tests.sim.world import World, play
from xend.config.disk import DiskConfig
from xend.domain.medium import spec_of
from xend.domain.source import device_of_spec
from xend.errors import XendError

pytestmark = pytest.mark.slow

EMPTY = """
name = "bare"
kernel = "/netbsd"
memory = 64
disk = [ ',,hdc,cdrom', 'file:/disk.img,xvda,w' ]
"""
HDC = 5632
XVDA = 51712
STEPS = [
    "vbd hdc: check what it needs",
    "vbd hdc: close its backend",
    "vbd hdc: run its script",
    "vbd hdc: remove its nodes",
    "vbd hdc: write its nodes",
    "vbd hdc: wait for its backend",
    "vbd hdc: run its script",
    "vbd hdc: remember it",
]


def press(world: World, *names: str) -> None:
    """Discs, as files."""
    for name in names:
        Path(world.directory, "root", name).write_bytes(bytes(2048))


async def drive(world: World, domid: int = 1) -> tuple[str, str]:
    """What is in it, and what its backend's state is."""
    await trio.sleep(12)
    path = f"/local/domain/0/backend/vbd/{domid}/{HDC}"
    params = (await world.client.read(f"{path}/params")).decode().removeprefix(f"{world.directory}/root")
    return params, (await world.client.read(f"{path}/state")).decode()


async def insert(world: World, target: str) -> None:
    await world.call("device.insert", domain="bare", device="hdc", target=target)


async def loaded(world: World) -> None:
    """A domain that has a.iso in its drive; b.iso is there, too."""
    press(world, "a.iso", "b.iso")
    await world.create(EMPTY)
    await trio.sleep(5)
    await insert(world, "/a.iso")
    await trio.sleep(5)


def test_a_drive_is_empty_until_a_disc_is_in_it() -> None:
    async def body(world: World) -> None:
        press(world, "a.iso", "b.iso")
        await world.create(EMPTY)
        assert await drive(world) == ("", "2")
        verbs = [call[1] for call in world.scripts.calls]
        assert verbs == ["add"]  # of the disk
        await insert(world, "/a.iso")
        assert await drive(world) == ("/a.iso", "4")
        await insert(world, "/b.iso")
        assert await drive(world) == ("/b.iso", "4")
        await world.call("device.eject", domain="bare", device="hdc")
        assert await drive(world) == ("", "2")
        assert [call[1] for call in world.scripts.calls] == [*verbs, "add", "remove", "add", "remove"]
        assert await world.backend_state(1, "vbd", XVDA) == b"4"

    play(body)


def test_what_is_in_it_is_there_after_a_restart() -> None:
    async def body(world: World) -> None:
        press(world, "a.iso")
        await world.create(EMPTY)
        await trio.sleep(5)
        await insert(world, "/a.iso")
        await world.call("domain.reboot", domain="bare", wait=True)
        await trio.sleep(10)
        assert await drive(world, 2) == ("/a.iso", "4")
        await world.call("domain.destroy", domain="bare")

    play(body)


def test_a_domain_with_an_empty_drive_leaves_nothing() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        await world.create(EMPTY)
        await trio.sleep(5)
        await world.call("domain.destroy", domain="bare")
        assert await world.snapshot() == before

    play(body)


REFUSED = [
    ("hdc", "/no.iso", "bad_image", "vbd hdc: disk .*/no.iso cannot be read: No such file"),
    ("xvda", "/a.iso", "wrong_state", "bare: xvda is a disk, not a CD drive"),
    ("hdd", "/a.iso", "no_such_device", "bare has no CD drive hdd"),
    ("hdc", "/disk.img", "busy", "/disk.img is in use: domain other writes to it as xvda"),
]  # fmt: skip


@pytest.mark.parametrize(("device", "target", "code", "message"), REFUSED)
def test_what_cannot_be_inserted_changes_nothing(device: str, target: str, code: str, message: str) -> None:
    async def body(world: World) -> None:
        press(world, "a.iso", "b.iso")
        await world.create(EMPTY.replace("file:/disk.img", "file:/b.iso"))
        await world.create(EMPTY.replace("bare", "other"))
        await insert(world, "/a.iso")
        await trio.sleep(5)
        before = await world.snapshot()
        with pytest.raises(XendError, match=message) as caught:
            await world.call("device.insert", domain="bare", device=device, target=target)
        assert caught.value.code == code
        assert await world.snapshot() == before
        assert await drive(world) == ("/a.iso", "4")

    play(body)


def test_a_guest_that_does_not_let_go_of_a_disc_keeps_it() -> None:
    async def body(world: World) -> None:
        await loaded(world)
        await world.call("domain.pause", domain="bare")
        with pytest.raises(XendError, match="its guest did not let go of it within 10 s"):
            await insert(world, "/b.iso")
        await world.call("domain.unpause", domain="bare")
        assert (await drive(world))[0] == "/a.iso"

    play(body)


def test_a_disc_whose_script_fails_gives_way_to_the_one_before() -> None:
    async def body(world: World) -> None:
        await loaded(world)
        world.scripts.behaviours["block"] = "fail once"
        with pytest.raises(XendError, match=r"vbd hdc: .*block exited with status 1"):
            await insert(world, "/b.iso")
        assert await drive(world) == ("/a.iso", "4")

    play(body)


@pytest.mark.parametrize("index", range(len(STEPS)))
def test_xend_killed_while_it_changes_a_disc(index: int) -> None:
    """Either disc is in it afterwards, and what the configuration says is in it."""

    async def body(world: World) -> None:
        await loaded(world)
        world.on_step = at("device.insert", index, kill, domain="bare")
        await world.call("device.insert", domain="bare", device="hdc", target="/b.iso", wait_for="accepted")
        await trio.sleep(20)
        await world.start_xend()
        await settled(world)
        assert await drive(world) == ("/a.iso", "4")
        await insert(world, "/b.iso")
        assert await drive(world) == ("/b.iso", "4")

    play(body)


DRIVES = [
    DiskConfig(vdev="hdc", devid=HDC, name="hdc", mode="r", is_cdrom=True, target=None),
    DiskConfig(vdev="xvdc", devid=51744, name="xvdc", mode="r", is_cdrom=True, target="/a,b=c.iso",
               backend="5", backendtype="phy", script="block-nbd", direct_io_safe=True, trusted=False),
]  # fmt: skip


@pytest.mark.parametrize("config", DRIVES)
def test_a_drives_specification_is_the_drive(config: DiskConfig) -> None:
    assert device_of_spec("vbd", spec_of(config, config.target)) == config
