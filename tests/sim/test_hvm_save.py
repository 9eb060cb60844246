"""A domain with a whole machine is saved with the state of what plays it, and goes on with that."""

import errno
import json
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.sim.autostarting import stop
from tests.sim.faulty import RefusingHypervisor
from tests.sim.test_device_model import QCOW2, kill_at
from tests.sim.test_faults import settled
from tests.sim.test_hvm import example
from tests.sim.test_hvm_changes import machine
from tests.sim.test_save import refused
from tests.sim.world import World, play
from xend._sum import Sum
from xend.domain import model_state
from xend.errors import XendError
from xend.hypervisor import HypervisorError, Image, Rings
from xend.operation.running import Operation
from xend.stream import header
from xend.stream.reader import Reader

KERNEL = 'kernel = "/netbsd"\n'


def saving(
    body: Callable[[World, str], Awaitable[None]], tmp_path: Path, more: str = "", sim: str = ""
) -> None:
    """In a world with one that is connected; the file's path."""

    async def main(world: World) -> None:
        domid = await world.create(example(world, KERNEL + more, sim))
        if "no-drivers" not in more:
            await world.connected(domid, vbd=768)
        await body(world, str(tmp_path / "saved"))
        assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]

    play(main)


async def states(world: World) -> list[tuple[str, str]]:
    found = await world.call("domain.list")
    return [(each["name"], each["state"]) for each in found if each["domid"]]


async def runs(world: World, domid: int) -> None:
    """It and what plays its machine, which serves it."""
    assert [(each["domid"], each["state"]) for each in await world.call("domain.list")][1:] == [
        (domid, "running")
    ]
    assert machine(world).is_running
    await world.connected(domid, vbd=768)


