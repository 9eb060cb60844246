"""What the simulated backends have counted: modelled figures, that grow while a device is connected."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from xend.counters import Counters, DiskCounters, InterfaceCounters, NumberOf, Place

#: Each second of a connected interface: a guest that says little, in a network that says more.
RECEIVED_PACKETS, RECEIVED_BYTES = 2, 180
SENT_PACKETS, SENT_BYTES = 5, 620
#: A guest reads this much as it finds its disk, and writes a block now and then.
BOOT_READS, BOOT_SECTORS = 240, 5_120
WRITES_EACH_S, WRITE_SECTORS = 0.25, 8

#: A row of what was counted: kind, domid, devid, and the counters by name.
Row = tuple[str, int, int, dict[str, int]]


def interface_traffic(seconds: float) -> dict[str, int]:
    """Of an interface that has been connected for so long: InterfaceCounters' fields."""
    passed = int(seconds)
    return {
        "rx_bytes": passed * RECEIVED_BYTES,
        "rx_packets": passed * RECEIVED_PACKETS,
        "rx_errors": 0,
        "rx_dropped": 0,
        "tx_bytes": passed * SENT_BYTES,
        "tx_packets": passed * SENT_PACKETS,
        "tx_errors": 0,
        "tx_dropped": 0,
    }


def disk_traffic(seconds: float) -> dict[str, int]:
    """Of a disk: DiskCounters' fields."""
    writes = int(seconds * WRITES_EACH_S)
    return {
        "out_of_requests": 0,
        "reads": BOOT_READS,
        "writes": writes,
        "read_sectors": BOOT_SECTORS,
        "written_sectors": writes * WRITE_SECTORS,
    }


class SimulatedCounters(Counters):
    """ask: gives the rows that there are."""

    def __init__(self, ask: Callable[[], Awaitable[Iterable[Any]]]) -> None:
        self._ask = ask

    async def interfaces(self) -> Mapping[Place, InterfaceCounters]:
        return {
            (domid, devid): InterfaceCounters(**counted)
            for kind, domid, devid, counted in await self._ask()
            if kind == "vif"
        }

    async def disks(self, places: Iterable[Place], number_of: NumberOf) -> Mapping[Place, DiskCounters]:
        return {
            (domid, devid): DiskCounters(**counted)
            for kind, domid, devid, counted in await self._ask()
            if kind == "vbd"
        }
