"""What the real hosts have in common: event channels that are read and written, mappings, the domain list.

The kernel's ioctls are made directly, not through Xen's libraries (libxenevtchn, libxengnttab,
libxenforeignmemory, libxenctrl).  They are few and the kernels keep them, while the libraries are one more
package on Linux, carry Xen's version in their names, and in pkgsrc's builds open /dev/xenevt without
O_NONBLOCK and look at the wrong variable when a grant's mmap fails.  This way nothing is to be installed,
and one build serves every version of Xen.
"""

import errno
import os
import struct
from abc import abstractmethod
from collections.abc import Mapping as ReadOnlyMapping
from contextlib import ExitStack

from xenstore._channels import DeviceChannels
from xenstore._system import System
from xenstore.daemon.locks import Held
from xenstore.platform import DomainState, Page, Platform, PlatformError
from xenstore.platform.domain_list import DomainList
from xenstore.platform.hypercalls import PAGE_SIZE, Hypercalls, open_device
from xenstore.platform.mapping import Mapping
from xenstore.platform.store_ports import StorePorts

__all__ = ["PAGE_SIZE", "PORT", "STORE_GRANT", "XenPlatform"]

#: The virtual interrupt of domain changes (xen.h, VIRQ_DOM_EXC).
DOMAIN_CHANGES = 3

#: The grant reference of a domain's store page (grant_table.h, GNTTAB_RESERVED_XENSTORE).
STORE_GRANT = 1

#: How a port looks in an ioctl.
PORT = struct.Struct("=I")

#: Where a foreign mapping's frame number and error lie in the arguments; domain_list has the first 3 KiB.
FRAME_AT = 3072
ERROR_AT = 3080
#: num, dom, addr, arr, err: struct privcmd_mmapbatch_v2, the same on all systems.
MMAPBATCH_V2 = struct.Struct("=IH2xQQQ")


