"""Consoles of domains: the page behind grant reference 0, and the event channel that goes with it.

Source: ring-and-boot.md 2 (GNTTAB_RESERVED_CONSOLE); domain-build.md 3
"""

import errno
from contextlib import suppress

import trio

from xend.hypervisor import ConsoleRing, HypervisorError
from xend.hypervisor.xen.domains import Domains
from xend.hypervisor.xen.events import Events
from xend.hypervisor.xen.refusal import refusing
from xenstore.platform.devices import ForeignPages
from xenstore.platform.mapping import Mapping

#: The grant reference of a domain's console page (xen/include/public/grant_table.h, GNTTAB_RESERVED_CONSOLE).
CONSOLE_GRANT = 0


class XenConsole(ConsoleRing):
    """One of them.  Whoever made a ring of its page lets go of that before `close`."""

    def __init__(self, page: Mapping, pages: ForeignPages, events: Events) -> None:
        self.page = page
        self._mapping: Mapping | None = page
        self._pages = pages
        self._events = events
        self._port: int | None = None
        self._fired = trio.Event()

    def bind(self, domid: int, port: int) -> None:
        """Raises OSError."""
        self._port = self._events.bind(domid, port, self._fire)

    @property
    def is_bound(self) -> bool:
        """Whether it is notified, and may notify."""
        return self._port is not None

    async def wait(self) -> None:
        await self._fired.wait()
        self._fired = trio.Event()
        if self._port is not None:
            # Before the caller looks at the ring: what the guest does after that look fires again.
            self._events.rearm(self._port)

    def _fire(self) -> None:
        self._fired.set()

    def notify(self) -> None:
        if self._port is not None:
            with suppress(OSError):
                self._events.notify(self._port)

    def unbind(self) -> None:
        """Be notified no more, of what came before either: Linux notifies whoever binds a port at once."""
        self._fired = trio.Event()
        port, self._port = self._port, None
        if port is not None:
            with suppress(OSError):
                self._events.unbind(port)

    def close(self) -> None:
        self.unbind()
        if self._mapping is not None:
            self._pages.unmap(self._mapping)
            self._mapping = None


class Consoles:
    """Opens them, and knows which are: one that is opened again is taken from whoever had it."""

    def __init__(self, domains: Domains, pages: ForeignPages, events: Events) -> None:
        self._domains = domains
        self._pages = pages
        self._events = events
        self._bound: dict[tuple[int, int], XenConsole] = {}

    def open(self, domid: int, gfn: int, port: int) -> XenConsole:
        """See `Hypervisor.open_console`."""
        self._domains.alive(domid)
        console = XenConsole(self._map(domid, gfn), self._pages, self._events)
        try:
            self._take_away(domid, port)
            with refusing(
                f"the console of domain {domid} cannot be had: event channel port {port}",
                {
                    errno.EINVAL: "there is none, or another program has bound it; "
                    "end Xen's xenconsoled, if it runs"
                },
            ):
                console.bind(domid, port)
        except BaseException:
            console.close()
            raise
        self._bound[domid, port] = console
        return console

    def close(self) -> None:
        """None of those that are open is notified any more."""
        for console in self._bound.values():
            console.unbind()

    def _take_away(self, domid: int, port: int) -> None:
        """From whoever has it in this process; the hypervisor takes nothing from other programs."""
        self._bound = {where: console for where, console in self._bound.items() if console.is_bound}
        if (domid, port) in self._bound:
            self._bound.pop((domid, port)).unbind()

    def _map(self, domid: int, gfn: int) -> Mapping:
        try:
            return self._pages.map_grant(domid, CONSOLE_GRANT)
        except OSError as error:
            by_grant = error
        if gfn != 0:
            try:
                return self._pages.map_frame(domid, gfn)
            except OSError as error:
                raise _unmappable(domid, f"frame {gfn:#x}: {error.strerror}", by_grant) from error
        raise _unmappable(domid, "no frame is known", by_grant) from by_grant


def _unmappable(domid: int, reason: str, by_grant: OSError) -> HypervisorError:
    """Whatever the kernel called it: there is no such page."""
    return HypervisorError(
        errno.EINVAL,
        f"the console page of domain {domid} cannot be mapped: "
        f"grant reference {CONSOLE_GRANT}: {by_grant.strerror}; {reason}",
    )
