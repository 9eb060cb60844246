"""Driving operations over a transport that waits; what `blocking` is built on."""

from __future__ import annotations

from xenclient.store.core import Pause
from xenclient.store.errors import ClientError, ConnectionLost, DeadlineError
from xenclient.store.link import RECEIVE_BYTES, SERVER_CLOSED, TIMEOUT_SECONDS, Link
from xenclient.store.transactions import conflict_pauses
from xenstore.errors import EAGAIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Generator
    from typing import Protocol, TypeVar

    from xenclient.store.core import Connection, Request, Steps
    from xenclient.store.watches import Event, Queue

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


class Deadline:
    """So many seconds from now on; None is for ever."""

    def __init__(self, link: BlockingLink, seconds: float | None) -> None:
        self._link = link
        self._start = link.clock()
        self._seconds = seconds

    def left(self, awaited: str) -> float | None:
        """The seconds left.

        Raises:
            DeadlineError: none.
        """
        if self._seconds is None:
            return None
        left = self._start + self._seconds - self._link.clock()
        if left <= 0:
            raise self.error(awaited)
        return left

    def error(self, awaited: str) -> DeadlineError:
        return DeadlineError(awaited, self._link.clock() - self._start, self._link.where)


class BlockingLink(Link):
    """Drives operations over one transport at a time."""

    def __init__(
        self,
        where: str,
        reconnect: float,
        random: Callable[[], float],
        connect: Callable[[], Transport],
        clock: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        super().__init__(where, reconnect, random)
        self.clock = clock
        self._sleep = sleep
        self._connect = connect
        self._transport: Transport | None = None
        self._closed = False

    def open(self, seconds: float) -> None:
        """Make the first connection."""
        self._open(Deadline(self, seconds), patient=False)

    def close(self) -> None:
        self._closed = True
        self._lose("the client was closed")

    def run(self, steps: Steps[T], seconds: float) -> T:
        """The operation's result, within `seconds`."""
        return self._drive(steps, Deadline(self, seconds))

    def post(self, request: Request | None) -> None:
        """Send a request whose answer does not matter, if there is a connection to send it on."""
        if request is None or self.connection.lost:
            return
        self.connection.abandon(self.connection.call(request))
        try:
            self._flush(Deadline(self, TIMEOUT_SECONDS), str(request))
        except DeadlineError:
            return  # it goes out before the next request

    def next_event(self, queue: Queue, seconds: float | None) -> Event | None:
        """The queue's next event; None when it is closed."""
        deadline = Deadline(self, seconds)
        while not queue.ready():
            self._connected(deadline)
            self._pump(deadline, "a watch event")
        return queue.take()

    def retrying(self, attempt: Callable[[], T], seconds: float) -> T:
        """The attempt's result, tried again after each EAGAIN, within `seconds`."""
        deadline = Deadline(self, seconds)
        pauses = conflict_pauses(self.random)
        while True:
            try:
                return attempt()
            except EAGAIN:
                self._pause(next(pauses), deadline)

    def _drive(self, steps: Generator[Request | Pause, bytes, T], deadline: Deadline) -> T:
        try:
            item = next(steps)
            while True:
                try:
                    answer = self._perform(item, deadline)
                except BaseException as error:
                    item = steps.throw(error)
                else:
                    item = steps.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _perform(self, item: Request | Pause, deadline: Deadline) -> bytes:
        if isinstance(item, Pause):
            self._pause(item, deadline)
            return b""
        while True:
            connection = self._connected(deadline)
            call = connection.call(item)
            try:
                while not call.done:
                    self._pump(deadline, call.awaited())
            except BaseException:
                connection.abandon(call)
                raise
            if not call.lost:
                return call.result()
            call.check_repeatable(f"{connection.lost} ({self.where})")

    def _pause(self, pause: Pause, deadline: Deadline) -> None:
        left = deadline.left(pause.awaited)
        if left is not None and left < pause.seconds:
            self._sleep(left)
            raise deadline.error(pause.awaited)
        self._sleep(pause.seconds)

    def _connected(self, deadline: Deadline) -> Connection:
        """The connection, made again if it is lost."""
        if self._closed:
            raise ClientError(f"this client of {self.where} is closed")
        if not self.connection.lost:
            return self.connection
        reason = self.connection.lost
        left = deadline.left(f"xenstored to come back ({reason})")
        limit = deadline if left is not None and left < self.reconnect else Deadline(self, self.reconnect)
        try:
            self._open(limit, patient=True)
        except DeadlineError as error:
            if limit is deadline:
                raise
            raise ConnectionLost(f"{reason}; {error}") from error
        return self.connection

    def _open(self, deadline: Deadline, patient: bool) -> None:
        self._transport = self._drive(self.connecting(self._connect, patient), deadline)
        self.connected()

    def _pump(self, deadline: Deadline, awaited: str) -> None:
        """Send what waits to be sent, then wait for bytes and take them."""
        self._flush(deadline, awaited)
        if self._transport is None:
            return
        try:
            data = self._transport.receive(RECEIVE_BYTES, deadline.left(awaited))
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

    def _flush(self, deadline: Deadline, awaited: str) -> None:
        while self._transport is not None and self.connection.outgoing:
            left = deadline.left(awaited)
            try:
                self.connection.sent(self._transport.send(self.connection.outgoing, left))
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
        if self._transport is not None:
            self._transport.close()
            self._transport = None
