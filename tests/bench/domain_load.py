"""What is done to a measured host: domains made and ended, AT_A_TIME, and followed until they are up."""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import trio

from tests.bench.host import ONE_OF_EACH, Failed, MeasuredHost, Shape
from xenclient.store.aio import Client as Store
from xenclient.xend.aio import Client, Events

AT_A_TIME = 50
#: How long nothing may be heard of devices that are to connect.
SILENCE_SECONDS = 60.0
#: One request in the store's trace: its connection and its type.
_REQUEST = re.compile(rb"IN (0x[0-9a-f]+) \S+ \S+ (\w+) ")


async def each(names: Sequence[str], work: Callable[[str], Awaitable[object]]) -> None:
    """Do something to all, AT_A_TIME at a time."""
    waiting = iter(names)

    async def worker() -> None:
        for name in waiting:
            await work(name)

    async with trio.open_nursery() as nursery:
        for _ in range(min(AT_A_TIME, len(names))):
            nursery.start_soon(worker)


async def create(
    host: MeasuredHost, client: Client, names: Sequence[str], shape: Shape = ONE_OF_EACH
) -> None:
    """Create domains; returns when the devices of all are connected."""
    async with client.events(kinds=["device"]) as events, trio.open_nursery() as nursery:
        nursery.start_soon(_connected, events, len(names) * shape.devices)
        await each(names, lambda name: client.create(host.configuration(name, shape)))


async def destroy(client: Client, names: Sequence[str]) -> None:
    """Destroy domains."""
    await each(names, client.destroy)


async def cycle(host: MeasuredHost, client: Client, names: Sequence[str]) -> None:
    """Create and destroy one domain of each name; AT_A_TIME at most are there at a time."""

    async def once(name: str) -> None:
        await client.create(host.configuration(name))
        await client.destroy(name)

    await each(names, once)


async def _connected(events: Events, wanted: int) -> None:
    while wanted:
        event = await events.next(SILENCE_SECONDS)
        wanted -= event["what"] == "connected"


async def count_nodes(host: MeasuredHost) -> int:
    """How many nodes the store holds."""
    async with Store(str(host.store)) as store:
        return await _below(store, "/")


async def _below(store: Store, path: str) -> int:
    names = await store.directory(path)
    return len(names) + sum([await _below(store, f"{path.rstrip('/')}/{name}") for name in names])


async def count_requests(
    host: MeasuredHost, work: Callable[[], Awaitable[object]]
) -> tuple[Counter[str], Counter[str]]:
    """The store's requests while something is done, by type: those of xend, and those of all others
    (guests, dom0's kernel, scripts)."""
    trace = host.directory / "trace"
    before = trace.stat().st_size if trace.exists() else 0
    async with Store(str(host.store)) as store:
        await store.control("logfile", str(trace))
        await work()
        await store.control("log", "off")
    return counted(trace, before)


def counted(trace: Path, begin: int) -> tuple[Counter[str], Counter[str]]:
    """The requests of a trace from byte `begin` on, of xend and of others; xend is who introduced a domain,
    now or before.

    Raises:
        Failed: nobody did.
    """
    data = trace.read_bytes()
    introduced = next((c for c, kind in _REQUEST.findall(data) if kind == b"INTRODUCE"), None)
    if introduced is None:
        raise Failed("no domain was introduced while requests were counted")
    of_xend, of_others = Counter[str](), Counter[str]()
    for connection, kind in _REQUEST.findall(data[begin:]):
        (of_xend if connection == introduced else of_others)[kind.decode()] += 1
    return of_xend, of_others
