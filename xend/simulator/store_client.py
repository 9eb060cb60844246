"""A kernel's xenstore client, over the page it shares with the store.

Requests of any number of tasks are under way at once, told apart by their ids, as in the kernels of Linux and
NetBSD.  The store may be killed and started again meanwhile: the ring goes on.  Where it begins anew (the
domain is introduced a second time), watches and unanswered requests are sent again.
Source: xen/include/public/io/xs_wire.h.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import trio

from xend.simulator.channel import Channel
from xend.simulator.gate import Gate
from xenstore._ring import Consumer, Page, Producer
from xenstore.wire import HEADER, HEADER_SIZE, PAYLOAD_MAX, MessageType, pack

_RING_SIZE = 1024
_REQUESTS, _REPLIES = 0, 1024
_REQ_CONS, _REQ_PROD, _RSP_CONS, _RSP_PROD, _FEATURES, _CONNECTION = range(2048, 2072, 4)
_RECONNECT = 1

#: How often the ring is looked at without a notification, in seconds: while an answer is due, and else.
LOOK_SECONDS = 5.0
IDLE_LOOK_SECONDS = 20.0


class StoreError(Exception):
    """The store refused a request; `name` is the errno's."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class BackendStore(Protocol):
    """What backends need of a store: a kernel has its page, a device model a connection."""

    async def read_all(self, paths: Sequence[str]) -> list[str | None]: ...
    async def list(self, path: str) -> list[str]: ...
    async def write(self, path: str, value: str) -> None: ...
    async def write_where(self, guard: str, nodes: Mapping[str, str]) -> bool: ...
    async def watch(self, path: str, token: str) -> None: ...
    async def unwatch(self, path: str, token: str) -> None: ...


class _Call:
    """A request under way."""

    def __init__(self, message: bytes) -> None:
        self.message = message
        self.answered = trio.Event()
        self.type = -1
        self.payload = b""

    async def result(self) -> bytes:
        await self.answered.wait()
        if self.type == MessageType.ERROR:
            raise StoreError(_text(self.payload))
        return self.payload


