"""Debian's qemu of Xen, as far as it runs without Xen: QMP, fewer rights, what it says as it fails."""

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import pytest
import trio

from tests.peers.daemons import lacking
from tests.xen.packages import cache
from tests.xen.userland import SUITES
from xend.config.disk import DiskConfig
from xend.domain.emulated_medium import insert
from xend.domain.hot_cpus import count_processors, plug_processors
from xend.domain.model_images import OpenedImage, by_descriptors, hold, opened_images, release, settle
from xend.domain.model_state import write_state
from xend.model.arguments import Shape, argv_of
from xend.model.image import Image, file_of, set_of
from xend.model.machine import Machine, drive_words, hardware_words
from xend.model.part import AHCI, IDE, SCSI, Drive, Part, Screen
from xend.model.qmp import Conversation, QmpError
from xend.model.scratch import Scratch
from xend.model.spice import Spice
from xend.model.system import Order, Process, SystemProcesses
from xend.model.tree import Tree

QEMU = "/usr/libexec/xen-qemu-system-i386"
QEMU_WITH_SANDBOX = "/usr/bin/qemu-system-x86_64"
#: A machine without Xen, as far as a device model plays it.
PLAYED = "pc,accel=qtest,suppress-vmdesc=on"
#: What Xen's accelerator makes of a state.
AS_UNDER_XEN = [
    word
    for name in ("store-global-state", "send-configuration", "send-section-footer")
    for word in ("-global", f"migration.{name}=off")
]
IDS = (2000100001, 2000100001)


