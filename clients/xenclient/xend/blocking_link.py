"""Driving a link over a socket that waits; what `blocking` is built on."""

from __future__ import annotations

import time

from xenclient.xend.address import open_socket
from xenclient.xend.errors import CALL, ClientError, DeadlineError
from xenclient.xend.link import RECEIVE_BYTES, Follower, Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Generator
    from typing import Any

    from xenclient.xend.core import Call, Request

#: Longer waits are made of several; the operating system's own limit is some weeks.
LONGEST_WAIT_SECONDS = 3600.0


class Deadline:
    """So many seconds from now on; None is for ever."""

    def __init__(self, seconds: float | None, path: str) -> None:
        self.seconds = seconds
        self._start = time.monotonic()
        self._path = path

    def left(self, awaited: str, call: object = "") -> float | None:
        """The seconds left; CALL in `awaited` stands for the call.

        Raises:
            DeadlineError: none.
        """
        if self.seconds is None:
            return None
        left = self._start + self.seconds - time.monotonic()
        if left <= 0:
            raise DeadlineError(awaited, self.seconds, self._path, call)
        return left

    def at_most(self, seconds: float) -> Deadline:
        """This one, or so many seconds from now, whichever comes first."""
        if self.seconds is not None and self._start + self.seconds <= time.monotonic() + seconds:
            return self
        return Deadline(seconds, self._path)


class BlockingLink(Link):
    """One socket at a time, for one thread."""

    def __init__(self, path: str | None, timeout: float, follower: Follower | None = None) -> None:
        """Connects.

        Raises:
            ConnectError: xend is not there, or may not be asked.
        """
        super().__init__(path, timeout, follower)
        self.socket: socket | None = None
        self._closed = False
        self._open_socket(self.deadline(timeout), patient=False)

    def deadline(self, seconds: float | None) -> Deadline:
        """For `wait`."""
        return Deadline(seconds, self.where)

    def close(self) -> None:
        self._closed = True
        self._lose("the client was closed")

    def ask(self, request: Request) -> Any:
        """The answer to a request."""
        deadline = self.deadline(self.limit(request))
        steps = self.asking(request)
        try:
            while True:
                call = next(steps)
                if call is None:
                    self.connect_again(deadline)
                else:
                    self._finish(call, deadline)
        except StopIteration as stop:
            return stop.value

    def _finish(self, call: Call, deadline: Deadline) -> None:
        awaited = f"the answer to {CALL}"
        while not call.done:
            self.pump(deadline.left(awaited, call.request))

    def connect_again(self, deadline: Deadline) -> None:
        """Have a connection.

        Raises:
            ClientError: the client is closed.
            DeadlineError: xend did not come back.
        """
        if self._closed:
            raise ClientError(f"this client of {self.path} is closed")
        if self.connection.lost:
            self._open_socket(deadline.at_most(self.timeout), patient=True)

    def pump(self, seconds: float | None) -> None:
        """Send what waits to be sent, then wait for bytes and take them; may return early."""
        self.flush(seconds)
        if self.socket is None:
            return
        connection = self.connection
        try:
            self._limit(self.socket, seconds)
            data = self.socket.recv(RECEIVE_BYTES)
        except (TimeoutError, BlockingIOError):
            return
        except OSError as error:
            self._lose(f"the connection failed ({error.strerror or error})")
            return
        try:
            self.received(connection, data)
        finally:
            if connection.lost:
                self._lose(connection.lost)

    def flush(self, seconds: float | None) -> None:
        """Send what waits to be sent, as far as it goes out in this time."""
        while self.socket is not None and (data := self.connection.to_send()):
            try:
                self._limit(self.socket, seconds)
                self.connection.sent(self.socket.send(data))
            except (TimeoutError, BlockingIOError):
                return
            except OSError as error:
                self.connection.broken = f"the connection failed ({error.strerror or error})"
            except BaseException:
                # An interrupt may have come between sending and counting: what went out is unknown.
                self._lose("interrupted while sending")
                raise

    def _open_socket(self, deadline: Deadline, patient: bool) -> None:
        self.socket = self._drive(self.connecting(open_socket, patient), deadline)
        self.connected()

    def _drive(self, steps: Generator[tuple[float, str], None, socket], deadline: Deadline) -> socket:
        try:
            while True:
                seconds, awaited = next(steps)
                left = deadline.left(awaited)
                time.sleep(seconds if left is None else min(seconds, left))
                deadline.left(awaited)
        except StopIteration as stop:
            sock: socket = stop.value
            return sock

    def _limit(self, sock: socket, seconds: float | None) -> None:
        sock.settimeout(None if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT_SECONDS))

    def _lose(self, reason: str) -> None:
        self.connection.lose(reason)
        if self.socket is not None:
            self.socket.close()
            self.socket = None
