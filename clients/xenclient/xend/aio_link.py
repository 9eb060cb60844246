"""What a trio client waits for, over a stream that many tasks share; see `link` for how calls are made.

There is no task in the background: of those that wait, one receives for all.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from xenclient.xend.address import open_socket
from xenclient.xend.core import CALLS_MAX
from xenclient.xend.errors import DeadlineError
from xenclient.xend.link import RECEIVE_BYTES, Follower, Link, Wait

if TYPE_CHECKING:
    from xenclient.xend.core import Connection, Request

    #: Opens a path; errors as address.open_socket.
    Connect = Callable[[str], trio.abc.Stream]

T = TypeVar("T")

#: Sending is not interrupted halfway through a message; a server that takes nothing for so long is lost.
_SEND_SECONDS = 5.0


def connect_socket(path: str) -> trio.abc.Stream:
    """A stream to the socket at `path`."""
    sock = socket.socket(fileno=open_socket(path).detach())
    return trio.SocketStream(trio.socket.from_stdlib_socket(sock))


class TrioLink(Link):
    """Waits on one stream at a time, for any number of tasks."""

    _stream: trio.abc.Stream | None

    def __init__(
        self, path: str | None, timeout: float, connect: Connect, follower: Follower | None = None
    ) -> None:
        super().__init__(path, timeout, connect, follower)
        self._slots = trio.Semaphore(CALLS_MAX)
        self._connecting = trio.Lock()
        self._sending = trio.Lock()
        self._is_receiving = False
        self._moved = trio.lowlevel.ParkingLot()

    async def close(self) -> None:
        self._closed = True
        await self._lose(self.connection, "the client was closed")

    async def within(self, seconds: float | None, wait: Wait, work: Callable[[Wait], Awaitable[T]]) -> T:
        limit = math.inf if seconds is None else seconds
        with trio.move_on_after(limit):
            return await work(wait)
        raise DeadlineError(wait.awaited, limit, self.where, wait.request)

    async def connect_again(self, wait: Wait) -> None:
        async with self._connecting:
            if self._closed:
                raise self._closed_error()
            if self.connection.lost:
                await self.within(self.timeout, Wait(""), lambda wait: self._open(wait, patient=True))

    async def flush(self, wait: Wait) -> None:
        async with self._sending:
            connection, stream = self.connection, self._stream
            while stream is not None and (data := connection.to_send()):
                with trio.CancelScope(deadline=trio.current_time() + _SEND_SECONDS, shield=True) as scope:
                    await self._send(connection, stream, data)
                if scope.cancelled_caught:
                    await self._lose(connection, f"xend takes nothing for {_SEND_SECONDS:g} s")

    async def until(self, is_done: Callable[[], bool], wait: Wait) -> None:
        """Receive, or let another task receive, until it is done or the connection is lost."""
        await trio.lowlevel.checkpoint()
        while not is_done() and not self.connection.lost:
            if self._is_receiving:
                await self._moved.park()
                continue
            self._is_receiving = True
            try:
                await self._receive()
            finally:
                self._is_receiving = False
                self._moved.unpark_all()

    async def _pause(self, seconds: float, wait: Wait) -> None:
        await trio.sleep(seconds)

    async def _let_others_run(self) -> None:
        await trio.lowlevel.checkpoint()

    async def _ask(self, request: Request, wait: Wait) -> Any:
        async with self._slots:
            return await super()._ask(request, wait)

    async def _open(self, wait: Wait, patient: bool) -> None:
        await super()._open(wait, patient)
        await trio.lowlevel.checkpoint()

    async def _send(self, connection: Connection, stream: trio.abc.Stream, data: bytes) -> None:
        try:
            await stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            connection.broken = f"the connection failed ({error.__cause__ or error})"
        else:
            connection.sent(len(data))

    async def _receive(self) -> None:
        connection, stream = self.connection, self._stream
        if stream is None:
            return
        try:
            data = await stream.receive_some(RECEIVE_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            await self._lose(connection, f"the connection failed ({error.__cause__ or error})")
            return
        try:
            self._received(connection, bytes(data))
        finally:
            if connection.lost:
                await self._lose(connection, connection.lost)

    async def _lose(self, connection: Connection, reason: str) -> None:
        connection.lose(reason)
        if connection is not self.connection:
            return  # another task has made a new one meanwhile
        stream, self._stream = self._stream, None
        self._moved.unpark_all()
        if stream is not None:
            await trio.aclose_forcefully(stream)