@pytest.fixture(params=["", *SUITES.values()], ids=lambda suite: suite or "installed")
def qemu(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """This machine's, and those that tests/xen fetched, which find their own libraries and files."""
    if not request.param:
        need(QEMU)
        return QEMU
    root = cache() / request.param / "root"
    if not root.exists():
        pytest.skip(f"Debian {request.param} was not fetched (make test-xen XEN=...)")
    program = tmp_path_factory.mktemp("qemu") / "qemu"
    program.write_text(
        f"#!/bin/sh\nexec {root}/lib64/ld-linux-x86-64.so.2 --library-path {root}/usr/lib/x86_64-linux-gnu "
        f'{root}{QEMU} -L {root}/usr/share/qemu -L {root}/usr/share/seabios "$@"\n'
    )
    program.chmod(0o755)
    return str(program)


def version_of(qemu: str) -> tuple[int, int]:
    version = trio.run(SystemProcesses().version, qemu)
    assert version is not None
    return version


def shut_in(qemu: str, root: Path, **more: Any) -> list[str]:
    """The words by which one gives up its rights."""
    shape = Shape(
        domid=1,
        name="foo",
        memory_mib=1,
        parts=[],
        version=version_of(qemu),
        control="",
        statistics="",
        root=str(root),
        ids=IDS,
        **more,
    )
    words = argv_of(qemu, shape)
    end = words.index("-machine")
    return words[words.index("-nographic") + 1 : end] + words[words.index("-m", end) + 2 :]


Body = Callable[[Conversation, Process], Awaitable[None]]


async def started(
    tmp_path: Path, argv: Sequence[str], passed: Sequence[int] = (), tree: Tree | None = None
) -> Process:
    log = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        process = await SystemProcesses().start(
            Order(argv=argv, environment={"PATH": "/bin"}, log=log, files=passed, tree=tree)
        )
    finally:
        os.close(log)
    await process.go()
    return process


def converse(
    tmp_path: Path,
    machine: str,
    more: Sequence[str],
    body: Body | Sequence[Body],
    qemu: str,
    passed: Sequence[int] = (),
    tree: Tree | None = None,
) -> None:
    """Have talks with one that waits to be let run, but for one that has a tree."""

    async def main() -> None:
        socket = f"socket,id=c,path={tmp_path}/qmp,server=on,wait=off"
        argv = [qemu, "-nodefaults", "-no-user-config", "-machine", machine, "-nographic"]
        argv += ["-S"] if tree is None else []
        argv += ["-chardev", socket, "-mon", "chardev=c,mode=control", *more]
        process = await started(tmp_path, argv, passed, tree)
        try:
            with trio.fail_after(60):
                await talk(process)
        except BaseException:
            process.send(signal.SIGKILL)
            raise

    async def talk(process: Process) -> None:
        while not (tmp_path / "qmp").exists():
            await trio.sleep(0.01)
        for each in (body,) if callable(body) else body:
            stream = await SystemProcesses().connect(f"{tmp_path}/qmp")
            conversation = Conversation(stream, SystemProcesses().send_descriptor)
            await conversation.begin()
            await each(conversation, process)
            await stream.aclose()
        process.send(signal.SIGTERM)
        assert await process.wait() == 0

    trio.run(main)


def test_it_answers(tmp_path: Path, qemu: str) -> None:
    async def body(conversation: Conversation, process: Process) -> None:
        status = await conversation.ask("query-status")
        assert (status["status"], status["running"]) == ("prelaunch", False)
        with pytest.raises(QmpError, match="query-nothing") as caught:
            await conversation.ask("query-nothing")
        assert caught.value.is_refusal

    converse(tmp_path, "none,accel=qtest", (), body, qemu)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_it_gives_up_its_rights_and_answers(tmp_path: Path, qemu: str) -> None:
    gives_up_its_rights(tmp_path, qemu, "none,accel=qtest", has_sandbox=False)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_one_with_a_sandbox_gives_up_more(tmp_path: Path) -> None:
    need(QEMU_WITH_SANDBOX)
    gives_up_its_rights(tmp_path, QEMU_WITH_SANDBOX, "none", has_sandbox=True)


def gives_up_its_rights(tmp_path: Path, qemu: str, machine: str, has_sandbox: bool) -> None:
    root = tmp_path / "root"
    root.mkdir(mode=0)
    assert trio.run(SystemProcesses().has_sandbox, qemu) == has_sandbox

    async def body(conversation: Conversation, process: Process) -> None:
        assert (await conversation.ask("query-status"))["status"] == "prelaunch"
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert "Uid:\t2000100001\t2000100001\t2000100001\t2000100001" in status
        assert "NoNewPrivs:\t1" in status
        assert f"Seccomp:\t{2 if has_sandbox else 0}" in status
        assert os.readlink(f"/proc/{process.pid}/root") == str(root)

    converse(tmp_path, machine, shut_in(qemu, root, has_sandbox=has_sandbox), body, qemu)


@pytest.fixture
def on_disk() -> Iterator[Path]:
    """A directory where files are read past the cache, as in memory they are not."""
    with TemporaryDirectory(dir="/var/tmp") as name:
        probe = Path(name, "probe")
        probe.touch()
        try:
            os.close(os.open(probe, os.O_RDONLY | os.O_DIRECT))
        except OSError:
            pytest.skip("the file system of /var/tmp has no O_DIRECT")
        yield Path(name)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("is_direct", [False, True], ids=["cached", "direct"])
def test_it_opens_images_that_it_has_by_descriptors_only(
    tmp_path: Path, on_disk: Path, qemu: str, is_direct: bool
) -> None:
    """As its qdisk does: it looks what is at a name, and opens that when a monitor has come and gone."""
    root = tmp_path / "root"
    root.mkdir(mode=0)
    first, later = (
        Image(number=number, path=f"{on_disk}/{number}", is_read_only=False, is_direct=is_direct, label="")
        for number in (51712, 51728)
    )
    for image in (first, later):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image.path, "1M"], check=True)
        os.chmod(image.path, 0o600)
    tree = Tree(str(root), IDS, [(first.number, False)])

    def names(process: Process) -> dict[str, tuple[bool, int]]:
        found = Path(f"/proc/{process.pid}/root/dev/fdset").iterdir()
        return {each.name: (each.is_file(), each.stat().st_mode & 0o777) for each in found}

    async def look(conversation: Conversation, process: Process) -> None:
        assert "Uid:\t2000100001\t" in Path(f"/proc/{process.pid}/status").read_text()
        assert names(process) == {"51712": (True, 0)}
        assert list(root.iterdir()) == []  # it is nobody else's

    async def serve_the_first(conversation: Conversation, process: Process) -> None:
        await served(conversation, first)
        SystemProcesses().put_name(process.pid, process.start, later.number, False)
        assert names(process).keys() == {"51712", "51728"}
        with pytest.raises(ProcessLookupError):
            SystemProcesses().put_name(process.pid, "another", later.number, False)
        with ExitStack() as held:
            (found,) = opened_images([later], held)
            for _ in range(2):  # as where xend was killed behind the first time
                await hold(conversation, found)

    async def serve_the_other(conversation: Conversation, process: Process) -> None:
        await served(conversation, later)

    async def look_again(conversation: Conversation, process: Process) -> None:
        assert await conversation.ask("query-fdsets") == []

    bodies = (look, serve_the_first, serve_the_other, look_again)
    with ExitStack() as held:
        (found,) = opened_images([first], held)
        words = words_of(found) + shut_in(qemu, root)
        passed = [fd for fd, _ in found.files]
        converse(tmp_path, "none,accel=qtest", words, bodies, qemu, passed=passed, tree=tree)


