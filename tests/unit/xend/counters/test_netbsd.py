"""NetBSD's counters, from structures as its kernel (amd64) hands them out."""

import struct
from collections.abc import Mapping

import pytest

from xend.counters import DiskCounters, InterfaceCounters, Place, system_counters
from xend.counters.netbsd import IF_DATA, IOSTAT, SIOCGIFDATA, CountingKernel, NetBSDCounters


def interface(name: str, *counters: int) -> bytes:
    """struct ifdatareq, 152 bytes: name, type, lengths, link state, and numbers of 64 bits."""
    numbers = (1500, 0, 10**9, *counters)
    time = struct.pack("=QQ", 1_790_000_000, 0)
    return name.encode().ljust(16, b"\0") + bytes((6, 6, 14, 0)) + struct.pack("=i14Q", 2, *numbers) + time


def disk(name: str, reads: int, read_bytes: int, writes: int, written_bytes: int) -> bytes:
    """struct io_sysctl, 104 bytes."""
    head = name.encode().ljust(16, b"\0") + struct.pack(
        "=ii3Q", 0, 0, reads + writes, 0, read_bytes + written_bytes
    )
    return head + struct.pack("=6I", *range(6)) + struct.pack("=4Q", reads, read_bytes, writes, written_bytes)


class Machine(CountingKernel):
    """A NetBSD with two guests' interfaces; xvif9i0 goes as it is asked."""

    def interface_names(self) -> list[str]:
        return ["wm0", "bridge0", "xvif3i0", "xvif3i1", "xvif9i0", "xvif3i0x", "lo0"]

    def interface_data(self, name: str) -> bytes | None:
        ipackets, ierrors, opackets, oerrors, collisions, ibytes, obytes = 60, 1, 150, 3, 77, 5400, 1 << 40
        if name == "xvif9i0":
            return None
        assert name in ("xvif3i0", "xvif3i1")
        return interface(
            name, ipackets, ierrors, opackets, oerrors, collisions, ibytes, obytes, 88, 89, 2, 90
        )

    def io_statistics(self) -> bytes:
        rows = [("wd0", 1, 512, 1, 512), ("vnd0", 240, 5120 * 512, 12, 96 * 512), ("dk1", 5, 511, 6, 1024)]
        return b"".join(disk(*row) for row in [*rows, ("vnd12", 1, 1536, 2, 0)]) + b"half a row"

    def block_drivers(self) -> Mapping[int, str]:
        return {0: "wd", 14: "vnd", 168: "dk"}


def dev_t(major: int, minor: int) -> str:
    """As stat -f %r prints it: sys/types.h, makedev()."""
    return str((major << 8 & 0x000FFF00) | (minor << 12 & 0xFFF00000) | (minor & 0xFF))


def test_the_layouts_have_the_kernels_sizes() -> None:
    assert (IF_DATA.size, IOSTAT.size) == (SIOCGIFDATA >> 16 & 0x1FFF, 104)
    assert len(interface("xvif1i0", *range(11))) == IF_DATA.size
    assert len(disk("wd0", 1, 2, 3, 4)) == IOSTAT.size


@pytest.mark.trio
async def test_interfaces() -> None:
    expected = InterfaceCounters(
        rx_bytes=5400, rx_packets=60, rx_errors=1, rx_dropped=2,
        tx_bytes=1 << 40, tx_packets=150, tx_errors=3, tx_dropped=0,
    )  # fmt: skip
    assert await NetBSDCounters(Machine(), "amd64").interfaces() == {(3, 0): expected, (3, 1): expected}


#: Whole units are partition d: minor 3 of unit 0, 8 * 12 + 3 of unit 12.
NUMBERS = {
    (3, 0): dev_t(14, 3),
    (3, 1): dev_t(14, 8 * 12 + 3),
    (3, 2): dev_t(168, 1),
    (3, 3): dev_t(0, 4),  # a partition of wd0
    (3, 4): dev_t(99, 1),  # nobody's
    (3, 5): dev_t(14, 8 * 5 + 3),  # a vnd that is gone
    (3, 6): None,
    (3, 7): "7:0",
    (3, 8): "",
}


async def number_of(place: Place) -> str | None:
    return NUMBERS[place]


@pytest.mark.trio
async def test_disks_that_are_a_guests_own() -> None:
    counted = await NetBSDCounters(Machine(), "amd64").disks(NUMBERS, number_of)
    assert counted == {
        (3, 0): DiskCounters(
            out_of_requests=None, reads=240, writes=12, read_sectors=5120, written_sectors=96
        ),
        (3, 1): DiskCounters(out_of_requests=None, reads=1, writes=2, read_sectors=3, written_sectors=0),
        (3, 2): DiskCounters(out_of_requests=None, reads=5, writes=6, read_sectors=0, written_sectors=2),
    }


@pytest.mark.trio
@pytest.mark.parametrize(("machine", "minor"), [("amd64", 8 * 12 + 3), ("evbarm", 16 * 12 + 2)])
async def test_units_of_other_machines(machine: str, minor: int) -> None:
    async def number(place: Place) -> str | None:
        return dev_t(14, minor)

    assert list(await NetBSDCounters(Machine(), machine).disks([(1, 0)], number)) == [(1, 0)]
    assert (await NetBSDCounters(Machine(), machine).disks([(1, 0)], number))[1, 0].reads == 1


def test_this_system() -> None:
    assert isinstance(system_counters("netbsd10"), NetBSDCounters)
