"""NetBSD: an interface's if_data by ioctl, a disk's iostat by sysctl(3).

xbdback(4) counts nothing itself.  A vnd or a wedge is one guest's, so what its unit has done is what that
guest has; any other disk is shared by its partitions, dom0's own among them, and nobody knows whose requests
they were.  Nor does anybody count the requests for which there was no room.
Layouts and numbers: sys/net/if.h (if_data), sys/sys/sockio.h (SIOCGIFDATA), sys/sys/iostat.h (io_sysctl),
sys/sys/sysctl.h (HW_IOSTATS), LP64.
"""

import ctypes
import fcntl
import platform
import re
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping

from xend.counters.figures import Counters, DiskCounters, InterfaceCounters, NumberOf, Place
from xend.disk.netbsd import UNPARTITIONED, unit_of
from xend.disk.netbsd_kernel import NetBSDKernel

SIOCGIFDATA = 0xC0986985
CTL_HW, HW_IOSTATS = 6, 9
NAME_BYTES = 16
#: ifdr_name; then of ifdr_data: type, link state, mtu, metric, baudrate, and the counters.
IF_DATA = struct.Struct("=16s4xi3Q11Q16x")
#: name, busy, type, xfer, seek, bytes, three times, rxfer, rbytes, wxfer, wbytes.
IOSTAT = struct.Struct("=16sii3Q6I4Q")
SECTOR_BYTES = 512

#: Driver domains' interfaces aside, xennetback(4) calls them so.
_INTERFACE = re.compile(r"xvif(\d+)i(\d+)")
#: Drivers each of whose units is one guest's disk.
_OWN = ("vnd", "dk")


class CountingKernel(ABC):
    """What NetBSD's kernel is asked; a test puts another in its place."""

    @abstractmethod
    def interface_names(self) -> list[str]:
        """Of all interfaces."""

    @abstractmethod
    def interface_data(self, name: str) -> bytes | None:
        """struct ifdatareq of one; None: it is gone."""

    @abstractmethod
    def io_statistics(self) -> bytes:
        """An array of struct io_sysctl."""

    @abstractmethod
    def block_drivers(self) -> Mapping[int, str]:
        """The names of the drivers of disks, by the major of their block nodes."""


class NetBSDCounters(Counters):
    """machine: as uname has it."""

    def __init__(self, kernel: CountingKernel | None = None, machine: str = platform.machine()) -> None:
        self._kernel = kernel or _Running()
        self._machine = machine

    async def interfaces(self) -> Mapping[Place, InterfaceCounters]:
        found = {}
        for name in self._kernel.interface_names():
            match = _INTERFACE.fullmatch(name)
            if match and (data := self._kernel.interface_data(name)):
                found[int(match[1]), int(match[2])] = _interface(data)
        return found

    async def disks(self, places: Iterable[Place], number_of: NumberOf) -> Mapping[Place, DiskCounters]:
        drivers, counted = self._kernel.block_drivers(), _disks(self._kernel.io_statistics())
        found = {}
        for place in places:
            if (unit := self._unit(await number_of(place), drivers)) in counted:
                found[place] = counted[unit]
        return found

    def _unit(self, number: str | None, drivers: Mapping[int, str]) -> str:
        """The name of the unit that is one guest's, "vnd0"; "": it is none."""
        if number is None or not (number.isascii() and number.isdigit()):
            return ""
        device = int(number)
        driver = drivers.get(_major(device), "")
        if driver not in _OWN:
            return ""
        minor = _minor(device)
        return f"{driver}{minor if driver in UNPARTITIONED else unit_of(minor, self._machine)[0]}"


def _major(device: int) -> int:
    """sys/sys/types.h, major(): Linux's os.major has another layout, and tests run there."""
    return (device & 0x000FFF00) >> 8


def _minor(device: int) -> int:
    """sys/sys/types.h, minor()."""
    return (device & 0xFFF00000) >> 12 | device & 0xFF


def _interface(data: bytes) -> InterfaceCounters:
    fields = IF_DATA.unpack(data[: IF_DATA.size])
    ipackets, ierrors, opackets, oerrors, _, ibytes, obytes, _, _, iqdrops, _ = fields[5:]
    return InterfaceCounters(
        rx_bytes=ibytes,
        rx_packets=ipackets,
        rx_errors=ierrors,
        rx_dropped=iqdrops,
        tx_bytes=obytes,
        tx_packets=opackets,
        tx_errors=oerrors,
        tx_dropped=0,
    )


def _disks(table: bytes) -> dict[str, DiskCounters]:
    """By the unit's name."""
    found = {}
    for row in IOSTAT.iter_unpack(table[: len(table) // IOSTAT.size * IOSTAT.size]):
        name, (reads, read_bytes, writes, written_bytes) = row[0], row[-4:]
        found[name.partition(b"\0")[0].decode("ascii", "replace")] = DiskCounters(
            out_of_requests=None,
            reads=reads,
            writes=writes,
            read_sectors=read_bytes // SECTOR_BYTES,
            written_sectors=written_bytes // SECTOR_BYTES,
        )
    return found


class _Running(CountingKernel):
    """The one that runs."""

    def interface_names(self) -> list[str]:
        return [name for _, name in socket.if_nameindex()]

    def interface_data(self, name: str) -> bytes | None:
        request = name.encode()[: NAME_BYTES - 1].ljust(IF_DATA.size, b"\0")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            try:
                return fcntl.ioctl(any_socket, SIOCGIFDATA, request)
            except OSError:
                return None

    def io_statistics(self) -> bytes:
        libc = ctypes.CDLL(None, use_errno=True)
        path = (ctypes.c_int * 3)(CTL_HW, HW_IOSTATS, IOSTAT.size)
        size = ctypes.c_size_t(0)
        if libc.sysctl(path, 3, None, ctypes.byref(size), None, 0):
            return b""
        value = ctypes.create_string_buffer(size.value)
        if libc.sysctl(path, 3, value, ctypes.byref(size), None, 0):
            return b""
        return value.raw[: size.value]

    def block_drivers(self) -> Mapping[int, str]:
        return {block: name for name, _, block in NetBSDKernel().drivers() if block >= 0}
