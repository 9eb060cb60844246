"""What a trio client waits for, over a stream that tasks share; see `link` for how operations are done."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from xenclient.store.core import Pause, Request
from xenclient.store.errors import ConnectionLost, DeadlineError
from xenclient.store.link import RECEIVE_BYTES, SERVER_CLOSED, Link, Wait, results_of
from xenclient.store.watches import Queue
from xenstore.errors import XenstoreError

if TYPE_CHECKING:
    from xenclient.store.address import Address
    from xenclient.store.core import Call, Connection, Steps

T = TypeVar("T")


def open_stream(address: Address) -> trio.SocketStream:
    """A stream to the store; errors as `Address.open`."""
    sock = socket.socket(fileno=address.open().detach())
    return trio.SocketStream(trio.socket.from_stdlib_socket(sock))


class TrioQueue(Queue):
    """Wakes the tasks that wait for its next event."""

    def __init__(self) -> None:
        super().__init__()
        self.readers = trio.lowlevel.ParkingLot()
        self.wake = self.readers.unpark_all


class TrioLink(Link):
    """Waits for any number of tasks; `keep` reads, writes and reconnects meanwhile."""

    _stream: trio.abc.Stream | None

    def __init__(
        self,
        where: str,
        reconnect: float,
        random: Callable[[], float],
        connect: Callable[[], trio.abc.Stream],
    ) -> None:
        super().__init__(where, reconnect, random, connect)
        self._failures = 0
        self._failure = ""
        self._to_send = trio.Event()
        self._wanted = trio.Event()
        self._unconnected = trio.lowlevel.ParkingLot()

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

    def new_queue(self) -> TrioQueue:
        return TrioQueue()

    def run_together(
        self, operations: Sequence[Steps[Any]], seconds: float
    ) -> Coroutine[Any, Any, list[Any]]:
        return self._within(seconds, lambda wait: self._drive_together(operations, wait))

    async def _within(self, seconds: float | None, work: Callable[[Wait], Awaitable[T]]) -> T:
        wait = Wait()
        if seconds is None:
            return await work(wait)
        with trio.move_on_after(seconds):
            return await work(wait)
        raise DeadlineError(wait.awaited(), seconds, self.where)

    async def _let_others_run(self) -> None:
        await trio.lowlevel.checkpoint()

    async def _pause(self, pause: Pause, wait: Wait) -> None:
        wait.awaited = lambda: pause.awaited
        await trio.sleep(pause.seconds)

    async def _wait_for_answer(self, call: Call, wait: Wait) -> None:
        answered = trio.Event()
        call.wake = answered.set
        self._to_send.set()
        await answered.wait()

    async def _wait_for_event(self, queue: Queue, wait: Wait) -> None:
        assert isinstance(queue, TrioQueue)
        if self._closed:
            raise self._closed_error()
        self._wanted.set()
        await queue.readers.park()

    async def _connect_again(self, wait: Wait) -> None:
        """Does nothing itself: `keep` does."""
        failures = self._failures
        self._wanted.set()
        await self._unconnected.park()
        if self._failures != failures:
            raise ConnectionLost(self._failure)

    def _send_posted(self, request: Request) -> None:
        self._to_send.set()

    def _abandon(self, call: Call) -> None:
        super()._abandon(call)
        self._to_send.set()

    async def _drive_together(self, operations: Sequence[Steps[Any]], wait: Wait) -> list[Any]:
        connection = await self._connected(wait)
        first = [next(steps) for steps in operations]
        begun = deque((item, self._try_to_send(connection, item)) for item in first)
        self._to_send.set()
        try:
            return await results_of(self._drive(each, wait, begun.popleft()) for each in operations)
        finally:
            for _, sent in begun:
                if not isinstance(sent, XenstoreError):
                    self._abandon(sent)

    def _try_to_send(self, connection: Connection, item: Request | Pause) -> Call | XenstoreError:
        assert isinstance(item, Request)
        try:
            return connection.call(item)
        except XenstoreError as error:
            return error

    async def _open(self, wait: Wait, patient: bool) -> None:
        await super()._open(wait, patient)
        self._to_send.set()
        self._unconnected.unpark_all()

    async def _reconnected(self) -> bool:
        """Whether the server came back in time; if not, everybody who waits is told."""
        reason = self.connection.lost
        try:
            await self._within(self.reconnect, lambda wait: self._open(wait, patient=True))
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