def test_it_goes_on_with_the_state_of_its_machine(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        (world.directory / "root/other.iso").write_bytes(bytes(2048))
        before = await world.snapshot()
        await world.call("device.insert", domain="example", device="hdc", target="/other.iso")
        discs = machine(world).discs
        config = await world.call("domain.config", domain="example")
        await world.call("domain.save", domain="example", file=file)
        assert await states(world) == []
        assert not world.models.running()
        await trio.sleep(1000)
        made = await world.call("domain.restore", file=file)
        await runs(world, made["domid"])
        assert machine(world).discs == discs
        (model,) = world.models.running()
        words = " ".join(model.order.argv)
        assert f"id=ide-5632,file={world.directory}/root/other.iso" in words
        assert " -incoming fd:" in words
        # It opens its image for writing only once it sees none of the host's files any more.
        assert f"{world.directory}/root/disk.img" not in words
        image = "file.driver=file,file.locking=off,file.filename=/dev/fdset/1,format=raw"
        assert f"-drive {image},if=ide,index=0," in words
        assert words.count(",set=1 ") == 2
        assert (await world.call("screen.show", domain="example"))["port"] == 5900
        assert (await world.call("domain.config", domain="example"))["config"] == config["config"]
        # Its next life begins anew.
        await world.call("domain.reboot", domain="example", wait=True)
        await settled(world)
        assert "-incoming" not in world.models.running()[0].order.argv
        assert len(await world.snapshot()) == len(before)

    saving(body, tmp_path)


def test_a_disk_of_qcow2_goes_on_with_it(tmp_path: Path) -> None:
    """Emulated and paravirtual, each by descriptors, once nothing of the host is seen any more."""

    async def body(world: World) -> None:
        (world.directory / "root/disk.qcow2").write_bytes(QCOW2)
        text = example(world, f"{KERNEL}disk = [ '/disk.qcow2,qcow2,hda,w' ]\n")
        domid = await world.create(text)
        for _ in range(2):
            await world.until(partial(_is_served, world, domid))
            await world.call("domain.save", domain="example", file=f"{tmp_path}/saved")
            domid = (await world.call("domain.restore", file=f"{tmp_path}/saved"))["domid"]
        await world.until(partial(_is_served, world, domid))
        (model,) = world.models.running()
        words = " ".join(model.order.argv)
        assert (words.count(",set=1 "), words.count(",set=768 ")) == (2, 1)
        assert "disk.qcow2" not in words
        assert model.order.tree is not None
        assert list(model.order.tree.images) == [(768, False)]

    play(body)


async def _is_served(world: World, domid: int) -> bool:
    return await world.backend_state(domid, "qdisk", 768) == b"4"


@pytest.mark.parametrize("then", ["resume", "pause"])
def test_a_checkpoint(tmp_path: Path, then: str) -> None:
    async def body(world: World, file: str) -> None:
        how = {"checkpoint": True} if then == "resume" else {"paused": True}
        await world.call("domain.save", domain="example", file=file, **how)
        if then == "pause":
            assert await states(world) == [("example", "paused")]
            await world.call("domain.unpause", domain="example")
        await runs(world, 1)
        assert machine(world).given == {}  # nothing is left of the file by which its state came
        await world.call("domain.destroy", domain="example")
        await world.call("domain.restore", file=file)
        await runs(world, 2)

    saving(body, tmp_path)


def test_suspend_and_resume(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        await world.call("domain.suspend", domain="example")
        assert not machine(world).is_running
        await world.call("domain.resume", domain="example")
        await runs(world, 1)
        await world.call("domain.suspend", domain="example")
        await world.call("domain.save", domain="example", file=file)
        await world.call("domain.restore", file=file)
        await runs(world, 2)

    saving(body, tmp_path)


def test_one_without_drivers_is_suspended_without_its_doing(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        await world.call("domain.save", domain="example", file=file, checkpoint=True)
        assert await world.client.read("/local/domain/1/control/shutdown") == b""
        assert await states(world) == [("example", "running")]
        await world.call("domain.save", domain="example", file=file)
        await world.call("domain.restore", file=file)
        assert await states(world) == [("example", "running")]

    saving(body, tmp_path, 'extra = "sim=no-drivers"\n')


class Deferring(RefusingHypervisor):
    """A domain stops only once its device model has done what it is about to do, as with Xen."""

    later: Callable[..., None]

    async def shutdown(self, domid: int, reason: int) -> None:
        self.later(self._stop, domid, reason)

    async def _stop(self, domid: int, reason: int) -> None:
        await trio.sleep(2)
        await super().shutdown(domid, reason)


def test_one_that_stops_late_is_waited_for(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        await world.kill_xend()
        hypervisor = Deferring(world.host)
        hypervisor.later = world.soon
        world.wrap = lambda inner: hypervisor
        await world.start_xend()
        await world.call("domain.save", domain="example", file=file, checkpoint=True)
        assert await states(world) == [("example", "running")]

    saving(body, tmp_path, 'extra = "sim=no-drivers"\n')


def test_processors_that_it_got_are_there_again(tmp_path: Path) -> None:
    """A machine loses none, though its guest uses fewer by now: its state has all of them."""

    async def body(world: World, file: str) -> None:
        for count in (3, 2):
            await world.call("domain.set_vcpus", domain="example", vcpus=count, ignore_host=True)
        await world.call("domain.save", domain="example", file=file)
        await world.call("domain.restore", file=file)
        await runs(world, 2)
        assert "-smp 3,maxcpus=4 " in " ".join(world.models.running()[0].order.argv)
        nodes = [await world.client.read(f"/local/domain/2/cpu/{n}/availability") for n in range(4)]
        assert nodes == [b"online", b"online", b"offline", b"offline"]

    saving(body, tmp_path, "maxvcpus = 4\n")


def test_where_its_video_memory_lies_goes_with_it(tmp_path: Path) -> None:
    """Nodes of a qemu of before Xen 4.10, below its own place."""

    async def body(world: World, file: str) -> None:
        nodes = {"physmap/f0000000/start_addr": "f0000000", "physmap/f0000000/name": "vga.vram"}
        for name, value in nodes.items():
            await world.client.write(f"/local/domain/0/device-model/1/{name}", value)
        await world.call("domain.save", domain="example", file=file, checkpoint=True)
        await world.call("domain.destroy", domain="example")
        await world.call("domain.restore", file=file)
        for name, value in nodes.items():
            assert await world.client.read(f"/local/domain/0/device-model/2/{name}") == value.encode()
        await world.client.write("/local/domain/0/device-model/2/physmap/0/name", "\n")
        await refused(world, "device_failed", "is none of its", domain="example", file=file)
        await runs(world, 2)

    saving(body, tmp_path)


@pytest.mark.parametrize(
    ("sim", "said"),
    [
        ("no-save", "An IO error has occurred"),
        ("empty-state", "it has written nothing"),
        ("lie", "add-fd: it names no set of descriptors"),
    ],
)
def test_a_state_that_cannot_be_saved(tmp_path: Path, sim: str, said: str) -> None:
    async def body(world: World, file: str) -> None:
        Path(file).write_text("older")
        await refused(world, "device_failed", said, domain="example", file=file)
        assert Path(file).read_text() == "older"
        await runs(world, 1)

    saving(body, tmp_path, "vnc = 0\n", sim)


def test_one_that_speaks_nonsense_is_told_and_can_be_given_up(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        (model,) = world.models.running()
        assert model.program is not None
        await world.call("domain.suspend", domain="example")
        model.program.faults = {"nonsense": ""}
        said = "answer as it should"
        error = await refused(world, "device_failed", said, "domain.resume", domain="example")
        assert "xl resume example tries it again; xl destroy example gives it up" in error.fields["hint"]
        model.program.faults = {}
        await world.call("domain.resume", domain="example")
        await runs(world, 1)
        model.program.faults = {"nonsense": ""}
        await refused(world, "device_failed", said, domain="example", file=file)
        assert not os.path.exists(file)
        await world.call("domain.destroy", domain="example")

    saving(body, tmp_path)


def test_which_device_model_it_has_is_no_matter_of_a_file(tmp_path: Path) -> None:
    """Of Debian's xl, as its configuration says; nor is it hidden that this has no effect."""

    async def body(world: World, file: str) -> None:
        await world.call("domain.save", domain="example", file=file)
        whole = Path(file).read_bytes()
        fd = os.open(file, os.O_RDONLY)
        front = header.read(Reader.of(fd))
        os.close(fd)
        assert front.config is not None
        config = json.loads(front.config)
        config["b_info"] |= {"extra_hvm": ["-global", "x"], "device_model": "/bin/evil"}
        theirs = header.pack(header.Header(json.dumps(config).encode()))
        Path(file).write_bytes(theirs + whole[len(header.pack(front)) :])
        (warning,) = (await world.call("domain.restore", file=file))["warnings"]
        assert "device_model_override and device_model_args_hvm of another" in warning["message"]
        await runs(world, 2)
        assert "-global" not in world.models.running()[0].order.argv
        await world.call("domain.destroy", domain="example")
        text = example(world, KERNEL)
        assert (await world.call("domain.restore", file=file, text=text))["warnings"] == []

    saving(body, tmp_path)


def test_a_state_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(world: World, file: str) -> None:
        monkeypatch.setattr(model_state, "STATE_MAX_BYTES", 10)
        await refused(world, "device_failed", "more than 10 bytes", domain="example", file=file)
        await runs(world, 1)

    saving(body, tmp_path)


def test_one_that_kept_its_rights_is_not_saved(tmp_path: Path) -> None:
    """Another such would read its state as root."""

    async def body(world: World, file: str) -> None:
        await refused(world, "unsupported", "has kept root's rights", domain="example", file=file)
        await runs(world, 1)

    saving(body, tmp_path, "dm_restrict = 0\n")


def test_what_a_state_is_not_restored_into(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        await world.call("domain.save", domain="example", file=file)
        for more, code, said in (
            ("dm_restrict = 0\n", "unsupported", "would read the saved state"),
            ('device_model_args = [ "-sim", "no-load" ]\n', "device_failed", "load of migration failed"),
            ('type = "pvh"\nvif = []\ndisk = []\n', "bad_config", "the memory of a hvm domain"),
        ):
            text = example(world, KERNEL + more)
            await refused(world, code, said, "domain.restore", file=file, text=text)
            await settled(world)
            assert await states(world) == []
            assert not world.models.running()
        await world.call("domain.restore", file=file)
        await runs(world, 5 - 2)

    saving(body, tmp_path)


#: Of a save: before each of them it is xend, or qemu, that is killed.
SAVE = ("begin", "save", "place", "pause", "vif/0.close", "end-model", "vbd/768.close", "destroy", "forget")
CHECKPOINT = ("begin", "save", "resume", "place")
UNTIL_PLACED = ("begin", "save", "resume", "place")
RESTORE = (
    "create", "write-nodes", "restore", "introduce", "vbd/768.add", "model.start", "model.await",
    "vif/0.run-script", "start",
)  # fmt: skip


def before(world: World, kind: str, key: str, act: Callable[[], object]) -> None:
    """Something happens before that step, once."""

    def look(operation: Operation) -> None:
        if operation.kind.name == kind and operation.steps[operation.step].key == key:
            world.on_step = lambda operation: None
            act()

    world.on_step = look


async def begun(world: World, method: str, **how: Any) -> None:
    with suppress(XendError):
        await world.call(method, **how)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "is_checkpoint"), [*((key, False) for key in SAVE), *((key, True) for key in CHECKPOINT)]
)
def test_xend_is_killed_while_it_saves(tmp_path: Path, key: str, is_checkpoint: bool) -> None:
    """It runs on, machine and all, and no file is there; or it is ended, and the file is whole."""

    async def body(world: World, file: str) -> None:
        kill_at(world, "domain.save", key)
        how = {"domain": "example", "file": file, "checkpoint": is_checkpoint}
        world.soon(partial(begun, world, "domain.save", **how))
        await trio.sleep(3)
        await world.start_xend()
        await settled(world)
        if is_checkpoint or key in UNTIL_PLACED[:2]:
            await runs(world, 1)
            assert not os.path.exists(file)
            await world.call("domain.save", domain="example", file=file)
        assert await states(world) == []
        assert not world.models.running()
        await world.call("domain.restore", file=file)
        await runs(world, 2)

    saving(body, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("key", RESTORE)
def test_xend_is_killed_while_it_restores(tmp_path: Path, key: str) -> None:
    async def body(world: World, file: str) -> None:
        await world.call("domain.save", domain="example", file=file)
        kill_at(world, "domain.restore", key)
        world.soon(partial(begun, world, "domain.restore", file=file))
        await trio.sleep(30)
        await world.start_xend()
        await settled(world)
        if key != "start":
            assert await states(world) == []
            assert not world.models.running()
            await world.call("domain.restore", file=file)
        assert await states(world) == [("example", "running")]
        assert len(world.models.running()) == 1

    saving(body, tmp_path)


@pytest.mark.parametrize("key", ["suspend", "keep", "resume"])
def test_xend_is_killed_while_it_suspends_or_resumes(tmp_path: Path, key: str) -> None:
    """It runs, machine and all: a suspend is undone, a resume is done."""

    async def body(world: World, file: str) -> None:
        how = "resume" if key == "resume" else "suspend"
        if how == "resume":
            await world.call("domain.suspend", domain="example")
        kill_at(world, f"domain.{how}", key)
        world.soon(partial(begun, world, f"domain.{how}", domain="example"))
        await trio.sleep(3)
        await world.start_xend()
        await settled(world)
        await runs(world, 1)

    saving(body, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("key", SAVE)
def test_qemu_is_killed_while_it_is_saved(tmp_path: Path, key: str) -> None:
    """Its configuration says what becomes of it, and no file is there; or the file is whole."""

    async def body(world: World, file: str) -> None:
        before(world, "domain.save", key, lambda: kill_models(world))
        await begun(world, "domain.save", domain="example", file=file)
        await settled(world)
        if key in UNTIL_PLACED[:2]:
            assert await states(world) == [("example", "crashed")]
            assert not os.path.exists(file)
            return
        assert await states(world) == []
        await world.call("domain.restore", file=file)
        await runs(world, 2)

    saving(body, tmp_path, 'on_crash = "preserve"\n')


def kill_models(world: World) -> None:
    for each in world.models.running():
        each.send(signal.SIGKILL)


@pytest.mark.parametrize(
    "command",
    ["query-hotpluggable-cpus", "stop", "add-fd", "xen-save-devices-state", "remove-fd", "cont"],
)
def test_qemu_dies_at_a_command(tmp_path: Path, command: str) -> None:
    async def body(world: World, file: str) -> None:
        await begun(world, "domain.save", domain="example", file=file, checkpoint=True)
        await settled(world)
        assert await states(world) == [("example", "crashed")]
        assert os.path.exists(file) == (command == "cont")

    saving(body, tmp_path, 'on_crash = "preserve"\n', sim=f"die-at={command}")


@pytest.mark.slow
@pytest.mark.parametrize("key", RESTORE[RESTORE.index("model.await") :])
def test_qemu_is_killed_while_it_is_restored(tmp_path: Path, key: str) -> None:
    """Nothing is left of it, and it can be restored; or it ran, and crashed."""

    async def body(world: World, file: str) -> None:
        await world.call("domain.save", domain="example", file=file)
        before(world, "domain.restore", key, lambda: kill_models(world))
        await begun(world, "domain.restore", file=file)
        await settled(world)
        assert await states(world) == []
        assert not world.models.running()
        await world.call("domain.restore", file=file)
        assert await states(world) == [("example", "running")]

    saving(body, tmp_path)


class Dying(RefusingHypervisor):
    """Whose helper is killed in the middle of a save or a restore."""

    async def save(self, domid: int, fd: int, suspend: Callable[[], Awaitable[None]], checksum: Sum) -> Sum:
        await suspend()
        raise HypervisorError(errno.EIO, "the helper was killed")

    async def restore(self, domid: int, fd: int, image: Image, checksum: Sum) -> tuple[Rings, Sum]:
        raise HypervisorError(errno.EIO, "the helper was killed")


def test_the_helper_is_killed(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        await world.call("domain.save", domain="example", file=file, checkpoint=True)
        await world.kill_xend()
        world.wrap = Dying
        await world.start_xend()
        other = f"{file}.other"
        await refused(world, "hypervisor_failed", "was killed", domain="example", file=other)
        await runs(world, 1)
        assert not os.path.exists(other)
        await world.call("domain.destroy", domain="example")
        await refused(world, "hypervisor_failed", "was killed", "domain.restore", file=file)
        await settled(world)
        assert await states(world) == []

    saving(body, tmp_path)


def test_with_the_host_it_is_saved_too(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        assert await stop(world, all=True, save=True) == {"example": ("saved", None)}

    saving(body, tmp_path)
