"""What a blocking client waits for, over a transport that waits; see `link` for how operations are done."""

from __future__ import annotations

from xenclient.store.errors import ConnectionLost, DeadlineError
from xenclient.store.link import RECEIVE_BYTES, SERVER_CLOSED, TIMEOUT_SECONDS, Link, Wait, results_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any, Protocol, TypeVar

    from xenclient.store.core import Call, Pause, Request, Steps
    from xenclient.store.watches import Queue

    T = TypeVar("T")

    class Transport(Protocol):
        """A connected stream of bytes.  Errors are OSError."""

        def send(self, data: bytearray, timeout: float | None) -> int:
            """Send what can be sent at once, at least a byte; TimeoutError, which may come early."""

        def receive(self, size: int, timeout: float | None) -> bytes:
            """At most `size` bytes as soon as there are any, b"" at the end; TimeoutError likewise."""

        def close(self) -> None:
            """Free it."""


#: Longer waits are made of several; the operating system's own limit is some weeks.
LONGEST_WAIT_SECONDS = 3600.0


class UnixSocket:
    """The transport to xenstored's socket, or to the thread that has the kernel's device."""

    def __init__(self, sock: socket) -> None:
        self._sock = sock

    def send(self, data: bytearray, timeout: float | None) -> int:
        self._limit(timeout)
        return self._sock.send(data)

    def receive(self, size: int, timeout: float | None) -> bytes:
        self._limit(timeout)
        return self._sock.recv(size)

    def fileno(self) -> int:
        """For select()."""
        return self._sock.fileno()

    def close(self) -> None:
        self._sock.close()

    def _limit(self, timeout: float | None) -> None:
        self._sock.settimeout(None if timeout is None else min(timeout, LONGEST_WAIT_SECONDS))


class Deadline(Wait):
    """So many seconds from now on; None is for ever."""

    def __init__(self, link: BlockingLink, seconds: float | None) -> None:
        self.awaited = str
        self._link = link
        self._start = link.clock()
        self._seconds = seconds

    def left(self) -> float | None:
        """The seconds left.

        Raises:
            DeadlineError: none.
        """
        if self._seconds is None:
            return None
        left = self._start + self._seconds - self._link.clock()
        if left <= 0:
            raise self.error()
        return left

    def error(self) -> DeadlineError:
        return DeadlineError(self.awaited(), self._link.clock() - self._start, self._link.where)


class BlockingLink(Link):
    """Waits on one transport at a time."""

    _stream: Transport | None

    def __init__(
        self,
        where: str,
        reconnect: float,
        random: Callable[[], float],
        connect: Callable[[], Transport],
        clock: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        super().__init__(where, reconnect, random, connect)
        self.clock = clock
        self._sleep = sleep

    def close(self) -> None:
        """Disconnect; nothing works any more."""
        self._closed = True
        self._lose("the client was closed")

    async def run_together(self, operations: Sequence[Steps[Any]], seconds: float) -> list[Any]:
        return await results_of(self.run(each, seconds) for each in operations)

    def _within(
        self, seconds: float | None, work: Callable[[Deadline], Coroutine[Any, Any, T]]
    ) -> Coroutine[Any, Any, T]:
        return work(Deadline(self, seconds))

    async def _let_others_run(self) -> None:
        pass

    async def _pause(self, pause: Pause, wait: Deadline) -> None:
        wait.awaited = lambda: pause.awaited
        left = wait.left()
        if left is not None and left < pause.seconds:
            self._sleep(left)
            raise wait.error()
        self._sleep(pause.seconds)

    async def _wait_for_answer(self, call: Call, wait: Deadline) -> None:
        while not call.done:
            self._pump(wait)

    async def _wait_for_event(self, queue: Queue, wait: Deadline) -> None:
        await self._connected(wait)
        wait.awaited = lambda: "a watch event"
        self._pump(wait)

    async def _connect_again(self, wait: Deadline) -> None:
        reason = self.connection.lost
        left = wait.left()
        limit = wait if left is not None and left < self.reconnect else Deadline(self, self.reconnect)
        try:
            await self._open(limit, patient=True)
        except DeadlineError as error:
            if limit is wait:
                raise
            raise ConnectionLost(f"{reason}; {error}") from error

    def _send_posted(self, request: Request) -> None:
        deadline = Deadline(self, TIMEOUT_SECONDS)
        deadline.awaited = request.__str__
        try:
            self._flush(deadline)
        except DeadlineError:
            return  # it goes out before the next request

    def _pump(self, deadline: Deadline) -> None:
        """Send what waits to be sent, then wait for bytes and take them."""
        self._flush(deadline)
        if self._stream is None:
            return
        try:
            data = self._stream.receive(RECEIVE_BYTES, deadline.left())
        except TimeoutError:
            return  # the deadline speaks when the caller waits on
        except OSError as error:
            self._lose(f"the connection failed ({error.strerror or error})")
            return
        if data:
            self.connection.receive(data)
        else:
            self._lose(SERVER_CLOSED)
        if self.connection.lost:
            self._lose(self.connection.lost)

    def _flush(self, deadline: Deadline) -> None:
        while self._stream is not None and self.connection.outgoing:
            left = deadline.left()
            try:
                self.connection.sent(self._stream.send(self.connection.outgoing, left))
            except TimeoutError:
                continue
            except OSError as error:
                self._lose(f"the connection failed ({error.strerror or error})")
            except BaseException:
                # An interrupt may have come between sending and counting: what went out is unknown.
                self._lose("interrupted while sending")
                raise

    def _lose(self, reason: str) -> None:
        self.connection.lose(reason)
        if self._stream is not None:
            self._stream.close()
            self._stream = None
