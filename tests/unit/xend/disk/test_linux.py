"""Linux: a sysfs of the test's own for what this kernel may lack, the kernel's own for files and loops."""

import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.peers.daemons import need
from tests.scripts.conftest import loops  # noqa: F401  # a fixture
from xend.disk import Extent, Identity, Use
from xend.disk.linux import Backing, LinuxDisks

#: MAJOR:MINOR, path below /sys/devices, its files, the devices it lies on.
DEVICES: list[tuple[str, str, dict[str, str], list[str]]] = [
    ("8:0", "pci/sda", {}, []),
    ("8:1", "pci/sda/sda1", {"partition": "1", "start": "2048", "size": "4096"}, []),
    ("8:2", "pci/sda/sda2", {"partition": "2", "start": "6144", "size": "4096"}, []),
    ("8:16", "pci/sdb", {}, []),
    ("253:0", "virtual/dm-0", {}, ["pci/sda/sda1"]),
    ("253:1", "virtual/dm-1", {}, ["pci/sda/sda1", "pci/sdb"]),
    ("253:2", "virtual/dm-2", {}, ["virtual/dm-0"]),
    ("9:0", "virtual/md0", {}, ["pci/sda/sda2", "virtual/loop7"]),
    ("259:0", "virtual/md0/md0p1", {"partition": "1", "start": "8", "size": "16"}, []),
    ("7:7", "virtual/loop7", {"loop/backing_file": "/vm/image"}, []),
    ("259:7", "virtual/loop7/loop7p1", {"partition": "1", "start": "1", "size": "2"}, []),
    ("7:8", "virtual/loop8", {"loop/backing_file": "/dev/sdb"}, []),
    ("7:9", "virtual/loop9", {"loop/backing_file": "/vm/removed (deleted)"}, []),
    ("7:10", "virtual/loop10", {}, []),
]
LOOPS = {
    "loop7": Backing(64, 11, 0, 4096, 1 << 20),
    "loop8": Backing(6, 94, os.makedev(8, 16), 512, 0),
    "loop9": Backing(64, 12, 64, 0, 0),
}
FILE = Extent(("file", 64, 11), 4096, 4096 + (1 << 20))
SDA1 = Extent(("block", "8:0"), 1 << 20, (1 << 20) + 4096 * 512)
SDA2 = Extent(("block", "8:0"), 6144 * 512, 10240 * 512)
SDB = Extent(("block", "8:16"))
DM0 = Extent(("block", "253:0"))
MD0 = Extent(("block", "9:0"))

IDENTITIES: list[tuple[str, Extent, set[Extent]]] = [
    ("8:0", Extent(("block", "8:0")), set()),
    ("8:1", SDA1, set()),
    ("8:2", SDA2, set()),
    ("253:0", DM0, {SDA1}),
    ("253:1", Extent(("block", "253:1")), {SDA1, SDB}),
    ("253:2", Extent(("block", "253:2")), {DM0, SDA1}),
    ("9:0", MD0, {SDA2, FILE}),
    ("259:0", MD0.part(4096, 8192), {SDA2, FILE}),
    ("7:7", FILE, set()),
    ("259:7", FILE.part(512, 1024), set()),
    ("7:8", SDB.part(512, None), set()),
    ("7:9", Extent(("file", 64, 12)), set()),
    ("7:10", Extent(("block", "7:10")), set()),
    ("180:3", Extent(("block", "180:3")), set()),
]


class Host(LinuxDisks):
    """A host below a directory; its nodes are known by their names."""

    def __init__(self, top: Path) -> None:
        self.top = top
        super().__init__(str(top / "sys"), str(top / "proc"), "/dev", self._ask)

    def stat(self, path: str) -> os.stat_result:
        for number, where, _, _ in DEVICES:
            if path == f"/dev/{Path(where).name}":
                return status(stat.S_IFBLK, number)
        raise FileNotFoundError(path)

    def _ask(self, path: str) -> Backing:
        return LOOPS[Path(path).name]


def status(kind: int, number: str) -> os.stat_result:
    device = os.makedev(*map(int, number.split(":")))
    return os.stat_result((kind | 0o600, 5, 6, 1, 0, 0, 0, 0, 0, 0), {"st_rdev": device})


@pytest.fixture
def host(tmp_path: Path) -> Host:
    for number, where, files, lower in DEVICES:
        device = tmp_path / "sys/devices" / where
        for name, text in {"dev": number, **files}.items():
            (device / name).parent.mkdir(parents=True, exist_ok=True)
            (device / name).write_text(f"{text}\n")
        for other in lower:
            (device / "slaves").mkdir(exist_ok=True)
            (device / "slaves" / Path(other).name).symlink_to(tmp_path / "sys/devices" / other)
        link = tmp_path / "sys/dev/block" / number
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(device)
    (tmp_path / "proc/self").mkdir(parents=True)
    return Host(tmp_path)


@pytest.mark.parametrize(("number", "own", "below"), IDENTITIES)
def test_what_a_device_is(host: Host, number: str, own: Extent, below: set[Extent]) -> None:
    assert host.of_node(status(stat.S_IFBLK, number)) == Identity(own, frozenset(below))


def test_a_character_device_is_no_block_device_of_its_number(host: Host) -> None:
    found = host.of_node(status(stat.S_IFCHR, "8:0"))
    assert found.relation(host.of_number("8:0")) is None


