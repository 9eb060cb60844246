"""Serves a simulated host to other processes, one connection each."""

import errno
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import msgpack
import trio

from xend.hypervisor import Blueprint, HostAccess, HypervisorError, Image, Machine, Rings
from xend.hypervisor.control import Control
from xend.hypervisor.scheduling import PoolParameters, RealTimeParameters
from xend.simulator.host import SimulatedHost
from xend.simulator.wire import REQUEST_MAX, domain_row, pack, parameters_of, plain, unpacker

_CHUNK = 64 * 1024


class Connection:
    """One client, a program of its own.  When it is gone, it holds no console any more.

    used: called at each request.
    """

    def __init__(self, host: SimulatedHost, stream: trio.abc.Stream, used: Callable[[], object]) -> None:
        self._host = host
        self._stream = stream
        self._used = used
        self._consoles: dict[int, Callable[[], None]] = {}
        self._last_console = 0

    async def serve(self) -> None:
        """Until the client hangs up, or says what is no request."""
        try:
            await self._serve()
        except (trio.BrokenResourceError, ValueError, msgpack.exceptions.UnpackException):
            pass  # a client that is gone or mad is told nothing
        finally:
            for release in self._consoles.values():
                release()

    async def _serve(self) -> None:
        requests = unpacker(REQUEST_MAX)
        while data := await self._stream.receive_some(_CHUNK):
            requests.feed(data)
            for request in requests:
                await self._stream.send_all(pack(await self._answer(request)))

    async def _answer(self, request: Any) -> list[object]:
        match request:
            case [int(id), str(method), dict(arguments)] if method in _METHODS:
                pass
            case _:
                raise ValueError("no request")
        self._used()
        try:
            return [id, None, plain(await _METHODS[method](self, **arguments))]
        except HypervisorError as error:
            return [id, [error.errno, error.text], None]
        except (TypeError, AttributeError, ValueError) as error:
            return [id, [errno.EINVAL, f"{method}: {error}"], None]

    async def host_info(self) -> object:
        return attrs.asdict(await self._host.host_info())

    async def domains(self) -> object:
        return [domain_row(info) for info in await self._host.domains()]

    async def domain(self, domid: int) -> object:
        info = await self._host.domain(domid)
        return None if info is None else domain_row(info)

    async def vcpus(self, domid: int) -> object:
        return [attrs.asdict(vcpu) for vcpu in await self._host.vcpus(domid)]

    async def pools(self) -> object:
        return [attrs.asdict(pool) for pool in await self._host.pools()]

    async def counted(self) -> object:
        return await self._host.counted()

    async def create(self, **blueprint: Any) -> object:
        return await self._host.create(Blueprint(**blueprint))

    async def claim(self, domid: int, memory_kib: int) -> None:
        await self._host.claim(domid, memory_kib)

    async def set_affinity(
        self, domid: int, vcpu: int, hard: list[int] | None, soft: list[int] | None, force: bool
    ) -> None:
        await self._host.set_affinity(domid, vcpu, hard, soft, force)

    async def set_parameters(self, domid: int, **fields: Any) -> None:
        await self._host.set_parameters(domid, parameters_of(fields))

    async def set_vcpu_parameters(self, domid: int, vcpus: dict[str, dict[str, Any]]) -> None:
        made = {int(number): RealTimeParameters(**fields) for number, fields in vcpus.items()}
        await self._host.set_vcpu_parameters(domid, made)

    async def set_pool_parameters(self, pool: int, **fields: Any) -> None:
        await self._host.set_pool_parameters(pool, PoolParameters(**fields))

    async def allow_access(self, domid: int, **access: Any) -> None:
        await self._host.allow_access(domid, HostAccess(**access))

    async def deny_access(self, domid: int, **access: Any) -> None:
        await self._host.deny_access(domid, HostAccess(**access))

    async def build(
        self, domid: int, blueprint: dict[str, Any], machine: dict[str, Any] | None, **image: Any
    ) -> object:
        played = None if machine is None else Machine(**machine)
        made = Image(blueprint=Blueprint(**blueprint), machine=played, **image)
        return attrs.asdict(await self._host.build(domid, made))

    async def unpause(self, domid: int) -> None:
        await self._host.unpause(domid)

    async def pause(self, domid: int) -> None:
        await self._host.pause(domid)

    async def hears(self, domid: int) -> object:
        return await self._host.hears(domid)

    async def shutdown(self, domid: int, reason: int) -> None:
        await self._host.shutdown(domid, reason)

    async def destroy(self, domid: int) -> None:
        await self._host.destroy(domid)

    async def set_max_memory(self, domid: int, max_memory_kib: int) -> None:
        await self._host.set_max_memory(domid, max_memory_kib)

    async def soft_reset(self, domid: int, **rings: Any) -> object:
        return attrs.asdict(await self._host.soft_reset(domid, Rings(**rings)))

    async def dump_core(self, domid: int, path: str) -> None:
        await self._host.dump_core(domid, path)

    async def saved_state(self, domid: int, must_be_suspended: bool) -> object:
        return await self._host.saved_state(domid, must_be_suspended)

    async def restore_state(self, domid: int, type: str, state: dict[str, Any]) -> object:
        return attrs.asdict(await self._host.restore_state(domid, type, state))

    async def resume(self, domid: int, is_cooperative: bool, is_paused: bool) -> None:
        await self._host.resume(domid, is_cooperative, is_paused)

    async def message_buffer(self, clear: bool) -> object:
        return await self._host.message_buffer(clear)

    async def watchdog(self, timer: int, timeout_s: int) -> object:
        return await self._host.watchdog(timer, timeout_s)

    async def open_console(self, domid: int, gfn: int, port: int) -> object:
        """A number for `close_console`; the client maps the page itself."""
        release = self._host.claim_console(domid, gfn, port, self)
        self._last_console += 1
        self._consoles[self._last_console] = release
        return self._last_console

    async def close_console(self, console: int) -> None:
        release = self._consoles.pop(console, None)
        if release is not None:
            release()


def _passed_on(name: str) -> Callable[..., Awaitable[object]]:
    """A call whose arguments and result need nothing done to them."""

    async def call(connection: Connection, **arguments: Any) -> object:
        return await getattr(connection._host, name)(**arguments)

    return call


_METHODS: dict[str, Callable[..., Awaitable[object]]] = {
    **{name: _passed_on(name) for name in Control.__abstractmethods__},
    **{n: method for n, method in vars(Connection).items() if not n.startswith("_") and n != "serve"},
}


class Server:
    """All connections to one host.

    Attributes:
        clients: those that have asked something, not those who only look whether somebody listens.
        on_idle: called when the last of them is gone.
    """

    def __init__(self, host: SimulatedHost) -> None:
        self._host = host
        self.clients: set[trio.abc.Stream] = set()
        self.on_idle: Callable[[], object] = lambda: None

    async def __call__(self, stream: trio.abc.Stream) -> None:
        """Serve one client."""
        try:
            await Connection(self._host, stream, lambda: self.clients.add(stream)).serve()
        finally:
            if stream in self.clients:
                self.clients.remove(stream)
                if not self.clients:
                    self.on_idle()