class XenPlatform(Platform):
    """A dom0.  What a subclass adds is its system's device files and ioctls.

    Of a host there is one VIRQ_DOM_EXC: whoever has bound that serves its domains, whatever run directory
    other xenstoreds have.  To open the devices does nothing to anybody.

    event_fd: the event channels' descriptor that another xenstored left, with its ports; -1: a new one.

    Raises:
        Unavailable: a device is missing, or the hypervisor does not answer.
    """

    #: The device file of events, and what provides it.
    event_device: str
    event_remedy: str

    #: The ioctls that make the other end of a port fire, close a port, and end an overflow of the event ring.
    notify_number: int
    unbind_number: int
    reset_number: int

    pins_domids = True

    def __init__(self, held: Held, system: System | None = None, event_fd: int = -1) -> None:
        super().__init__(held)
        self._system = system or System()
        with ExitStack() as opened:
            self._hypercalls = self._open_hypercalls(self._system)
            opened.callback(self._hypercalls.close)
            self._events = event_fd
            if event_fd < 0:
                self._events = self._open(opened, self.event_device, self.event_remedy, os.O_NONBLOCK)
            else:
                opened.callback(self._system.close, event_fd)
            self._list = DomainList(self._hypercalls)
            self._list.probe()
            self._open_more(opened)
            self._opened = opened.pop_all()
        self.channels = DeviceChannels(self._system, self._events, self.notify_number, self.reset_number)
        self._store_ports = StorePorts(self._hypercalls)

    # --- events -----------------------------------------------------------------------------------------

    def fileno(self) -> int:
        return self._events

    def bind_interdomain(self, domid: int, remote_port: int) -> int:
        try:
            return self._bind_interdomain(domid, remote_port)
        except OSError as error:
            raise PlatformError(
                error.errno or errno.EIO,
                f"event channel port {remote_port} of domain {domid} cannot be bound: {error.strerror}",
            ) from error

    def bind_domain_changes(self) -> int:
        try:
            return self._bind_virq(DOMAIN_CHANGES)
        except OSError as error:
            reason = error.strerror
            if error.errno == errno.EEXIST:
                reason = "another program has it; stop the other xenstored"
            elif error.errno == errno.EPERM:
                reason = "it is dom0's; xenstored must run there"
            raise PlatformError(
                error.errno or errno.EIO, f"VIRQ_DOM_EXC, which tells of domains' ends: {reason}"
            ) from error

    def unbind(self, port: int) -> None:
        self._system.ioctl(self._events, self.unbind_number, bytearray(PORT.pack(port)))

    def adopt(self, port: int) -> None:
        """Nothing to do: it is bound where the descriptor is."""

    # --- pages and domains ------------------------------------------------------------------------------

    def map_page(self, domid: int, gfn: int) -> Page:
        """As `Platform.map_page`; a gfn of 0 is not known to the caller, and then only the grant serves."""
        try:
            return self._map_grant(domid)
        except OSError as error:
            refused = error
        reason = f"grant reference {STORE_GRANT}: {refused.strerror}"
        if gfn != 0:
            try:
                return self._map_frame(domid, gfn)
            except OSError as error:
                reason += f"; frame {gfn:#x}: {error.strerror}"
                refused = error
        raise PlatformError(
            refused.errno or errno.EIO, f"domain {domid}'s store page cannot be mapped: {reason}"
        ) from refused

    def domains(self) -> ReadOnlyMapping[int, DomainState]:
        return self._list()

    def store_port(self, domid: int) -> int | None:
        return self._store_ports(domid)

    def close(self) -> None:
        self._opened.close()

    # --- what differs -----------------------------------------------------------------------------------

    @abstractmethod
    def _bind_interdomain(self, domid: int, remote_port: int) -> int:
        """The local port; raises OSError."""

    @abstractmethod
    def _bind_virq(self, virq: int) -> int:
        """The local port; raises OSError."""

    @abstractmethod
    def _map_grant(self, domid: int) -> Mapping:
        """The page behind STORE_GRANT; raises OSError."""

    @abstractmethod
    def _map_frame(self, domid: int, gfn: int) -> Mapping:
        """The page of a frame; raises OSError."""

    @abstractmethod
    def _open_hypercalls(self, system: System) -> Hypercalls:
        """Raises Unavailable."""

    def _open_more(self, opened: ExitStack) -> None:
        """Open what else the system needs; raises Unavailable."""

    # --- shared parts of those --------------------------------------------------------------------------

    def _open(self, opened: ExitStack, path: str, remedy: str, flags: int = 0) -> int:
        fd = open_device(self._system, path, remedy, flags)
        opened.callback(self._system.close, fd)
        return fd

    def _fill_from_frame(self, number: int, memory: Mapping, domid: int, gfn: int) -> None:
        """Put a domain's frame in the place of a mapping, by privcmd's MMAPBATCH_V2; raises OSError."""
        base = self._hypercalls.page.address
        with memoryview(self._hypercalls.page) as page:
            struct.pack_into("=Qi", page, FRAME_AT, gfn, 0)
        request = bytearray(MMAPBATCH_V2.pack(1, domid, memory.address, base + FRAME_AT, base + ERROR_AT))
        self._system.ioctl(self._hypercalls.fd, number, request)
        with memoryview(self._hypercalls.page) as page:
            failure = abs(struct.unpack_from("=i", page, ERROR_AT)[0])
        if failure:
            raise OSError(failure, os.strerror(failure))

    def _read_number(self, path: str) -> int:
        """A number in a small file; raises OSError, or PlatformError where it is none."""
        fd = self._system.open(path, os.O_RDONLY)
        try:
            text = self._system.read(fd, 20)
        finally:
            self._system.close(fd)
        try:
            return int(text.strip(b"\n\0 "), 0)
        except ValueError:
            raise PlatformError(
                errno.EINVAL, f"{path}: a port number is expected, there is {text!r}"
            ) from None