class StoreClient:
    """One domain's connection; `run` must be running.

    page: the shared page.  channel: the domain's end of the event channel.  fire: notifies the store.
    on_event: called with (path, token) of each watch event.  before: awaited before each request.
    """

    def __init__(
        self,
        page: object,
        channel: Channel,
        fire: Callable[[], object],
        on_event: Callable[[str, str], None],
        gate: Gate,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._page = Page(page)
        self._channel = channel
        self._fire = fire
        self._on_event = on_event
        self._gate = gate
        self._before = before
        self._last_id = 0
        self._calls: dict[int, _Call] = {}
        self._watches: dict[tuple[str, str], None] = {}
        self._exchanging = False
        self._looking = trio.CancelScope()
        self._attach()

    def _attach(self) -> None:
        """Begin where the page says."""
        self._requests = Producer(self._page, _REQUESTS, _RING_SIZE, _REQ_PROD, _REQ_CONS)
        self._replies = Consumer(self._page, _REPLIES, _RING_SIZE, _RSP_PROD, _RSP_CONS)
        self._input = bytearray()
        self._output = bytearray()

    # --- serving ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve the ring, until cancelled."""
        while True:
            with trio.move_on_after(LOOK_SECONDS if self._calls else IDLE_LOOK_SECONDS) as self._looking:
                await self._channel.wait()
            await self._gate.passed()
            await self._exchange()

    async def begin_anew(self) -> None:
        """Ask the store to forget who used this ring before; returns once it has, before any request."""
        self._page.store(_CONNECTION, _RECONNECT)
        while self._page.load(_CONNECTION) == _RECONNECT:
            self._fire()
            with trio.move_on_after(LOOK_SECONDS):
                await self._channel.wait()
        self._attach()

    async def _exchange(self) -> None:
        if self._page.load(_REQ_PROD) != self._requests.position:
            self._resend()
        took = self._take()
        if took:
            # Two rounds, so that whoever got an answer has asked on: one notification tells of all.
            self._exchanging = True
            try:
                await trio.lowlevel.checkpoint()
                await trio.lowlevel.checkpoint()
            finally:
                self._exchanging = False
        if self._give() or took:
            self._fire()

    def _resend(self) -> None:
        self._attach()
        for path, token in self._watches:
            self._output += pack(MessageType.WATCH, _payload(path, token))
        for call in self._calls.values():
            self._output += call.message

    def _take(self) -> bool:
        """Take and deliver all that waits; returns whether there was anything."""
        data = self._replies.read()
        if not data:
            return False
        self._input += data
        while len(self._input) >= HEADER_SIZE:
            type, req_id, _, size = HEADER.unpack_from(self._input)
            end = HEADER_SIZE + size
            if len(self._input) < end:
                break
            self._deliver(type, req_id, bytes(self._input[HEADER_SIZE:end]))
            del self._input[:end]
        return True

    def _deliver(self, type: int, req_id: int, payload: bytes) -> None:
        if type == MessageType.WATCH_EVENT:
            path, token = [*payload.split(b"\0"), b""][:2]
            self._on_event(_text(path), _text(token))
        elif (call := self._calls.pop(req_id, None)) is not None:
            call.type, call.payload = type, payload
            call.answered.set()

    def _give(self) -> bool:
        """Give what fits; returns whether anything was given."""
        if not self._output:
            return False
        count = self._requests.write(bytes(self._output)) or 0
        del self._output[:count]
        return count > 0

    # --- asking -----------------------------------------------------------------------------------------

    async def _post(self, type: int, payload: bytes, tx_id: int = 0) -> _Call:
        await self._gate.passed()
        if self._before is not None:
            await self._before()
        if len(payload) > PAYLOAD_MAX:
            raise StoreError("E2BIG")
        self._last_id = self._last_id % 0xFFFFFFFF + 1
        call = _Call(pack(type, payload, req_id=self._last_id, tx_id=tx_id))
        self._calls[self._last_id] = call
        self._looking.deadline = min(self._looking.deadline, trio.current_time() + LOOK_SECONDS)
        self._output += call.message
        if not self._exchanging and self._give():
            self._fire()
        return call

    async def ask(self, type: int, payload: bytes, tx_id: int = 0) -> bytes:
        """The answer to one request.

        Raises:
            StoreError: the store refused it.
        """
        return await (await self._post(type, payload, tx_id)).result()

    async def read(self, path: str) -> str:
        """A node's value; bytes that are no UTF-8 are replaced."""
        return _text(await self.ask(MessageType.READ, _payload(path)))

    async def read_all(self, paths: Sequence[str]) -> list[str | None]:
        """The values of several nodes, asked for at once; None for one that cannot be read."""
        calls = [await self._post(MessageType.READ, _payload(path)) for path in paths]
        values: list[str | None] = []
        for call in calls:
            try:
                values.append(_text(await call.result()))
            except StoreError:
                values.append(None)
        return values

    async def write(self, path: str, value: str) -> None:
        """Write one node."""
        await self.write_all({path: value})

    async def remove(self, path: str) -> None:
        """Remove a node."""
        await self.ask(MessageType.RM, _payload(path))

    async def write_all(self, nodes: Mapping[str, str], tx_id: int = 0) -> None:
        """Write nodes in this order, sent at once; the first refusal is raised after all were tried."""
        calls = [
            await self._post(MessageType.WRITE, _payload(path) + value.encode(), tx_id)
            for path, value in nodes.items()
        ]
        refusal = None
        for call in calls:
            try:
                await call.result()
            except StoreError as error:
                refusal = refusal or error
        if refusal is not None:
            raise refusal

    async def write_where(self, guard: str, nodes: Mapping[str, str]) -> bool:
        """Write nodes in one transaction if the node `guard` exists; returns whether it does.

        Who may write everywhere would else bring back a directory that is removed meanwhile.
        """
        while True:
            tx_id = int(_text(await self.ask(MessageType.TRANSACTION_START, b"\0")))
            exists = True
            try:
                await self.ask(MessageType.READ, _payload(guard), tx_id)
                await self.write_all(nodes, tx_id)
            except StoreError:
                exists = False
            try:
                await self.ask(MessageType.TRANSACTION_END, b"T\0" if exists else b"F\0", tx_id)
            except StoreError as error:
                if error.name == "EAGAIN":
                    continue
                raise
            return exists

    async def list(self, path: str) -> list[str]:
        """The names of a node's children; none if there is no such node."""
        try:
            names = await self.ask(MessageType.DIRECTORY, _payload(path))
        except StoreError:
            return []
        return [_text(name) for name in names.split(b"\0") if name]

    async def watch(self, path: str, token: str) -> None:
        """Hear of changes of a node and all below it."""
        self._watches[path, token] = None
        try:
            await self.ask(MessageType.WATCH, _payload(path, token))
        except StoreError as error:
            if error.name != "EEXIST":  # sent twice: the ring began anew meanwhile
                self._watches.pop((path, token), None)
                raise

    async def unwatch(self, path: str, token: str) -> None:
        """Hear of them no more; nothing happens if they were not watched."""
        self._watches.pop((path, token), None)
        try:
            await self.ask(MessageType.UNWATCH, _payload(path, token))
        except StoreError as error:
            if error.name != "ENOENT":
                raise


def _payload(*strings: str) -> bytes:
    return b"".join(string.encode() + b"\0" for string in strings)


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode("utf-8", "replace")
