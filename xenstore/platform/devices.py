"""What dom0's kernel has device files for, besides hypercalls: event channels and other domains' pages.

Both the store and xend's driver of the hypervisor stand on these.
Source: ring-and-boot.md 3; each system's own numbers are in `xenstore.platform.linux` and `.netbsd`.
"""

import os
import struct
from abc import ABC, abstractmethod
from typing import NamedTuple

from xenstore._channels import DeviceChannels
from xenstore._system import System
from xenstore.platform.hypercalls import Hypercalls, open_device
from xenstore.platform.mapping import Mapping

#: How a port looks in an ioctl.
PORT = struct.Struct("=I")

#: Where a foreign mapping's frame number and error lie in the page of arguments, of which hypercalls use the
#: first 3 KiB.
FRAME_AT = 3072
ERROR_AT = 3080
#: num, dom, addr, arr, err: struct privcmd_mmapbatch_v2, the same on all systems.
MMAPBATCH_V2 = struct.Struct("=IH2xQQQ")


class EventDevice(ABC):
    """The device file of event channels, open; what was bound ends with it.

    fd: the descriptor that another program left, with its ports; -1: a new one.

    Attributes:
        channels: its event channels.
        poll_only: only poll(2) can wait for `fileno()`, neither epoll nor kqueue.

    Raises:
        Unavailable: it cannot be opened.
    """

    #: The device file, and what provides it.
    device: str
    remedy: str

    #: The ioctls that make the other end of a port fire, close a port, and end an overflow of the event ring.
    notify_number: int
    unbind_number: int
    reset_number: int

    poll_only = False

    def __init__(self, system: System, fd: int = -1) -> None:
        self._system = system
        self._fd = fd if fd >= 0 else open_device(system, self.device, self.remedy, os.O_NONBLOCK)
        self.channels = DeviceChannels(system, self._fd, self.notify_number, self.reset_number)

    def fileno(self) -> int:
        return self._fd

    def unbind(self, port: int) -> None:
        """Close a local port; raises OSError."""
        self._system.ioctl(self._fd, self.unbind_number, bytearray(PORT.pack(port)))

    def close(self) -> None:
        self._system.close(self._fd)

    @abstractmethod
    def bind_interdomain(self, domid: int, remote_port: int) -> int:
        """A new local port, connected to one that a domain left open for dom0; raises OSError."""

    @abstractmethod
    def bind_virq(self, virq: int) -> int:
        """A new local port that a virtual interrupt fires; raises OSError."""


class ForeignPages(ABC):
    """Maps pages of other domains, shared and writable.

    Raises:
        Unavailable: a device for it cannot be opened.
    """

    #: The ioctl that puts frames into a mapping.
    batch_number: int

    def __init__(self, hypercalls: Hypercalls, system: System) -> None:
        self._hypercalls = hypercalls
        self._system = system

    @abstractmethod
    def map_grant(self, domid: int, reference: int) -> Mapping:
        """The page behind a grant reference; raises OSError."""

    def map_frame(self, domid: int, gfn: int) -> Mapping:
        """The page of a frame; raises OSError.  A kernel may try one that is paged out for a second."""
        memory = self._place_for_frame()
        try:
            self._fill(memory, domid, gfn)
        except OSError:
            memory.close()
            raise
        return memory

    @abstractmethod
    def _place_for_frame(self) -> Mapping:
        """A mapping of one page that `batch_number` fills; raises OSError."""

    def unmap(self, page: Mapping) -> None:
        """Undo either; the page must not be used any more."""
        page.close()

    @abstractmethod
    def close(self) -> None:
        """Close what was opened for it; what is mapped stays."""

    def _fill(self, memory: Mapping, domid: int, gfn: int) -> None:
        """Put a domain's frame in the place of a mapping, by privcmd's MMAPBATCH_V2; raises OSError."""
        base = self._hypercalls.page.address
        with memoryview(self._hypercalls.page) as page:
            struct.pack_into("=Qi", page, FRAME_AT, gfn, 0)
        request = bytearray(MMAPBATCH_V2.pack(1, domid, memory.address, base + FRAME_AT, base + ERROR_AT))
        self._system.ioctl(self._hypercalls.fd, self.batch_number, request)
        with memoryview(self._hypercalls.page) as page:
            failure = abs(struct.unpack_from("=i", page, ERROR_AT)[0])
        if failure:
            raise OSError(failure, os.strerror(failure))


class Devices(NamedTuple):
    """The classes of a system."""

    hypercalls: type[Hypercalls]
    events: type[EventDevice]
    pages: type[ForeignPages]
