"""Driving a link over a trio stream that many tasks share; what `aio` is built on.

There is no task in the background: of those that wait, one receives for all.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import trio

from xenclient.xend.address import open_socket
from xenclient.xend.core import CALLS_MAX
from xenclient.xend.errors import CALL, ClientError, DeadlineError
from xenclient.xend.link import RECEIVE_BYTES, Follower, Link

if TYPE_CHECKING:
    from xenclient.xend.core import Call, Connection, Request

    #: Opens a path; errors as address.open_socket.
    Connect = Callable[[str], trio.abc.Stream]

#: Sending is not interrupted halfway through a message; a server that takes nothing for so long is lost.
_SEND_SECONDS = 5.0


def connect_socket(path: str) -> trio.abc.Stream:
    """A stream to the socket at `path`."""
    sock = socket.socket(fileno=open_socket(path).detach())
    return trio.SocketStream(trio.socket.from_stdlib_socket(sock))


class TrioLink(Link):
    """One stream at a time, for any number of tasks."""

    def __init__(
        self, path: str | None, timeout: float, connect: Connect, follower: Follower | None = None
    ) -> None:
        super().__init__(path, timeout, follower)
        self._connect = connect
        self._stream: trio.abc.Stream | None = None
        self._closed = False
        self._slots = trio.Semaphore(CALLS_MAX)
        self._connecting = trio.Lock()
        self._sending = trio.Lock()
        self._is_receiving = False
        self._moved = trio.lowlevel.ParkingLot()

    async def open(self) -> None:
        """Make the first connection.

        Raises:
            ConnectError: xend is not there, or may not be asked.
        """
        await self._open_stream(patient=False)

    async def close(self) -> None:
        self._closed = True
        await self._lose(self.connection, "the client was closed")

    async def ask(self, request: Request) -> Any:
        """The answer to a request."""
        seconds = self.limit(request)
        with trio.move_on_after(math.inf if seconds is None else seconds):
            async with self._slots:
                return await self._ask(request)
        assert seconds is not None
        raise DeadlineError(f"the answer to {CALL}", seconds, self.where, request)

    async def _ask(self, request: Request) -> Any:
        steps = self.asking(request)
        try:
            while True:
                call = next(steps)
                if call is None:
                    await self.connect_again()
                else:
                    await self._finish(call)
        except StopIteration as stop:
            return stop.value

    async def _finish(self, call: Call) -> None:
        await self.flush()
        await self.until(lambda: call.done)

    async def until(self, is_done: Callable[[], bool]) -> None:
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

    async def connect_again(self) -> None:
        """Have a connection.

        Raises:
            ClientError: the client is closed.
            DeadlineError: xend did not come back.
        """
        async with self._connecting:
            if self._closed:
                raise ClientError(f"this client of {self.path} is closed")
            if self.connection.lost:
                await self._open_stream(patient=True)

    async def flush(self) -> None:
        """Send what waits to be sent."""
        async with self._sending:
            connection, stream = self.connection, self._stream
            while stream is not None and (data := connection.to_send()):
                with trio.CancelScope(deadline=trio.current_time() + _SEND_SECONDS, shield=True) as scope:
                    await self._send(connection, stream, data)
                if scope.cancelled_caught:
                    await self._lose(connection, f"xend takes nothing for {_SEND_SECONDS:g} s")

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
            self.received(connection, bytes(data))
        finally:
            if connection.lost:
                await self._lose(connection, connection.lost)

    async def _open_stream(self, patient: bool) -> None:
        steps = self.connecting(self._connect, patient)
        awaited = ""
        with trio.move_on_after(self.timeout):
            try:
                while True:
                    seconds, awaited = next(steps)
                    await trio.sleep(seconds)
            except StopIteration as stop:
                self._stream = stop.value
                self.connected()
                await trio.lowlevel.checkpoint()
                return
        raise DeadlineError(awaited, self.timeout, self.where)

    async def _lose(self, connection: Connection, reason: str) -> None:
        connection.lose(reason)
        if connection is not self.connection:
            return  # another task has made a new one meanwhile
        stream, self._stream = self._stream, None
        self._moved.unpark_all()
        if stream is not None:
            await trio.aclose_forcefully(stream)
