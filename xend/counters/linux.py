"""Linux: sysfs, where netback's interfaces and blkback's devices are (drivers/block/xen-blkback/xenbus.c).

An interface is found by its device, not by its name: `vifname=` and scripts rename it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import attrs
import trio

from xend.counters.figures import Counters, DiskCounters, InterfaceCounters, NumberOf, Place
from xend.device.vbd import VBD
from xend.device.vif import VIF

DEVICES = Path("/sys/bus/xen-backend/devices")

#: "vif-3-0"; a disk of blktap's kernel driver is "tap-3-51712".
_NAME = re.compile(r"(vif|vbd|tap)-(\d+)-(\d+)")
#: Fields, and blkback's files of them.
_DISK_FILES = {
    "out_of_requests": "oo_req",
    "reads": "rd_req",
    "writes": "wr_req",
    "read_sectors": "rd_sect",
    "written_sectors": "wr_sect",
}
#: The files of an interface are called as the fields are (include/linux/netdevice.h, netstat_group).
_INTERFACE_FILES = {field.name: field.name for field in attrs.fields(InterfaceCounters)}


class LinuxCounters(Counters):
    """devices: where the kernel shows its backends."""

    def __init__(self, devices: Path = DEVICES) -> None:
        self._devices = devices

    async def interfaces(self) -> Mapping[Place, InterfaceCounters]:
        return await trio.to_thread.run_sync(lambda: dict(self._interfaces()))

    async def disks(self, places: Iterable[Place], number_of: NumberOf) -> Mapping[Place, DiskCounters]:
        return await trio.to_thread.run_sync(lambda: dict(self._disks()))

    def _interfaces(self) -> Iterator[tuple[Place, InterfaceCounters]]:
        for place, device in self._found(VIF.name):
            for statistics in device.glob("net/*/statistics"):
                if (counted := _read(statistics, _INTERFACE_FILES)) is not None:
                    yield place, InterfaceCounters(**counted)

    def _disks(self) -> Iterator[tuple[Place, DiskCounters]]:
        for place, device in self._found(VBD.name, "tap"):
            if (counted := _read(device / "statistics", _DISK_FILES)) is not None:
                yield place, DiskCounters(**counted)

    def _found(self, *kinds: str) -> Iterator[tuple[Place, Path]]:
        try:
            entries = list(self._devices.iterdir())
        except OSError:
            return  # no backend driver is loaded
        for entry in entries:
            match = _NAME.fullmatch(entry.name)
            if match is not None and match[1] in kinds:
                yield (int(match[2]), int(match[3])), entry


def _read(directory: Path, files: Mapping[str, str]) -> dict[str, int] | None:
    """The numbers in these files, by field; None: one is not there (any more), or holds no number."""
    try:
        return {field: int((directory / name).read_bytes()) for field, name in files.items()}
    except (OSError, ValueError):
        return None
