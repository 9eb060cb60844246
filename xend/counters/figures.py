"""What is counted of devices, and the contract of who tells it.

A device is known by its domain and its number, (domid, devid).  Figures are dom0's view: what an interface
received is what its guest sent.  They begin anew when a frontend connects.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping

import attrs

Place = tuple[int, int]


@attrs.frozen(kw_only=True)
class InterfaceCounters:
    """An interface's, as dom0 sees it: "rx" is what its guest sent."""

    rx_bytes: int
    rx_packets: int
    rx_errors: int
    rx_dropped: int
    tx_bytes: int
    tx_packets: int
    tx_errors: int
    tx_dropped: int


@attrs.frozen(kw_only=True)
class DiskCounters:
    """A disk's.

    Attributes:
        reads, writes: how many requests.
        out_of_requests: how often the backend had no room for one; None: this system does not count that.
        read_sectors, written_sectors: of 512 bytes, whatever the disk's own are.
    """

    out_of_requests: int | None
    reads: int
    writes: int
    read_sectors: int
    written_sectors: int


#: Of a disk the device number that its script wrote for the backend, as that system writes it; None: none.
NumberOf = Callable[[Place], Awaitable[str | None]]


class Counters(ABC):
    """Both answer with what is there, of all domains; whatever cannot be read is left out."""

    @abstractmethod
    async def interfaces(self) -> Mapping[Place, InterfaceCounters]:
        """Of the interfaces whose backend is in dom0."""

    @abstractmethod
    async def disks(self, places: Iterable[Place], number_of: NumberOf) -> Mapping[Place, DiskCounters]:
        """Of the disks whose backend is in dom0; places: those that are known, others may be found."""
