"""What the blocking and the trio client share of keeping a connection: making it, making it again, asking."""

from __future__ import annotations

from xenclient.xend.address import FORBIDDEN, READERS_SUFFIX, socket_path
from xenclient.xend.core import READING, Connection
from xenclient.xend.errors import CALL, ConnectError, ConnectionLost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any, TypeVar

    from xenclient.xend.core import Call, Map, Request

    Stream = TypeVar("Stream")

#: How long a call that is no operation may take, and how long a lost xend is tried for.
TIMEOUT_SECONDS = 30.0
#: How much longer than xend itself a client waits where xend was told a deadline: undoing takes its time.
GRACE_SECONDS = 5.0
FIRST_RETRY_SECONDS = 0.01
LONGEST_RETRY_SECONDS = 1.0
RECEIVE_BYTES = 65536

SERVER_CLOSED = "xend closed the connection"


class Follower:
    """Who is on a link besides its calls: says what a new connection begins with, gets the notifications."""

    def greet(self, connection: Connection) -> Call | None:
        """Queue the call with which a new connection begins, if there is one; others wait for its answer."""
        return None

    def take(self, method: str, fields: Map) -> None:
        """Take one notification."""


class Link:
    """A client's state across connections.

    Attributes:
        path: the socket that was asked for.
        where: the one that is used: `path`, or the readers' beside it.
        timeout: seconds; see TIMEOUT_SECONDS.
        connection: the last one; it may be lost.
    """

    def __init__(self, path: str | None, timeout: float, follower: Follower | None = None) -> None:
        self.path = path or socket_path()
        self.where = self.path
        self.timeout = timeout
        self.connection = Connection()
        self.connection.lose("not connected")
        self._follower = follower or Follower()
        self._forbidden: ConnectError | None = None
        self._greeting: Call | None = None

    def connecting(
        self, connect: Callable[[str], Stream], patient: bool
    ) -> Generator[tuple[float, str], None, Stream]:
        """Connect; yields (seconds to pause, what is awaited): while xend's backlog is full and, if patient,
        while it is gone.

        Raises:
            ConnectError: it is gone, or nobody may come in.
        """
        seconds = FIRST_RETRY_SECONDS
        awaited = f"xend to come back ({self.connection.lost})"
        if patient:
            # First, because a server that accepts and hangs up must not be tried in a tight loop.
            yield seconds, awaited
        while True:
            try:
                return self._open(connect)
            except BlockingIOError:
                awaited = "xend to accept the connection"
            except ConnectError as error:
                if not patient or error.errno in FORBIDDEN:
                    raise
                awaited = f"xend to come back ({error})"
            yield seconds, awaited
            seconds = min(seconds * 2, LONGEST_RETRY_SECONDS)

    def connected(self) -> None:
        """A new stream is there: begin the protocol on it."""
        self.connection = Connection()
        self._greeting = self._follower.greet(self.connection)

    def received(self, connection: Connection, data: bytes) -> None:
        """Take bytes of a connection as they came; none is its end."""
        if not data:
            connection.lose(connection.broken or SERVER_CLOSED)
            return
        connection.receive(data)
        notifications, connection.notifications = connection.notifications, []
        for method, fields in notifications:
            self._follower.take(method, fields)

    def asking(self, request: Request) -> Generator[Call | None, None, Any]:
        """The answer to a request: yields None to have a connection, a call to have it done.

        Raises:
            BusError: xend refused.
            ConnectionLost: twice, or it may have been executed.
        """
        repeated = False
        while True:
            if self.connection.lost:
                yield None
            self._check_access(request)
            if self._greeting is not None:
                yield self._greeting
            connection = self.connection
            call = connection.call(request)
            yield call
            if not call.lost:
                return call.result()
            self.check_refusal(connection)
            reason = f"{connection.lost} ({self.where})"
            call.check_repeatable(reason)
            if repeated and call.sent:
                raise ConnectionLost(f"{reason}, again, before it answered {CALL}", request)
            repeated = repeated or call.sent

    def check_refusal(self, connection: Connection) -> None:
        """Return unless xend said why it ended the connection; raises that."""
        if connection.refusal is not None:
            raise connection.refusal

    def limit(self, request: Request) -> float | None:
        """How many seconds a request may take; None: as long as the operation's own deadlines allow."""
        if request.deadline_s is not None:
            return request.deadline_s + GRACE_SECONDS
        if request.is_operation or request.method == "operation.wait":
            return None
        return self.timeout

    def _open(self, connect: Callable[[str], Stream]) -> Stream:
        self.where, self._forbidden = self.path, None
        try:
            return connect(self.path)
        except ConnectError as error:
            if error.errno not in FORBIDDEN:
                raise
            readers = self.path + READERS_SUFFIX
            try:
                stream = connect(readers)
            except ConnectError:
                raise error from None
            self.where, self._forbidden = readers, error
            return stream

    def _check_access(self, request: Request) -> None:
        if self._forbidden is not None and request.method not in READING:
            raise self._forbidden