def words_of(found: OpenedImage) -> list[str]:
    """By which one holds an image."""
    words = [word for fd, number in found.files for word in ("-add-fd", f"fd={fd},set={number}")]
    return words + [word for node in found.shown.nodes for word in ("-blockdev", json.dumps(node))]


#: What an image lies on, from the top down: its name in the header of the one above, and its format.
LAYERS = [
    ["base.qcow2 qcow2"],
    ["sub/middle.qcow2 qcow2", "../base.raw raw"],
    ["DIR/base.raw raw"],
]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("is_read_only", [False, True], ids=["rw", "ro"])
@pytest.mark.parametrize("below", LAYERS, ids=str)
def test_it_opens_an_image_on_others_by_descriptors_only(
    tmp_path: Path, qemu: str, below: list[str], is_read_only: bool
) -> None:
    """A stand-in takes no byte, and its disk has the image in its place before its guest runs."""
    (tmp_path / "root").mkdir(mode=0)
    (tmp_path / "images/sub").mkdir(parents=True)
    top = make_layers(tmp_path / "images", below)
    number = set_of(51712, is_layered=True)
    image = Image(
        number=number,
        path=str(top),
        is_read_only=is_read_only,
        is_layered=True,
        name="xvda",
        discards=True,
        label="",
    )

    async def serve(conversation: Conversation, process: Process) -> None:
        disk = {"driver": "raw", "node-name": "xvda-raw", "read-only": is_read_only, "discard": "unmap"}
        file = {"driver": "file", "filename": file_of(number), "locking": "off", "discard": "unmap"}
        await conversation.ask("blockdev-add", **disk, file={**file, "read-only": is_read_only})
        for words in ("length", "write 0 512"):
            await io(conversation, words)
        for _ in range(2):  # as where xend was killed behind the first time
            await settle(conversation, image)
        for words in ("read -P 0x42 0 512", "write -P 0x43 4096 512"):
            await io(conversation, words)

    async def close(conversation: Conversation, process: Process) -> None:
        assert [each["fds"] for each in await conversation.ask("query-fdsets")] == [[]] * (1 + len(below))
        await conversation.ask("blockdev-del", **{"node-name": "xvda-raw"})
        assert await conversation.ask("query-named-block-nodes") == []
        assert await conversation.ask("query-fdsets") == []

    with ExitStack() as held:
        (found,) = opened_images([image], held)
        passed = [fd for fd, _ in found.files]
        words = words_of(found) + shut_in(qemu, tmp_path / "root")
        tree = Tree(str(tmp_path / "root"), IDS, [(number, found.shown.is_device)])
        converse(tmp_path, "none,accel=qtest", words, (serve, close), qemu, passed=passed, tree=tree)
    refused, written = "Operation not permitted", "wrote 512/512 bytes at offset 4096"
    said = (tmp_path / "log").read_text()
    assert "2 MiB" in said
    assert "read 512/512 bytes at offset 0" in said
    assert "verification failed" not in said
    assert ("wrote 512/512 bytes at offset 0" in said, written in said) == (False, not is_read_only)
    assert (refused in said) is not is_read_only
    words = ["qemu-io", "-f", "qcow2", "-c", f"read -P {0 if is_read_only else 0x43} 4096 512", str(top)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.stdout.startswith("read 512/512"), done


def make_layers(folder: Path, below: list[str]) -> Path:
    """The top of images that lie on each other, of which the lowest begins with a sector of 0x42."""
    top, above = folder / "top.qcow2", folder / "top.qcow2"
    made: list[list[str | Path]] = []
    for each in below:
        name, form = each.replace("DIR", str(folder)).split()
        made.insert(0, ["qemu-img", "create", "-q", "-f", "qcow2", "-b", name, "-F", form, above])
        above = Path(os.path.normpath(above.parent / name))
    subprocess.run(["qemu-img", "create", "-q", "-f", form, above, "2M"], check=True)
    subprocess.run(
        ["qemu-io", "-f", form, "-c", "write -P 0x42 0 512", above], check=True, capture_output=True
    )
    for words in made:
        subprocess.run(words, check=True)
    for path in folder.rglob("*.*"):
        path.chmod(0o600)
    return top


async def io(conversation: Conversation, words: str) -> None:
    """Have qemu-io do something with the disk; it says what comes of it in the log, once that is written."""
    asked = {"command-line": f'qemu-io xvda-raw "{words}"'}
    await conversation.ask("human-monitor-command", **asked)


async def served(conversation: Conversation, image: Image) -> None:
    """As by a backend, until that closes."""
    name = {"node-name": "backend"}
    direct = {"cache": {"direct": True}} if image.is_direct else {}  # qdisk adds aio=native, which few can
    await conversation.ask(
        "blockdev-add",
        driver="qcow2",
        file={"driver": "file", "filename": file_of(image.number), "locking": "off", **direct},
        **name,
    )
    await release(conversation, image.number)
    (stats,) = [each for each in await conversation.ask("query-named-block-nodes") if each["drv"] == "qcow2"]
    assert stats["image"]["virtual-size"] == 1 << 20
    await conversation.ask("blockdev-del", **name)


def test_whether_it_asks_for_passwords(qemu: str) -> None:
    assert not trio.run(SystemProcesses().asks_for_password, qemu)
    assert trio.run(SystemProcesses().asks_for_password, "/bin/false")


def test_it_shows_a_screen_by_spice(tmp_path: Path, qemu: str) -> None:
    assert trio.run(SystemProcesses().has_spice, qemu)
    assert not trio.run(SystemProcesses().has_spice, "/bin/false")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    spice = Spice(
        port=port,
        host="127.0.0.1",
        password="x",
        has_agent=True,
        image_compression="glz",
        streaming_video="all",
    )

    async def body(conversation: Conversation, process: Process) -> None:
        await conversation.ask("set_password", protocol="spice", password="x")
        found = await conversation.ask("query-spice")
        assert (found["enabled"], found["host"], found["port"], found["auth"]) == (
            True, "127.0.0.1", port, "spice",
        )  # fmt: skip

    machine = Machine(vga="cirrus")
    converse(tmp_path, PLAYED, (*hardware_words(machine, [Part(spice=spice)], False),), body, qemu)


def test_which_one_it_is(qemu: str) -> None:
    assert version_of(qemu) >= (7, 2)
    assert trio.run(SystemProcesses().version, "/bin/true") is None


#: What of a machine it takes without Xen: all but network cards, whose taps are made as it starts.
MACHINES = [
    Machine(vga="cirrus", serial=["null"], usb_devices=["tablet"], sound="hda", max_vcpus=3, boot="dc"),
    Machine(vga="stdvga", video_mib=16, usb_version=1, sound="es1370", has_acpi=False),
    Machine(vga="none", usb_version=2, sound="ac97", nographic=True),
    Machine(vga="none", usb_version=3, sound="sb16"),
]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("machine", MACHINES)
def test_it_knows_all_words_of_a_machine(tmp_path: Path, qemu: str, machine: Machine) -> None:
    """And changes discs, though it sees none of the host's files any more, and takes processors."""
    (tmp_path / "root").mkdir(mode=0)
    for name in ("disk", "disc"):
        (tmp_path / name).write_bytes(bytes(4096))
    places = [(IDE, 0), (AHCI, 1), (SCSI, 2)]
    parts = [
        Part(drive=Drive(bus=bus, number=number, devid=0, path=f"{tmp_path}/disk", is_read_only=bus == SCSI))
        for bus, number in places[:: 2 if machine.has_acpi else 1]
    ]
    drive = DiskConfig(target=None, vdev="hdc", devid=5632, name="hdc", is_cdrom=True)
    parts.append(Part(drive=Drive(bus=IDE, number=2, devid=5632, path=None, is_cdrom=True)))
    words = [*hardware_words(machine, parts, False, version_of(qemu)), *drive_words(machine, parts)]
    words = [word.replace("cache=writeback", "cache=writeback,file.locking=off") for word in words]

    async def body(conversation: Conversation, process: Process) -> None:
        assert await medium(conversation) is None
        for _ in range(2):
            fd = os.open(tmp_path / "disc", os.O_RDONLY)
            await insert(conversation, drive, fd)
            os.close(fd)
            assert await medium(conversation) == 4096
            await conversation.ask("eject", id="ide-5632")
            assert await medium(conversation) is None
        await plug_processors(conversation, machine.max_vcpus)
        await plug_processors(conversation, machine.max_vcpus)
        assert len(await conversation.ask("query-cpus-fast")) == machine.max_vcpus

    place = f"{PLAYED}{'' if machine.has_acpi else ',acpi=off'}"
    converse(tmp_path, place, (*words, *shut_in(qemu, tmp_path / "root")), body, qemu)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("processors", [1, 3])
def test_its_state_goes_to_a_file_and_another_one_goes_on_with_it(
    tmp_path: Path, qemu: str, processors: int
) -> None:
    """Though neither sees any of the host's files: by descriptors; with the processors that it got."""
    (tmp_path / "root").mkdir(mode=0)
    machine = Machine(vga="cirrus", serial=["null"], usb_devices=["tablet"], max_vcpus=3)
    words = [*shut_in(qemu, tmp_path / "root"), *AS_UNDER_XEN]
    (tmp_path / "disk").write_bytes(bytes(4096))
    os.chmod(tmp_path / "disk", 0o600)
    parts = [Part(drive=Drive(bus=IDE, number=0, devid=0, path=f"{tmp_path}/disk"))]
    scratches: list[Scratch] = []

    async def save(conversation: Conversation, process: Process) -> None:
        await plug_processors(conversation, processors)
        assert await count_processors(conversation) == processors
        await conversation.ask("stop")
        scratch = Scratch(tmp_path, 1 << 20)
        await write_state(conversation, scratch)
        scratch.seal()
        scratches.append(scratch)
        await conversation.ask("cont")

    converse(tmp_path, PLAYED, (*played(machine, parts), *words), save, qemu)
    os.unlink(tmp_path / "qmp")
    (scratch,) = scratches
    assert 1000 < scratch.size < 1 << 20
    assert os.pread(scratch.fd, 4, 0) == b"QEVM"
    kept = Scratch(tmp_path, scratch.size)
    kept.take(scratch.fd, 0, scratch.size)
    kept.seal()

    async def load(conversation: Conversation, process: Process) -> None:
        with trio.fail_after(60):
            while (await conversation.ask("query-status"))["status"] == "inmigrate":
                await trio.sleep(0.01)
        assert (await conversation.ask("query-status"))["status"] == "paused"  # -S has it wait
        await conversation.ask("cont")
        (disk,) = [each["inserted"] for each in await conversation.ask("query-block") if "inserted" in each]
        assert not disk["ro"]

    again = attrs.evolve(machine, vcpus=processors)
    with ExitStack() as opened:
        parts, files = by_descriptors(parts, opened)
        words += ["-incoming", f"fd:{kept.fd}"]
        words += [word for fd, number in files for word in ("-add-fd", f"fd={fd},set={number}")]
        passed = [kept.fd, *(fd for fd, _ in files)]
        converse(tmp_path, PLAYED, (*played(again, parts), *words), load, qemu, passed)
    for each in (scratch, kept):
        each.close()


def played(machine: Machine, parts: Sequence[Part]) -> list[str]:
    return [*hardware_words(machine, parts, False), *drive_words(machine, parts)]


async def medium(conversation: Conversation) -> int | None:
    """The size of the disc in the drive."""
    for each in await conversation.ask("query-block"):
        if each["device"] == "ide-5632":
            return int(each["inserted"]["image"]["virtual-size"]) if "inserted" in each else None
    raise AssertionError("it has no such drive")


def test_without_xen_it_says_why_it_ends(tmp_path: Path, qemu: str) -> None:
    if os.path.exists("/dev/xen/privcmd"):
        lacking("this is a dom0")
    shape = Shape(
        domid=1,
        name="foo",
        memory_mib=64,
        parts=[Part(screen=Screen())],
        control=f"{tmp_path}/qmp",
        statistics=f"{tmp_path}/stat",
    )

    async def main() -> None:
        process = await started(tmp_path, argv_of(qemu, shape))
        with trio.fail_after(60):
            assert await process.wait() == 1

    trio.run(main)
    assert "xen" in (tmp_path / "log").read_text()


def need(program: str) -> None:
    if shutil.which(program) is None:
        lacking(f"{program} is missing: apt-get install qemu-system-xen qemu-system-x86")
