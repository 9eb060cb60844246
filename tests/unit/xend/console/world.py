"""A host in memory: a real store, domains with console pages, ptys; nothing waits for anything outside."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from trio.testing import MemoryReceiveStream, MemorySendStream

from tests.unit.xend.console.fake_pty import FakePty
from tests.unit.xend.console.guest import GuestConsole
from xenclient.store.aio import Client
from xend.console.service import Consoles
from xend.hypervisor import ConsoleRing, DomainInfo, HypervisorError
from xenstore.store import Session, Store


class MemoryStore:
    """The store, and streams to it."""

    def __init__(self) -> None:
        self.store = Store()
        self._connections: list[tuple[Session, MemoryReceiveStream]] = []

    def connect(self) -> trio.abc.Stream:
        session = self.store.connect()
        receiving, sending = MemoryReceiveStream(), MemorySendStream()

        async def sent() -> None:
            await trio.lowlevel.checkpoint()
            session.feed(bytes(sending.get_data_nowait()))
            self.flush()

        sending.send_all_hook = sent
        self._connections.append((session, receiving))
        return trio.StapledStream(sending, receiving)

    def flush(self) -> None:
        """Carry answers and events to whom they are for."""
        for session, receiving in self._connections:
            while data := session.take():
                receiving.put_data(data)

    def event(self, name: bytes, domid: int) -> None:
        self.store.event_special(name, domid, True)
        self.flush()


class Host:
    """The hypervisor, as far as consoles go; and everybody's log lines."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.rings: dict[int, GuestConsole] = {}
        self.alive: dict[int, DomainInfo] = {}
        self.ptys: list[FakePty] = []
        self.pty_capacity = 4096
        self.pty_error: OSError | None = None
        self.lines: list[str] = []
        self.messages = b""
        self.name = "a host in memory"

    def client(self) -> Client:
        return Client("memory", connect=self.store.connect)

    def start(self, domid: int, begin: int = 0, uuid: str | None = None) -> GuestConsole:
        """A new domain's console page; its indices begin anywhere."""
        ring = self.rings[domid] = GuestConsole(begin)
        self.alive[domid] = domain(domid, uuid or f"00000000-0000-0000-0000-{domid:012}")
        return ring

    async def open_console(self, domid: int, gfn: int, port: int) -> ConsoleRing:
        await trio.lowlevel.checkpoint()
        if domid not in self.rings:
            raise HypervisorError(3, f"no domain {domid}")
        return self.rings[domid]

    async def domains(self) -> list[DomainInfo]:
        await trio.lowlevel.checkpoint()
        return sorted(self.alive.values(), key=lambda each: each.domid)

    async def message_buffer(self, clear: bool = False) -> bytes:
        await trio.lowlevel.checkpoint()
        return self.messages

    def open_pty(self) -> FakePty:
        if self.pty_error is not None:
            raise self.pty_error
        pty = FakePty(f"/dev/pts/{len(self.ptys)}", self.pty_capacity)
        self.ptys.append(pty)
        return pty


def domain(domid: int, uuid: str, *, is_dying: bool = False) -> DomainInfo:
    return DomainInfo(
        domid=domid,
        uuid=uuid,
        is_running=False,
        is_blocked=True,
        is_paused=False,
        is_shutdown=False,
        is_dying=is_dying,
        shutdown_reason=None,
        memory_kib=1,
        max_memory_kib=1,
        bound_kib=1,
        outstanding_kib=0,
        cpu_time_ns=0,
        vcpus=1,
        max_vcpus=1,
    )


async def write_nodes(store: Client, domid: int, name: str, **nodes: str) -> None:
    """What a toolstack writes of a domain and its console."""
    home = f"/local/domain/{domid}"
    await store.write(f"{home}/name", name)
    nodes = {"type": "xenconsoled", "limit": "1048576", "tty": "", "ring-ref": "77", "port": "2"} | nodes
    for key, value in nodes.items():
        await store.write(f"{home}/console/{key.replace('_', '-')}", value)


@asynccontextmanager
async def serving(
    host: Host, logs: Path | None = None, *, keep_overflow: bool = False
) -> AsyncIterator[tuple[Consoles, Client]]:
    """The service, running."""
    async with host.client() as store, trio.open_nursery() as nursery:
        directory = None if logs is None else str(logs)
        consoles = Consoles(
            host, store, directory, host.open_pty, host.lines.append, keep_overflow=keep_overflow
        )
        await nursery.start(consoles.run)
        yield consoles, store
        nursery.cancel_scope.cancel()


async def begin(
    host: Host, consoles: Consoles, store: Client, domid: int = 1, name: str = "foo"
) -> GuestConsole:
    """A domain with a console that is served."""
    ring = host.rings.get(domid) or host.start(domid)
    await write_nodes(store, domid, name)
    await consoles.serve(domid, name, 77, 2)
    return ring
