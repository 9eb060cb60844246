"""NetBSD, over a kernel and programs of the test's own."""

import os
import stat
import struct

import pytest

from xend.disk import Extent, Identity, Use
from xend.disk.netbsd import CGDIOCGET, DIOCGDINFO, DIOCGWEDGEINFO, VNDIOCGET, NetBSDDisks
from xend.disk.netbsd_kernel import Kernel, NetBSDKernel

#: Name, major of character nodes, major of block nodes, as amd64 has some of them.
DRIVERS = [
    ("cons", 0, -1), ("wd", 3, 0), ("sd", 13, 4), ("vnd", 41, 14), ("cgd", 99, 19), ("raid", 54, 18),
    ("dk", 168, 168), ("dm", 169, 169),
]  # fmt: skip
#: Offset and size of partitions, in sectors, by unit; x86's c is the part that is NetBSD's, d the whole disk.
LABELS = {
    "rwd0d": (
        512, {0: (64, 1000), 1: (1064, 500), 2: (64, 9000), 3: (0, 10000), 4: (1564, 7500), 9: (9064, 36)}
    ),
    "rsd0d": (4096, {3: (0, 10000), 4: (10, 20)}),
    "rvnd0d": (512, {0: (8, 16), 3: (0, 64)}),
}  # fmt: skip
WEDGES = {"rdk0": (b"wd1", 34, 100), "rdk1": (b"wd1", 134, 100), "rdk2": (b"sd0", 5, 7)}
NODES = {
    "/dev/wd0e": (stat.S_IFBLK, 0, 4), "/dev/wd1d": (stat.S_IFBLK, 0, 11), "/dev/dk1": (stat.S_IFBLK, 168, 1),
    "/dev/wd0b": (stat.S_IFBLK, 0, 1),
}  # fmt: skip
SAID = {
    "raidctl -s raid0": "Components:\n    /dev/wd0e: optimal\n    /dev/dk1: failed\nNo spares.\n",
    "dmsetup deps -j 169 -m 2": "2 dependencies\t: (0, 4) (168, 1)\n",
    "mount": "/dev/wd0e on / type ffs (local, noatime)\nkernfs on /kern type kernfs (local)\n"
    "/dev/dk1 on /x on y type ffs (NFS exported, local, read-only)\n/dev/none on /z type ffs (local)\n",
    "swapctl -l": "Device      1K-blocks     Used    Avail Capacity  Priority\n"
    "/dev/wd0b      524288        0   524288     0%    0\n",
}  # fmt: skip


class Machine(Kernel):
    """A NetBSD that is asked."""

    def stat(self, path: str) -> os.stat_result:
        if path not in NODES:
            raise FileNotFoundError(path)
        return status(*NODES[path])

    def drivers(self) -> list[tuple[str, int, int]]:
        return DRIVERS

    def raw_partition(self) -> int:
        return 3

    def ask(self, node: str, request: int, argument: bytes) -> bytes | None:
        if request == DIOCGDINFO and node in LABELS:
            return label(*LABELS[node])
        if request == DIOCGWEDGEINFO and node in WEDGES:
            parent, offset, size = WEDGES[node]
            return struct.pack("=16s128s16sqQ32s", node[1:].encode(), b"root", parent, offset, size, b"ffs")
        if request == VNDIOCGET and node == "rvnd0d":
            unit, _, _ = struct.unpack("=i4xQQ", argument)
            return struct.pack("=i4xQQ", unit, 0x1234, 77)
        if request == VNDIOCGET and node == "rvnd1d":
            return struct.pack("=i4xQQ", 1, 0, 0)
        if request == CGDIOCGET and node == "rcgd0d":
            return struct.pack("=i4xQ32sQii", 0, os.makedev(0, 4), b"aes-xts", 8, 1, 512)
        return None

    def run(self, *argv: str) -> str:
        return SAID.get(" ".join(argv), "")


def label(sector_bytes: int, partitions: dict[int, tuple[int, int]]) -> bytes:
    """As DIOCGDINFO gives it."""
    data = bytearray(408)
    struct.pack_into("=I", data, 40, sector_bytes)
    for number, (offset, size) in partitions.items():
        struct.pack_into("=2I", data, 148 + 16 * number, size, offset)
    return bytes(data)


def status(kind: int, major: int, minor: int) -> os.stat_result:
    fields = (kind | 0o640, 5, 6, 1, 0, 0, 0, 0, 0, 0)
    return os.stat_result(fields, {"st_rdev": os.makedev(major, minor)})