def test_devices_that_lie_on_each_other_in_a_circle_end(host: Host) -> None:
    slave = host.top / "sys/devices/pci/sdb/slaves/dm-1"
    slave.parent.mkdir()
    slave.symlink_to(host.top / "sys/devices/virtual/dm-1")
    assert SDB in host.of_number("253:1").below


MOUNTINFO = r"""22 27 0:21 / /proc rw - proc proc rw
27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,discard
28 27 8:1 /x /bound ro - ext4 /dev/sda1 rw
29 27 8:2 / /with\040blank rw - iso9660 /dev/sda2 ro
30 27 0:44 / /pool rw - btrfs /dev/dm-2 rw,subvol=/
31 27 0:45 / /gone rw - btrfs /dev/gone rw
32 27 0:46 / /net rw - nfs server:/export rw
"""
SWAPS = """Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority
/dev/loop7                              partition\t1\t0\t-2
/no/such                                file\t\t1\t0\t-3
"""


def test_what_dom0_has_mounted(host: Host) -> None:
    (host.top / "proc/self/mountinfo").write_text(MOUNTINFO)
    (host.top / "proc/swaps").write_text(SWAPS)
    for name in ("dm-2", "sdb"):
        device = host.top / "sys/fs/btrfs/UUID/devices" / name
        device.parent.mkdir(parents=True, exist_ok=True)
        where = next(where for _, where, _, _ in DEVICES if Path(where).name == name)
        device.symlink_to(host.top / "sys/devices" / where)
    assert sorted(host.used_by_dom0(), key=lambda use: use.name) == [
        Use(host.of_number("253:2"), "/dev/dm-2", "mounted on /pool", True),
        Use(host.of_number("7:7"), "/dev/loop7", "in use for swapping", True),
        Use(host.of_number("8:1"), "/dev/sda1", "mounted on /", True),
        Use(host.of_number("8:2"), "/dev/sda2", "mounted on /with blank", False),
        Use(host.of_number("8:16"), "/dev/sdb", "mounted on /pool", True),
    ]


def test_a_host_without_proc_has_nothing_mounted(host: Host) -> None:
    assert list(host.used_by_dom0()) == []


# --- the kernel's own --------------------------------------------------------------------------------------


def test_names_of_one_file(tmp_path: Path) -> None:
    disks = LinuxDisks()
    image = tmp_path / "image"
    image.write_bytes(bytes(512))
    os.link(image, tmp_path / "hard")
    (tmp_path / "soft").symlink_to("hard")
    names = ("image", "hard", "soft", "./image", f"../{tmp_path.name}/soft", "/image")
    assert {disks.of_path(f"{tmp_path}/{name}") for name in names} == {disks.of_path(str(image))}
    (tmp_path / "copy").write_bytes(bytes(512))
    assert disks.of_path(str(tmp_path / "copy")).relation(disks.of_path(str(image))) is None
    with pytest.raises(FileNotFoundError):
        disks.of_path(str(tmp_path / "none"))


@pytest.fixture
def attach(loops: None) -> Iterator[Callable[..., str]]:  # noqa: F811
    """Takes a loop device: (file, words of losetup ...)."""
    with ExitStack() as stack:

        def take(path: object, *words: str) -> str:
            argv = ["losetup", "--find", "--show", *words, str(path)]
            device = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
            stack.callback(subprocess.run, ["losetup", "-d", device], check=True)
            return device

        yield take


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(bytes(1 << 20))
    return path


def test_a_loop_device_is_its_file(image: Path, attach: Callable[..., str]) -> None:
    disks = LinuxDisks()
    file = disks.of_path(str(image))
    first, second = attach(image), attach(image, "--read-only")
    assert disks.of_path(first) == disks.of_path(second) == file
    assert disks.of_path(attach(first)) == file
    tail = attach(image, "--offset", "4096", "--sizelimit", "8192")
    assert disks.of_path(tail) == file.part(4096, 8192)
    os.rename(image, image.with_name("renamed"))
    assert disks.of_path(first) == file


def test_a_loop_device_that_may_not_be_opened_is_its_file(image: Path, attach: Callable[..., str]) -> None:
    def refuse(path: str) -> Backing:
        raise PermissionError(path)

    device = attach(image, "--offset", "4096")
    assert LinuxDisks(ask_loop=refuse).of_path(device) == LinuxDisks().of_path(device)


def test_partitions_of_a_loop_device(image: Path, attach: Callable[..., str]) -> None:
    need(Path("addpart"))
    disks = LinuxDisks()
    device = attach(image, "--partscan")
    file = disks.of_path(str(image))
    for number, start in ((1, 64), (2, 1024)):
        subprocess.run(["addpart", device, str(number), str(start), "512"], check=True)
    parts = [disks.of_path(f"{device}p{number}") for number in (1, 2)]
    assert parts == [file.part(64 * 512, 512 * 512), file.part(1024 * 512, 512 * 512)]
    assert parts[0].relation(parts[1]) is None


def test_a_loop_device_that_is_mounted(tmp_path: Path, attach: Callable[..., str]) -> None:
    need(Path("mkfs.ext4"))
    image, directory = tmp_path / "image", tmp_path / "mounted here"
    image.write_bytes(bytes(4 << 20))
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    directory.mkdir()
    device = attach(image)
    subprocess.run(["mount", "-o", "ro,noload", device, directory], check=True)
    try:
        uses = [use for use in LinuxDisks().used_by_dom0() if use.name == device]
        assert uses == [Use(LinuxDisks().of_path(str(image)), device, f"mounted on {directory}", False)]
    finally:
        subprocess.run(["umount", directory], check=True)
