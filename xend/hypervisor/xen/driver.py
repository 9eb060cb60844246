"""The real Xen as a `Hypervisor`.

What it does itself it does by hypercalls, each below 15 ms; destroying takes longer and is done in a thread
(domain-build.md 2).  To build a domain and to dump its core is the work of helpers, processes that can be
killed.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from typing import Protocol, Self

import trio

from xend._sum import Sum
from xend.hypervisor import (
    Blueprint,
    ConsoleRing,
    CpuPool,
    DomainInfo,
    HostAccess,
    HostInfo,
    Image,
    Rings,
    VcpuInfo,
)
from xend.hypervisor.xen.access import Access
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.console import Consoles
from xend.hypervisor.xen.control import XenControl
from xend.hypervisor.xen.creation import Creation
from xend.hypervisor.xen.events import Events
from xend.hypervisor.xen.parameters import hears
from xend.hypervisor.xen.release import running_release
from xend.hypervisor.xen.soft_reset import SoftReset
from xenstore._system import System
from xenstore.platform.devices import Devices


class Builders(Protocol):
    """Who builds, dumps, saves and restores domains, for a `Xen`."""

    def prepare(self, domid: int) -> None:
        """A domain was created: somebody who builds it is wanted soon."""

    async def forget(self, domid: int) -> None:
        """A domain is gone: who was prepared for it is not wanted."""

    async def build(self, domid: int, image: Image) -> Rings:
        """See `Hypervisor.build`."""

    async def dump_core(self, domid: int, path: str) -> None:
        """See `Hypervisor.dump_core`; the domain is paused already."""

    async def save(self, domid: int, fd: int, suspend: Callable[[], Awaitable[None]], checksum: Sum) -> Sum:
        """See `Hypervisor.save`."""

    async def restore(self, domid: int, fd: int, image: Image, checksum: Sum) -> tuple[Rings, Sum]:
        """See `Hypervisor.restore`."""

    async def resume(self, domid: int, is_cooperative: bool) -> None:
        """See `Hypervisor.resume`; the domain was suspended."""

    async def close(self) -> None:
        """End whoever is there."""


class Xen(XenControl):
    """This host's; made by `connect`.

    Attributes:
        release: the hypervisor's, such as "4.17".
    """

    def __init__(self, store_platform: str, devices: Devices, system: System, builders: Builders) -> None:
        """See `connect`."""
        self.store_platform = store_platform
        self._builders = builders
        with ExitStack() as opened:
            hypercalls = devices.hypercalls(system)
            opened.callback(hypercalls.close)
            release = running_release(hypercalls)
            event_device = devices.events(system)
            opened.callback(event_device.close)
            pages = devices.pages(hypercalls, system)
            opened.callback(pages.close)
            self._opened = opened.pop_all()
        calls = Calls(hypercalls, release)
        self.release = str(release)
        self.name = f"Xen {release}"
        super().__init__(calls)
        self._calls = calls
        self._creation = Creation(calls, self.host, self._domains, self.cpu_pools)
        self._access = Access(calls, self._domains)
        self._soft_reset = SoftReset(calls, self._domains)
        self._events = Events(event_device)
        self._consoles = Consoles(self._domains, pages, self._events)

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, store_platform: str, devices: Devices, system: System, builders: Builders
    ) -> AsyncIterator[Self]:
        """The hypervisor under this dom0, as an async context manager.

        Args:
            store_platform: the --platform of xenstored here.
            devices: this system's.
            builders: who builds domains; they end with this.

        Raises:
            Unavailable: a device is missing.
            HypervisorError: the hypervisor is of a release that is not known, or not what it says.
        """
        xen = cls(store_platform, devices, system, builders)
        failure = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(xen._events.serve)
                try:
                    yield xen
                except BaseException as error:  # noqa: BLE001 - raised again below
                    failure = error  # raised below as it is, not in the nursery's group
                nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await xen.close()
        if failure is not None:
            raise failure

    async def close(self) -> None:
        await self._builders.close()
        await self._events.stop()
        self._consoles.close()
        self._opened.close()

    # --- the contract -----------------------------------------------------------------------------------

    async def host_info(self) -> HostInfo:
        await trio.lowlevel.checkpoint()
        return self.host.info()

    async def domains(self) -> list[DomainInfo]:
        await trio.lowlevel.checkpoint()
        return self._domains.all()

    async def domain(self, domid: int) -> DomainInfo | None:
        await trio.lowlevel.checkpoint()
        record = self._domains.find(domid)
        return None if record is None else record.info

    async def vcpus(self, domid: int) -> list[VcpuInfo]:
        await trio.lowlevel.checkpoint()
        return self._vcpus.of(domid)

    async def pools(self) -> list[CpuPool]:
        await trio.lowlevel.checkpoint()
        return self.cpu_pools.all()

    async def create(self, blueprint: Blueprint) -> int:
        await trio.lowlevel.checkpoint()
        domid = self._creation.create(blueprint)
        self._builders.prepare(domid)
        return domid

    async def claim(self, domid: int, memory_kib: int) -> None:
        await trio.lowlevel.checkpoint()
        self._domains.claim(domid, memory_kib)

    async def set_affinity(
        self,
        domid: int,
        vcpu: int,
        hard: Sequence[int] | None,
        soft: Sequence[int] | None,
        force: bool = False,
    ) -> None:
        await trio.lowlevel.checkpoint()
        self._vcpus.set_affinity(domid, vcpu, hard, soft, force)

    async def allow_access(self, domid: int, access: HostAccess) -> None:
        await trio.lowlevel.checkpoint()
        self._access.allow(domid, access)

    async def deny_access(self, domid: int, access: HostAccess) -> None:
        await trio.lowlevel.checkpoint()
        self._access.deny(domid, access)

    async def build(self, domid: int, image: Image) -> Rings:
        self._domains.alive(domid)
        return await self._builders.build(domid, image)

    async def unpause(self, domid: int) -> None:
        await trio.lowlevel.checkpoint()
        self._domains.unpause(domid)

    async def pause(self, domid: int) -> None:
        await trio.lowlevel.checkpoint()
        self._domains.pause(domid)

    async def hears(self, domid: int) -> bool:
        await trio.lowlevel.checkpoint()
        return hears(self._calls, self._domains, domid)

    async def shutdown(self, domid: int, reason: int) -> None:
        await trio.lowlevel.checkpoint()
        self._domains.shutdown(domid, reason)

    async def destroy(self, domid: int) -> None:
        await trio.lowlevel.checkpoint()
        await self._domains.destroy(domid)
        await self._builders.forget(domid)

    async def set_max_memory(self, domid: int, max_memory_kib: int) -> None:
        await trio.lowlevel.checkpoint()
        self._domains.set_max_memory(domid, max_memory_kib)

    async def soft_reset(self, domid: int, rings: Rings) -> Rings:
        await trio.lowlevel.checkpoint()
        return await self._soft_reset.reset(domid, rings)

    async def dump_core(self, domid: int, path: str) -> None:
        with self._domains.held(domid):
            await self._builders.dump_core(domid, path)

    async def save(self, domid: int, fd: int, suspend: Callable[[], Awaitable[None]], checksum: Sum) -> Sum:
        self._domains.alive(domid)
        return await self._builders.save(domid, fd, suspend, checksum)

    async def restore(self, domid: int, fd: int, image: Image, checksum: Sum) -> tuple[Rings, Sum]:
        self._domains.alive(domid)
        return await self._builders.restore(domid, fd, image, checksum)

    async def resume(self, domid: int, is_cooperative: bool = True, is_paused: bool = False) -> None:
        self._domains.require_suspended(domid)
        if is_paused:
            self._domains.pause_once_more(domid)
        await self._builders.resume(domid, is_cooperative)

    async def message_buffer(self, clear: bool = False) -> bytes:
        await trio.lowlevel.checkpoint()
        return self.messages.all(clear)

    async def watchdog(self, timer: int, timeout_s: int) -> int:
        await trio.lowlevel.checkpoint()
        return self._domains.watchdog(timer, timeout_s)

    async def open_console(self, domid: int, gfn: int, port: int) -> ConsoleRing:
        await trio.lowlevel.checkpoint()
        return self._consoles.open(domid, gfn, port)
