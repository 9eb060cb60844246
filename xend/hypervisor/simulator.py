"""The driver of a simulated host that is a process of its own (`python -m xend.simulator DIR`).

The host outlives whoever drives it.  Pages of consoles are mapped here, as on a real host.
"""

import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import attrs
import msgpack
import trio

from xend._sum import Sum
from xend.counters import Counters
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
from xend.hypervisor.simulator_control import SimulatorControl
from xend.simulator import saved
from xend.simulator.console_ring import MappedConsole
from xend.simulator.traffic import SimulatedCounters
from xend.simulator.wire import ANSWER_MAX, SOCKET_NAME, domain_info, pack, unpacker

#: How long the host may take for an answer, in seconds; it never blocks.
ANSWER_SECONDS = 30.0
_CHUNK = 1 << 20


class Simulator(SimulatorControl, Hypervisor):
    """The host that lives in a directory; made by `connect`."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._directory = Path(os.path.abspath(directory))
        self.name = f"simulated host in {self._directory}"
        self.store_platform = f"sim:{self._directory}"
        self._lock = trio.Lock()
        self._stream: trio.SocketStream | None = None
        self._answers = unpacker(ANSWER_MAX)
        self._last_id = 0
        self._connection = 0
        self._released: list[tuple[int, int]] = []
        self._something_released = trio.Event()

    @classmethod
    @asynccontextmanager
    async def connect(cls, directory: str | os.PathLike[str]) -> AsyncIterator[Self]:
        """The host in a directory, as an async context manager.

        Raises:
            HypervisorError: nothing serves it (ENOENT, ECONNREFUSED), or not to this user (EACCES).
        """
        simulator = cls(directory)
        await simulator.domain(0)
        failure = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(simulator._release_consoles)
                try:
                    yield simulator
                except BaseException as error:  # noqa: BLE001 - raised again below
                    failure = error  # raised below as it is, not in the nursery's group
                nursery.cancel_scope.cancel()
        finally:
            simulator._drop()
        if failure is not None:
            raise failure

    async def close(self) -> None:
        self._drop()

    # --- the contract -----------------------------------------------------------------------------------

    async def host_info(self) -> HostInfo:
        return HostInfo(**await self._call("host_info"))

    async def domains(self) -> list[DomainInfo]:
        return [domain_info(row) for row in await self._call("domains")]

    async def domain(self, domid: int) -> DomainInfo | None:
        row = await self._call("domain", domid=domid)
        return None if row is None else domain_info(row)

    async def vcpus(self, domid: int) -> list[VcpuInfo]:
        return [VcpuInfo(**fields) for fields in await self._call("vcpus", domid=domid)]

    def counters(self) -> Counters:
        return SimulatedCounters(lambda: self._call("counted"))

    async def pools(self) -> list[CpuPool]:
        return [CpuPool(**fields) for fields in await self._call("pools")]

    async def create(self, blueprint: Blueprint) -> int:
        return int(await self._call("create", **attrs.asdict(blueprint)))

    async def claim(self, domid: int, memory_kib: int) -> None:
        await self._call("claim", domid=domid, memory_kib=memory_kib)

    async def set_affinity(
        self,
        domid: int,
        vcpu: int,
        hard: Sequence[int] | None,
        soft: Sequence[int] | None,
        force: bool = False,
    ) -> None:
        await self._call("set_affinity", domid=domid, vcpu=vcpu, hard=hard, soft=soft, force=force)

    async def allow_access(self, domid: int, access: HostAccess) -> None:
        await self._call("allow_access", domid=domid, **attrs.asdict(access))

    async def deny_access(self, domid: int, access: HostAccess) -> None:
        await self._call("deny_access", domid=domid, **attrs.asdict(access))

    async def build(self, domid: int, image: Image) -> Rings:
        arguments = attrs.asdict(image)
        arguments["kernel"] = os.path.abspath(image.kernel)
        arguments["ramdisk"] = image.ramdisk and os.path.abspath(image.ramdisk)
        return Rings(**await self._call("build", domid=domid, **arguments))

    async def unpause(self, domid: int) -> None:
        await self._call("unpause", domid=domid)

    async def pause(self, domid: int) -> None:
        await self._call("pause", domid=domid)

    async def hears(self, domid: int) -> bool:
        return bool(await self._call("hears", domid=domid))

    async def shutdown(self, domid: int, reason: int) -> None:
        await self._call("shutdown", domid=domid, reason=reason)

    async def destroy(self, domid: int) -> None:
        await self._call("destroy", domid=domid)

    async def set_max_memory(self, domid: int, max_memory_kib: int) -> None:
        await self._call("set_max_memory", domid=domid, max_memory_kib=max_memory_kib)

    async def soft_reset(self, domid: int, rings: Rings) -> Rings:
        return Rings(**await self._call("soft_reset", domid=domid, **attrs.asdict(rings)))

    async def dump_core(self, domid: int, path: str) -> None:
        await self._call("dump_core", domid=domid, path=os.path.abspath(path))

    async def save(self, domid: int, fd: int, suspend: Callable[[], Awaitable[None]], checksum: Sum) -> Sum:
        await self._call("saved_state", domid=domid, must_be_suspended=False)
        await suspend()
        state = await self._call("saved_state", domid=domid, must_be_suspended=True)
        saved.write(fd, state.pop("type"), state)
        return checksum

    async def restore(self, domid: int, fd: int, image: Image, checksum: Sum) -> tuple[Rings, Sum]:
        if (info := await self.domain(domid)) is None or info.is_dying:
            raise HypervisorError(errno.ESRCH, f"there is no domain {domid}, or it is dying")
        type, state = saved.read(fd)
        rings = await self._call("restore_state", domid=domid, type=type, state=dict(state))
        return Rings(**rings), checksum

    async def resume(self, domid: int, is_cooperative: bool = True, is_paused: bool = False) -> None:
        await self._call("resume", domid=domid, is_cooperative=is_cooperative, is_paused=is_paused)

    async def message_buffer(self, clear: bool = False) -> bytes:
        return bytes(await self._call("message_buffer", clear=clear))

    async def watchdog(self, timer: int, timeout_s: int) -> int:
        return int(await self._call("watchdog", timer=timer, timeout_s=timeout_s))

    async def open_console(self, domid: int, gfn: int, port: int) -> ConsoleRing:
        number = await self._call("open_console", domid=domid, gfn=gfn, port=port)
        console = self._connection, number

        def closed() -> None:
            self._released.append(console)
            self._something_released.set()

        try:
            return MappedConsole(self._directory, domid, closed)
        except BaseException:
            closed()
            raise

    # --- the connection ---------------------------------------------------------------------------------

    async def _call(self, method: str, **arguments: Any) -> Any:
        """The result of a call.  Once begun it is not cancelled: the host answers at once."""
        await trio.lowlevel.checkpoint()
        async with self._lock:
            with trio.CancelScope(shield=True):
                await self._open()
                await self._tell_released()
                return await self._exchange(method, arguments)

    async def _open(self) -> None:
        if self._stream is not None and self._stream.socket.is_readable():
            self._drop()  # nothing is due: the host hung up
        if self._stream is not None:
            return
        path = self._directory / SOCKET_NAME
        try:
            self._stream = await trio.open_unix_socket(os.fspath(path))
        except OSError as error:
            raise HypervisorError(
                error.errno or errno.ENOENT,
                f"no simulated host answers at {path} ({error.strerror or error}); "
                f"start one: python -P -m xend.simulator {self._directory}",
            ) from error
        self._connection += 1
        self._answers = unpacker(ANSWER_MAX)

    async def _exchange(self, method: str, arguments: dict[str, Any]) -> Any:
        assert self._stream is not None
        self._last_id += 1
        answer = None
        try:
            with trio.move_on_after(ANSWER_SECONDS):
                await self._stream.send_all(pack([self._last_id, method, arguments]))
                answer = await self._receive(self._stream)
        except (trio.BrokenResourceError, ValueError, msgpack.exceptions.UnpackException):
            pass
        match answer:
            case [self._last_id, None, result]:
                return result
            case [self._last_id, [int(number), str(text)], None]:
                raise HypervisorError(number, text)
        self._drop()
        raise HypervisorError(
            errno.ECONNRESET,
            f"the simulated host in {self._directory} went away; whether it did `{method}` is not known",
        )

    async def _receive(self, stream: trio.SocketStream) -> Any:
        while data := await stream.receive_some(_CHUNK):
            self._answers.feed(data)
            for answer in self._answers:
                return answer
        return None

    def _drop(self) -> None:
        if self._stream is not None:
            self._stream.socket.close()
            self._stream = None

    # --- consoles that were closed ----------------------------------------------------------------------

    async def _tell_released(self) -> None:
        while self._released:
            connection, number = self._released.pop()
            if connection == self._connection:  # with an older one the host let go of it already
                await self._exchange("close_console", {"console": number})

    async def _release_consoles(self) -> None:
        while True:
            await self._something_released.wait()
            self._something_released = trio.Event()
            with suppress(HypervisorError):  # a host that is gone holds no console
                await self._call("domain", domid=0)
