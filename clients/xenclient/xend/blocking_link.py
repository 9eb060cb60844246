"""What a blocking client waits for, over a socket that waits; see `link` for how calls are made."""

from __future__ import annotations

import time

from xenclient.xend.address import open_socket
from xenclient.xend.errors import DeadlineError
from xenclient.xend.link import RECEIVE_BYTES, Follower, Link, Wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Awaitable, Callable
    from typing import TypeVar

    T = TypeVar("T")

#: Longer waits are made of several; the operating system's own limit is some weeks.
LONGEST_WAIT_SECONDS = 3600.0


class Deadline(Wait):
    """So many seconds from now on; None is for ever."""

    def __init__(self, link: BlockingLink, seconds: float | None, wait: Wait) -> None:
        super().__init__(wait.awaited)
        self.request = wait.request
        self._link = link
        self._seconds = seconds
        self._start = time.monotonic()

    def left(self) -> float | None:
        """The seconds left, not below 0."""
        if self._seconds is None:
            return None
        return max(0.0, self._start + self._seconds - time.monotonic())

    def check(self) -> None:
        """Return if there are any left.

        Raises:
            DeadlineError: none.
        """
        if self._seconds is not None and not self.left():
            raise DeadlineError(self.awaited, self._seconds, self._link.where, self.request)

    def at_most(self, seconds: float) -> Deadline:
        """For something else to wait for: until this one, or so many seconds from now, if that is sooner."""
        other = Deadline(self._link, seconds, self)
        left = self.left()
        if left is not None and left <= seconds:
            other._seconds, other._start = self._seconds, self._start
        return other


class BlockingLink(Link):
    """Waits on one socket at a time, for one thread."""

    _stream: socket | None

    def __init__(
        self,
        path: str | None,
        timeout: float,
        follower: Follower | None = None,
        idle: Callable[[int], object] | None = None,
    ) -> None:
        """idle: called before each wait for xend with the socket's descriptor; see Client.events."""
        super().__init__(path, timeout, open_socket, follower)
        self._idle = idle

    def fileno(self) -> int:
        """The descriptor of the socket.

        Raises:
            ConnectionLost: there is no connection.
        """
        if self._stream is None:
            raise self.lost_error()
        return self._stream.fileno()

    def deadline(self, seconds: float | None, awaited: str) -> Deadline:
        """For `flush` and `until`."""
        return Deadline(self, seconds, Wait(awaited))

    async def close(self) -> None:
        self._closed = True
        self._lose("the client was closed")

    async def within(self, seconds: float | None, wait: Wait, work: Callable[[Deadline], Awaitable[T]]) -> T:
        return await work(Deadline(self, seconds, wait))

    async def connect_again(self, wait: Deadline) -> None:
        if self._closed:
            raise self._closed_error()
        if self.connection.lost:
            await self._open(wait.at_most(self.timeout), patient=True)

    async def flush(self, wait: Deadline) -> None:
        """Send what waits to be sent, as far as it goes out in this time."""
        wait.check()
        self._flush(wait.left())

    async def until(self, is_done: Callable[[], bool], wait: Deadline) -> None:
        while not is_done() and not self.connection.lost:
            # Not all may have gone out at once, and `idle` may have queued more.
            self._flush(wait.left())
            if self._idle is not None and self._stream is not None:
                self._idle(self._stream.fileno())
            self._receive(wait.left())
            if not is_done():
                wait.check()

    async def _let_others_run(self) -> None:
        pass

    async def _pause(self, seconds: float, wait: Deadline) -> None:
        wait.check()
        left = wait.left()
        time.sleep(seconds if left is None else min(seconds, left))  # noqa: ASYNC251  (it blocks by design)
        wait.check()

    def _receive(self, seconds: float | None) -> None:
        """Wait for bytes and take them; may return early."""
        if self._stream is None:
            return
        connection = self.connection
        try:
            self._limit(self._stream, seconds)
            data = self._stream.recv(RECEIVE_BYTES)
        except (TimeoutError, BlockingIOError):
            return
        except OSError as error:
            self._lose(f"the connection failed ({error.strerror or error})")
            return
        try:
            self._received(connection, data)
        finally:
            if connection.lost:
                self._lose(connection.lost)

    def _flush(self, seconds: float | None) -> None:
        while self._stream is not None and (data := self.connection.to_send()):
            try:
                self._limit(self._stream, seconds)
                self.connection.sent(self._stream.send(data))
            except (TimeoutError, BlockingIOError):
                return
            except OSError as error:
                self.connection.broken = f"the connection failed ({error.strerror or error})"
            except BaseException:
                # An interrupt may have come between sending and counting: what went out is unknown.
                self._lose("interrupted while sending")
                raise

    def _limit(self, sock: socket, seconds: float | None) -> None:
        sock.settimeout(None if seconds is None else min(seconds, LONGEST_WAIT_SECONDS))

    def _lose(self, reason: str) -> None:
        self.connection.lose(reason)
        if self._stream is not None:
            self._stream.close()
            self._stream = None
