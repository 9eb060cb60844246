"""A small xend for the bus and its clients: operations of three steps, consoles that echo in capitals."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgpack
import trio
from trio.testing import memory_stream_pair

from xend.bus import (
    DATA,
    DOMAIN,
    FLAG,
    NUMBER,
    OPERATION,
    TEXT,
    TEXTS,
    Call,
    EventLog,
    Method,
    Server,
    event_methods,
    hello,
    optional,
    required,
    serve,
)
from xend.bus.streaming import Publish
from xend.errors import XendError

STEPS = ["allocate", "build", "introduce"]


class Toy:
    """Its methods, and what they did.

    Attributes:
        executed: the texts of the domains that were created.
        may_end: operations whose text is "slow" wait for it.
        cancelled: names of calls that were cancelled.
        publish: of the paths watched last.
    """

    def __init__(self, last_seq: int = 0) -> None:
        self.events = EventLog(last_seq=last_seq)
        self.executed: list[str] = []
        self.cancelled: list[str] = []
        self.log: list[str] = []
        self.may_end = trio.Event()
        self.publish: Publish = lambda path, token: None
        self.watched: list[str] = []
        self.fail_watches = trio.Event()
        self._results: dict[str, dict[str, Any]] = {}
        self._viewers: dict[int, Call] = {}

    def methods(self) -> list[Method]:
        return [
            hello({"server": "xend", "version": "0.1.0", "hypervisor": "toy"}),
            Method("domain.list", "read", {"domain": optional(DOMAIN)}, self.domains),
            Method("domain.create", "operate", CREATE, self.create),
            Method("domain.destroy", "operate", {"domain": required(DOMAIN), **OPERATION}, self.destroy),
            Method("operation.wait", "read", WAIT, self.wait, cancel_on_close=True),
            Method("console.attach", "operate", ATTACH, self.attach),
            Method("console.write", "operate", WRITE, self.write),
            Method("test.fault", "read", {}, self.fault),
            Method("test.unsayable", "read", {}, self.unsayable),
            Method("test.nursery", "read", {}, self.nursery),
            Method("test.undone", "read", {}, self.undone),
            *event_methods(self.events, self.watch_paths, self.log.append),
        ]

    async def domains(self, call: Call, domain: str | int | None = None) -> object:
        return [{"domid": 0, "name": "Domain-0"}]

    async def create(
        self, call: Call, text: str, key: str = "", paused: bool = False, extra: object = None, **_: Any
    ) -> dict[str, Any]:
        if key in self._results:
            return self._results[key]
        self.executed.append(text)
        number = len(self.executed)
        for step, _name in enumerate(STEPS):
            operation = {"operation": number, "kind": "domain.create", "key": key, "step": step}
            self.events.publish("operation", "step", operation=operation)
            await trio.lowlevel.checkpoint()
        try:
            if text == "slow":
                await self.may_end.wait()
        except trio.Cancelled:
            self.cancelled.append("domain.create")
            raise
        result = {"operation": number, "domid": number, "name": f"d{number}", "paused": paused}
        self._results[key] = result
        return result

    async def destroy(self, call: Call, domain: str | int, **_: Any) -> dict[str, Any]:
        raise XendError(
            "no_such_domain", f"there is no domain {domain}", domain=str(domain), hint="xl list shows all"
        )

    async def wait(self, call: Call, operation: int) -> dict[str, Any]:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            self.cancelled.append("operation.wait")
            raise

    async def attach(self, call: Call, domain: str | int, history: int = 4096) -> dict[str, Any]:
        number = len(self._viewers) + 1
        self._viewers[number] = call
        call.connection.on_close(lambda: self._viewers.pop(number))
        past = {"console": number, "data": b"login: "[:history]}
        call.after_answer(lambda: call.notify("console", past))
        return {"domid": 7, "console": number}

    async def write(self, call: Call, console: int, data: bytes) -> dict[str, Any]:
        if console not in self._viewers:
            raise XendError("bad_request", f"console.write: no console {console} on this connection")
        if data == b"poweroff\n":
            call.notify("console", {"console": console, "eof": True})
        else:
            call.notify("console", {"console": console, "data": data.upper()})
        return {}

    async def fault(self, call: Call) -> object:
        return 1 // 0

    async def unsayable(self, call: Call) -> object:
        return {"it": object()}

    async def nursery(self, call: Call) -> object:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.destroy, call, "x")
        return {}

    async def undone(self, call: Call) -> object:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            raise XendError("cancelled", "test.undone was cancelled, and undone") from None

    @asynccontextmanager
    async def watch_paths(self, paths: list[str], publish: Publish) -> AsyncIterator[None]:
        if any(not path.startswith(("/", "@")) for path in paths):
            raise XendError("store_failed", f"cannot watch {paths[0]}", cause="EINVAL")
        self.watched += paths
        self.publish = publish
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._fail_watches)
            yield
            nursery.cancel_scope.cancel()

    async def _fail_watches(self) -> None:
        await self.fail_watches.wait()
        raise XendError("store_failed", "the store is gone")

    @property
    def viewers(self) -> int:
        return len(self._viewers)


CREATE = {
    "text": required(TEXT),
    "name": optional(TEXT),
    "directory": optional(TEXT),
    "extra": optional(TEXTS),
    "paused": optional(FLAG),
    "dry_run": optional(FLAG),
    **OPERATION,
}
WAIT = {"operation": required(NUMBER)}
WRITE = {"console": required(NUMBER), "data": required(DATA)}
ATTACH = {"domain": required(DOMAIN), "history": optional(NUMBER)}


class Wire:
    """The other end of a connection: whole messages, by hand."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._unpacker = msgpack.Unpacker()

    async def send(self, *messages: object) -> None:
        await self.stream.send_all(b"".join(msgpack.packb(message) for message in messages))

    async def receive(self) -> Any:
        """The next message; None at the end."""
        while True:
            for message in self._unpacker:
                return message
            data = await self.stream.receive_some(65536)
            if not data:
                return None
            self._unpacker.feed(data)

    async def ask(self, id: int, method: str, **params: object) -> Any:
        await self.send([0, id, method, [params] if params else []])
        return await self.receive()


@asynccontextmanager
async def bus(toy: Toy) -> AsyncIterator[Callable[..., Wire]]:
    """The toy served on streams in memory; gives what makes a connection."""
    async with trio.open_nursery() as nursery:
        server: Server = await nursery.start(serve, [], toy.methods(), toy.log.append)

        def connect(access: str = "operate") -> Wire:
            ours, theirs = memory_stream_pair()
            nursery.start_soon(server.converse, theirs, access)
            return Wire(ours)

        yield connect
        nursery.cancel_scope.cancel()
