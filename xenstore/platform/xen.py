"""What the real hosts have in common: event channels that are read and written, mappings, the domain list.

The kernel's ioctls are made directly, not through Xen's libraries (libxenevtchn, libxengnttab,
libxenforeignmemory, libxenctrl).  They are few and the kernels keep them, while the libraries are one more
package on Linux, carry Xen's version in their names, and in pkgsrc's builds open /dev/xenevt without
O_NONBLOCK and look at the wrong variable when a grant's mmap fails.  This way nothing is to be installed,
and one build serves every version of Xen.
"""

import errno
import os
from collections.abc import Mapping as ReadOnlyMapping
from contextlib import ExitStack
from typing import cast

from xenstore._system import System
from xenstore.daemon.locks import Held
from xenstore.platform import DomainState, Page, Platform, PlatformError
from xenstore.platform.devices import Devices
from xenstore.platform.domain_list import DomainList
from xenstore.platform.mapping import Mapping
from xenstore.platform.store_ports import StorePorts

#: The virtual interrupt of domain changes (xen.h, VIRQ_DOM_EXC).
DOMAIN_CHANGES = 3

#: The grant reference of a domain's store page (grant_table.h, GNTTAB_RESERVED_XENSTORE).
STORE_GRANT = 1


class XenPlatform(Platform):
    """A dom0.  What a subclass adds is its system's devices, and where dom0's own page is.

    Of a host there is one VIRQ_DOM_EXC: whoever has bound that serves its domains, whatever run directory
    other xenstoreds have.  To open the devices does nothing to anybody.

    event_fd: the event channels' descriptor that another xenstored left, with its ports; -1: a new one.

    Raises:
        Unavailable: a device is missing, or the hypervisor does not answer.
    """

    devices: Devices

    pins_domids = True

    def __init__(self, held: Held, system: System | None = None, event_fd: int = -1) -> None:
        super().__init__(held)
        self._system = system or System()
        with ExitStack() as opened:
            hypercalls = self.devices.hypercalls(self._system)
            opened.callback(hypercalls.close)
            self._events = self.devices.events(self._system, event_fd)
            opened.callback(self._events.close)
            self._list = DomainList(hypercalls)
            self._list.probe()
            self._pages = self.devices.pages(hypercalls, self._system)
            opened.callback(self._pages.close)
            self._opened = opened.pop_all()
        self.channels = self._events.channels
        self.poll_only = self._events.poll_only
        self._store_ports = StorePorts(hypercalls)

    # --- events -----------------------------------------------------------------------------------------

    def fileno(self) -> int:
        return self._events.fileno()

    def bind_interdomain(self, domid: int, remote_port: int) -> int:
        try:
            return self._events.bind_interdomain(domid, remote_port)
        except OSError as error:
            raise PlatformError(
                error.errno or errno.EIO,
                f"event channel port {remote_port} of domain {domid} cannot be bound: {error.strerror}",
            ) from error

    def bind_domain_changes(self) -> int:
        try:
            return self._events.bind_virq(DOMAIN_CHANGES)
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
        self._events.unbind(port)

    def adopt(self, port: int) -> None:
        """Nothing to do: it is bound where the descriptor is."""

    # --- pages and domains ------------------------------------------------------------------------------

    def map_page(self, domid: int, gfn: int) -> Page:
        """As `Platform.map_page`; a gfn of 0 is not known to the caller, and then only the grant serves."""
        try:
            return self._pages.map_grant(domid, STORE_GRANT)
        except OSError as error:
            refused = error
        reason = f"grant reference {STORE_GRANT}: {refused.strerror}"
        if gfn != 0:
            try:
                return self._pages.map_frame(domid, gfn)
            except OSError as error:
                reason += f"; frame {gfn:#x}: {error.strerror}"
                refused = error
        raise PlatformError(
            refused.errno or errno.EIO, f"domain {domid}'s store page cannot be mapped: {reason}"
        ) from refused

    def unmap_page(self, page: Page) -> None:
        assert hasattr(page, "address")
        self._pages.unmap(cast(Mapping, page))

    def domains(self) -> ReadOnlyMapping[int, DomainState]:
        return self._list()

    def store_port(self, domid: int) -> int | None:
        return self._store_ports(domid)

    def close(self) -> None:
        self._opened.close()

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
