"""A hypervisor that refuses one call."""

import errno
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from xend._sum import Sum
from xend.hypervisor import (
    Blueprint,
    ConsoleRing,
    CpuPool,
    DomainInfo,
    HostAccess,
    HostInfo,
    Hypervisor,
    HypervisorError,
    Image,
    Rings,
    VcpuInfo,
)
from xend.hypervisor.control import Control


def _passed_on(name: str) -> Callable[..., Awaitable[object]]:
    async def call(self: "RefusingHypervisor", *arguments: object, **named: object) -> object:
        return await getattr(self._inner, name)(*arguments, **named)

    return call


#: A hypervisor but for what has to do with domains' lives; its calls go to another.
_Passing: Any = type(
    "_Passing", (Hypervisor,), {name: _passed_on(name) for name in Control.__abstractmethods__}
)


class RefusingHypervisor(_Passing, Hypervisor):  # type: ignore[misc]
    """Passes everything on to another, but for the call with the number `refused`, counted from 1.

    Only calls that use memory count.

    Attributes:
        calls: how many there were.
    """

    def __init__(self, inner: Hypervisor, refused: int = 0) -> None:
        self._inner = inner
        self.refused = refused
        self.calls = 0
        self.name = inner.name
        self.store_platform = inner.store_platform

    def _count(self) -> None:
        self.calls += 1
        if self.calls == self.refused:
            raise HypervisorError(errno.ENOMEM, "no memory for that")

    async def host_info(self) -> HostInfo:
        return await self._inner.host_info()

    async def domains(self) -> list[DomainInfo]:
        return await self._inner.domains()

    async def domain(self, domid: int) -> DomainInfo | None:
        return await self._inner.domain(domid)

    async def vcpus(self, domid: int) -> list[VcpuInfo]:
        return await self._inner.vcpus(domid)

    async def create(self, blueprint: Blueprint) -> int:
        self._count()
        return await self._inner.create(blueprint)

    async def pools(self) -> list[CpuPool]:
        return await self._inner.pools()

    async def claim(self, domid: int, memory_kib: int) -> None:
        self._count()
        await self._inner.claim(domid, memory_kib)

    async def set_affinity(
        self,
        domid: int,
        vcpu: int,
        hard: Sequence[int] | None,
        soft: Sequence[int] | None,
        force: bool = False,
    ) -> None:
        await self._inner.set_affinity(domid, vcpu, hard, soft, force)

    async def allow_access(self, domid: int, access: HostAccess) -> None:
        await self._inner.allow_access(domid, access)

    async def deny_access(self, domid: int, access: HostAccess) -> None:
        await self._inner.deny_access(domid, access)

    async def build(self, domid: int, image: Image) -> Rings:
        self._count()
        return await self._inner.build(domid, image)

    async def unpause(self, domid: int) -> None:
        self._count()
        await self._inner.unpause(domid)

    async def open_console(self, domid: int, gfn: int, port: int) -> ConsoleRing:
        self._count()
        return await self._inner.open_console(domid, gfn, port)

    async def pause(self, domid: int) -> None:
        await self._inner.pause(domid)

    async def hears(self, domid: int) -> bool:
        return await self._inner.hears(domid)

    async def shutdown(self, domid: int, reason: int) -> None:
        await self._inner.shutdown(domid, reason)

    async def destroy(self, domid: int) -> None:
        await self._inner.destroy(domid)

    async def set_max_memory(self, domid: int, max_memory_kib: int) -> None:
        await self._inner.set_max_memory(domid, max_memory_kib)

    async def soft_reset(self, domid: int, rings: Rings) -> Rings:
        return await self._inner.soft_reset(domid, rings)

    async def save(self, domid: int, fd: int, suspend: Callable[[], Awaitable[None]], checksum: Sum) -> Sum:
        self._count()
        return await self._inner.save(domid, fd, suspend, checksum)

    async def restore(self, domid: int, fd: int, image: Image, checksum: Sum) -> tuple[Rings, Sum]:
        self._count()
        return await self._inner.restore(domid, fd, image, checksum)

    async def resume(self, domid: int, is_cooperative: bool = True, is_paused: bool = False) -> None:
        await self._inner.resume(domid, is_cooperative, is_paused)

    async def dump_core(self, domid: int, path: str) -> None:
        await self._inner.dump_core(domid, path)

    async def watchdog(self, timer: int, timeout_s: int) -> int:
        return await self._inner.watchdog(timer, timeout_s)

    async def message_buffer(self, clear: bool = False) -> bytes:
        return await self._inner.message_buffer(clear)

    async def close(self) -> None:
        await self._inner.close()