WD0 = Extent(("disk", "wd", 0))
WD0E = WD0.part(1564 * 512, 7500 * 512)
WD1 = Extent(("disk", "wd", 1))
SD0 = Extent(("disk", "sd", 0))
FILE = Extent(("file", 0x1234, 77))
DK1 = WD1.part(134 * 512, 100 * 512)
IDENTITIES: list[tuple[str, int, int, int, Extent, set[Extent]]] = [
    ("wd0e", stat.S_IFBLK, 0, 4, WD0E, set()),
    ("rwd0e", stat.S_IFCHR, 3, 4, WD0E, set()),
    ("wd0d", stat.S_IFBLK, 0, 3, WD0, set()),
    ("wd0c", stat.S_IFBLK, 0, 2, WD0.part(64 * 512, 9000 * 512), set()),
    ("wd0j, beyond the first eight", stat.S_IFBLK, 0, 524288 + 1, WD0.part(9064 * 512, 36 * 512), set()),
    ("wd0f, which the label has not", stat.S_IFBLK, 0, 5, WD0, set()),
    ("wd1a, of a disk without a label", stat.S_IFBLK, 0, 8, WD1, set()),
    ("sd0e, of large sectors", stat.S_IFCHR, 13, 4, SD0.part(40960, 81920), set()),
    ("dk0", stat.S_IFBLK, 168, 0, WD1.part(34 * 512, 100 * 512), set()),
    ("rdk1", stat.S_IFCHR, 168, 1, DK1, set()),
    ("dk2, of large sectors", stat.S_IFBLK, 168, 2, SD0.part(5 * 4096, 7 * 4096), set()),
    ("dk7, which is none", stat.S_IFBLK, 168, 7, Extent(("disk", "dk", 7)), set()),
    ("vnd0d", stat.S_IFBLK, 14, 3, FILE, set()),
    ("rvnd0a", stat.S_IFCHR, 41, 0, FILE.part(8 * 512, 16 * 512), set()),
    ("vnd1d, without a file", stat.S_IFBLK, 14, 11, Extent(("disk", "vnd", 1)), set()),
    ("cgd0d", stat.S_IFBLK, 19, 3, Extent(("disk", "cgd", 0)), {WD0E}),
    ("raid0d", stat.S_IFBLK, 18, 3, Extent(("disk", "raid", 0)), {WD0E, DK1}),
    ("a volume", stat.S_IFBLK, 169, 2, Extent(("disk", "dm", 2)), {WD0E, DK1}),
    ("its raw node", stat.S_IFCHR, 169, 2, Extent(("disk", "dm", 2)), {WD0E, DK1}),
    ("another volume", stat.S_IFBLK, 169, 3, Extent(("disk", "dm", 3)), set()),
    ("no disk", stat.S_IFCHR, 77, 0, Extent(("character", 77, 0)), set()),
]


@pytest.fixture
def disks() -> NetBSDDisks:
    return NetBSDDisks(Machine(), "amd64")


@pytest.mark.parametrize(("name", "kind", "major", "minor", "own", "below"), IDENTITIES)
def test_what_a_node_is(
    disks: NetBSDDisks, name: str, kind: int, major: int, minor: int, own: Extent, below: set[Extent]
) -> None:
    assert disks.of_node(status(kind, major, minor)) == Identity(own, frozenset(below))


def test_other_machines_number_partitions_one_after_the_other() -> None:
    disks = NetBSDDisks(Machine(), "aarch64")
    assert disks.of_node(status(stat.S_IFBLK, 0, 4)).own == WD0E
    assert disks.of_node(status(stat.S_IFBLK, 0, 16 + 3)).own == WD1


def test_what_dom0_has_mounted(disks: NetBSDDisks) -> None:
    assert list(disks.used_by_dom0()) == [
        Use(Identity(WD0E), "/dev/wd0e", "mounted on /", True),
        Use(Identity(DK1), "/dev/dk1", "mounted on /x on y", False),
        Use(Identity(WD0.part(1064 * 512, 500 * 512)), "/dev/wd0b", "in use for swapping", True),
    ]


def test_numbers_of_requests() -> None:
    """_IOR and _IOWR of sys/ioccom.h, over the sizes of their structures (LP64)."""
    read, both = 0x40000000, 0xC0000000
    assert read | 408 << 16 | ord("d") << 8 | 101 == DIOCGDINFO
    assert read | 208 << 16 | ord("d") << 8 | 122 == DIOCGWEDGEINFO
    assert both | 24 << 16 | ord("F") << 8 | 3 == VNDIOCGET
    assert both | 64 << 16 | ord("F") << 8 | 20 == CGDIOCGET


class Sysctl(NetBSDKernel):
    """The kernel's variables."""

    def _sysctl(self, name: bytes) -> bytes:
        table = b"".join(struct.pack("=ii24s", c, b, name.encode()) for name, c, b in DRIVERS)
        return {b"kern.drivers": table, b"kern.rawpartition": struct.pack("=i", 2)}[name]


def test_the_kernel_s_table_of_drivers() -> None:
    assert Sysctl().drivers() == DRIVERS
    assert Sysctl().raw_partition() == 2


def test_what_cannot_be_asked_is_not_known() -> None:
    kernel = NetBSDKernel()
    assert kernel.ask("no/such", DIOCGDINFO, bytes(408)) is None
    assert kernel.ask("null", DIOCGDINFO, bytes(408)) is None
    assert kernel.run("no-such-program-at-all") == ""
