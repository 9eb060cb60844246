"""Driving operations over a trio stream that many tasks share; what `aio` is built on."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import trio

from xenclient.store.core import Pause, Request
from xenclient.store.errors import ClientError, ConnectionLost, DeadlineError
from xenclient.store.link import RECEIVE_BYTES, SERVER_CLOSED, Link
from xenclient.store.transactions import conflict_pauses
from xenstore.errors import EAGAIN, XenstoreError

if TYPE_CHECKING:
    from xenclient.store.core import Call, Connection, Steps
    from xenclient.store.watches import Event, Queue

T = TypeVar("T")


class Progress:
    """What an operation waits for just now; for the error of the deadline."""

    def __init__(self) -> None:
        self.awaited: Callable[[], str] = str


class _Sent(NamedTuple):
    """A request under way."""

    connection: Connection
    call: Call
    answered: trio.Event


class TrioLink(Link):
    """Drives the operations of any number of tasks; `keep` reads, writes and reconnects meanwhile."""

    def __init__(
        self,
        where: str,
        reconnect: float,
        random: Callable[[], float],
        connect: Callable[[], trio.abc.Stream],
    ) -> None:
        super().__init__(where, reconnect, random)
        self._connect = connect
        self._stream: trio.abc.Stream | None = None
        self._closed = False
        self._failures = 0
        self._failure = ""
        self._to_send = trio.Event()
        self._wanted = trio.Event()
        self._unconnected = trio.lowlevel.ParkingLot()

    async def open(self, seconds: float) -> None:
        """Make the first connection."""
        await self._within(seconds, lambda progress: self._open(progress, patient=False))

    async def keep(self) -> None:
        """Serve the connection; whenever it is lost, make it again."""
        while True:
            await self._serve()
            while not await self._reconnected():
                self._wanted = trio.Event()
                await self._wanted.wait()

    def close(self) -> None:
        """Everybody who waits gets an error; nothing works any more."""
        self._closed = True
        self.connection.lose("the client was closed")
        self.watches.fail(self._closed_error())
        self._unconnected.unpark_all()

    async def run(self, steps: Steps[T], seconds: float) -> T:
        """The operation's result, within `seconds`."""
        return await self._within(seconds, lambda progress: self._drive(steps, progress))

    async def run_together(self, operations: Sequence[Steps[Any]], seconds: float) -> list[Any]:
        """The operations' results, in their order; see aio.Client.together."""
        return await self._within(seconds, lambda progress: self._drive_together(operations, progress))

    def post(self, request: Request | None) -> None:
        """Send a request whose answer does not matter, if there is a connection to send it on."""
        if request is not None and not self.connection.lost:
            self.connection.abandon(self.connection.call(request))
            self._to_send.set()

    async def next_event(
        self, queue: Queue, readers: trio.lowlevel.ParkingLot, seconds: float | None
    ) -> Event | None:
        """The queue's next event; None when it is closed.  `readers` is woken when there is something."""

        async def wait(progress: Progress) -> Event | None:
            progress.awaited = lambda: "a watch event"
            await trio.lowlevel.checkpoint()
            while not queue.ready():
                if self._closed:
                    raise self._closed_error()
                self._wanted.set()
                await readers.park()
            return queue.take()

        return await self._within(math.inf if seconds is None else seconds, wait)

    async def retrying(self, attempt: Callable[[], Awaitable[T]], seconds: float) -> T:
        """The attempt's result, tried again after each EAGAIN, within `seconds`."""

        async def attempts(progress: Progress) -> T:
            progress.awaited = lambda: "a transaction to commit"
            pauses = conflict_pauses(self.random)
            while True:
                try:
                    return await attempt()
                except EAGAIN:
                    await self._perform(next(pauses), None, progress)

        return await self._within(seconds, attempts)

    async def _within(self, seconds: float, work: Callable[[Progress], Awaitable[T]]) -> T:
        progress = Progress()
        with trio.move_on_after(seconds):
            return await work(progress)
        raise DeadlineError(progress.awaited(), seconds, self.where)

    async def _drive(
        self,
        steps: Generator[Request | Pause, bytes, T],
        progress: Progress,
        begun: tuple[Request | Pause, _Sent | XenstoreError | None] | None = None,
    ) -> T:
        """The operation's result; `begun`: its first request, and what became of sending that."""
        try:
            item, sent = (next(steps), None) if begun is None else begun
            while True:
                try:
                    answer = await self._perform(item, sent, progress)
                except BaseException as error:
                    item = steps.throw(error)
                else:
                    item = steps.send(answer)
                sent = None
        except StopIteration as stop:
            result: T = stop.value
            return result

    async def _drive_together(self, operations: Sequence[Steps[Any]], progress: Progress) -> list[Any]:
        progress.awaited = lambda: f"xenstored to come back ({self.connection.lost})"
        connection = await self._connected()
        first = [next(steps) for steps in operations]
        begun = deque((item, self._try_to_send(connection, item)) for item in first)
        results: list[Any] = []
        refusal: XenstoreError | None = None
        for steps in operations:
            try:
                results.append(await self._drive(steps, progress, begun.popleft()))
            except XenstoreError as error:
                refusal = refusal or error
            except BaseException:
                for _, sent in begun:
                    self._abandon(sent)
                raise
        if refusal is not None:
            raise refusal
        return results

    async def _perform(
        self, item: Request | Pause, sent: _Sent | XenstoreError | None, progress: Progress
    ) -> bytes:
        if isinstance(item, Pause):
            progress.awaited = lambda: item.awaited
            await trio.sleep(item.seconds)
            return b""
        if isinstance(sent, XenstoreError):
            raise sent
        while True:
            if sent is None:
                progress.awaited = lambda: f"xenstored to come back ({self.connection.lost}), for {item}"
                sent = self._send(await self._connected(), item)
            call = sent.call
            progress.awaited = call.awaited
            try:
                if not call.done:
                    await sent.answered.wait()
            except BaseException:
                self._abandon(sent)
                raise
            if not call.lost:
                return call.result()
            call.check_repeatable(f"{sent.connection.lost} ({self.where})")
            sent = None

    def _send(self, connection: Connection, request: Request) -> _Sent:
        answered = trio.Event()
        call = connection.call(request, answered.set)
        self._to_send.set()
        return _Sent(connection, call, answered)

    def _try_to_send(self, connection: Connection, item: Request | Pause) -> _Sent | XenstoreError:
        assert isinstance(item, Request)
        try:
            return self._send(connection, item)
        except XenstoreError as error:
            return error

    def _abandon(self, sent: _Sent | XenstoreError) -> None:
        if isinstance(sent, _Sent):
            sent.connection.abandon(sent.call)
            self._to_send.set()

    async def _connected(self) -> Connection:
        """The connection, once there is one again."""
        while self.connection.lost or self._closed:
            if self._closed:
                raise self._closed_error()
            failures = self._failures
            self._wanted.set()
            await self._unconnected.park()
            if self._failures != failures:
                raise ConnectionLost(self._failure)
        return self.connection

    async def _open(self, progress: Progress, patient: bool) -> None:
        self._stream = await self._drive(self.connecting(self._connect, patient), progress)
        self.connected()
        self._to_send.set()
        self._unconnected.unpark_all()

    async def _reconnected(self) -> bool:
        """Whether the server came back in time; if not, everybody who waits is told."""
        reason = self.connection.lost
        try:
            await self._within(self.reconnect, lambda progress: self._open(progress, patient=True))
        except DeadlineError as error:
            self._failures += 1
            self._failure = f"{reason}; {error}"
            self._unconnected.unpark_all()
            self.watches.fail(ConnectionLost(self._failure))
            return False
        return True

    async def _serve(self) -> None:
        assert self._stream is not None
        async with self._stream as stream, trio.open_nursery() as nursery:
            nursery.start_soon(self._write, stream, nursery.cancel_scope)
            await self._read(stream)
            nursery.cancel_scope.cancel()

    async def _read(self, stream: trio.abc.Stream) -> None:
        while not self.connection.lost:
            try:
                data = await stream.receive_some(RECEIVE_BYTES)
            except trio.BrokenResourceError as error:
                self._lose(error)
                return
            if data:
                self.connection.receive(bytes(data))
            else:
                self.connection.lose(SERVER_CLOSED)
            if self.connection.outgoing:
                self._to_send.set()

    async def _write(self, stream: trio.abc.Stream, reading: trio.CancelScope) -> None:
        while True:
            await self._to_send.wait()
            self._to_send = trio.Event()
            data = bytes(self.connection.outgoing)
            if not data:
                continue
            # Counted before it is sent: a stream does not say how much of it went out before it failed.
            self.connection.sent(len(data))
            try:
                await stream.send_all(data)
            except trio.BrokenResourceError as error:
                self._lose(error)
                reading.cancel()
                return

    def _lose(self, error: BaseException) -> None:
        self.connection.lose(f"the connection failed ({error.__cause__ or error})")

    def _closed_error(self) -> ClientError:
        return ClientError(f"this client of {self.where} is closed")
