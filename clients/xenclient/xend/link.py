"""A client's state across connections, and how calls are made over it; I/O is left to the two shells.

The coroutines here wait for nothing themselves.  What they wait for are methods that `Link` only declares:
`blocking_link` has them as calls that wait, `aio_link` as trio's (see xenclient.shells).
"""

from __future__ import annotations

from xenclient.xend.address import FORBIDDEN, READERS_SUFFIX, socket_path
from xenclient.xend.core import Connection, is_reading
from xenclient.xend.errors import CALL, ClientError, ConnectError, ConnectionLost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeVar

    from xenclient.xend.core import Call, Map, Request

    T = TypeVar("T")

#: How long a call that is no operation may take, and how long a lost xend is tried for.
TIMEOUT_SECONDS = 30.0
#: How much longer than xend itself a client waits where xend was told a deadline: undoing takes its time.
GRACE_SECONDS = 5.0
FIRST_RETRY_SECONDS = 0.01
LONGEST_RETRY_SECONDS = 1.0
RECEIVE_BYTES = 65536
#: Bytes of a console's recent output that a viewer is shown first.
HISTORY_BYTES = 4096

SERVER_CLOSED = "xend closed the connection"


class Follower:
    """Who is on a link besides its calls: says what a new connection begins with, gets the notifications."""

    def greet(self, connection: Connection) -> Call | None:
        """Queue the call with which a new connection begins, if there is one; others wait for its answer."""
        return None

    def take(self, method: str, fields: Map) -> None:
        """Take one notification."""


class Wait:
    """What somebody waits for just now.

    Attributes:
        awaited: for the error of the deadline; CALL in it stands for `request`.
        request: the call that it is about, if it is about one.
    """

    def __init__(self, awaited: str, request: Request | None = None) -> None:
        self.awaited = awaited
        self.request: Request | str = "" if request is None else request


class Link:
    """Makes calls over one connection at a time.

    Attributes:
        path: the socket that was asked for.
        where: the one that is used: `path`, or the readers' beside it.
        timeout: seconds; see TIMEOUT_SECONDS.
        connection: the last one; it may be lost.
    """

    def __init__(
        self, path: str | None, timeout: float, connect: Callable[[str], Any], follower: Follower | None
    ) -> None:
        """`connect(path)` makes the shell's kind of stream; raises as address.open_socket."""
        self.path = path or socket_path()
        self.where = self.path
        self.timeout = timeout
        self.connection = Connection()
        self.connection.lose("not connected")
        self._connect = connect
        self._stream: Any = None
        self._closed = False
        self._follower = follower or Follower()
        self._forbidden: ConnectError | None = None
        self._greeting: Call | None = None

    # What the shells call

    async def open(self) -> None:
        """Make the first connection.

        Raises:
            ConnectError: xend is not there, or may not be asked.
        """
        await self.within(self.timeout, Wait(""), lambda wait: self._open(wait, patient=False))

    async def ask(self, request: Request) -> Any:
        """The answer to a request.

        Raises:
            BusError: xend refused.
            ConnectionLost: twice, or it may have been executed.
            DeadlineError: it took longer than its `limit`.
        """
        wait = Wait(f"the answer to {CALL}", request)
        return await self.within(self.limit(request), wait, lambda wait: self._ask(request, wait))

    async def wait_for(self, is_done: Callable[[], bool], wait: Any) -> None:
        """Return once it is done; whenever the connection is lost, make it again.

        Raises:
            BusError: xend said why it ended the connection.
        """
        await self._let_others_run()
        while not is_done():
            self._check_refusal(self.connection)
            await self.connect_again(wait)
            await self.flush(wait)
            await self.until(is_done, wait)

    def lost_error(self) -> ClientError:
        """Why the connection is lost."""
        reason = f"{self.connection.lost} ({self.where})"
        return self.connection.refusal or ConnectionLost(reason)

    def limit(self, request: Request) -> float | None:
        """How many seconds a request may take; None: as long as the operation's own deadlines allow."""
        if request.deadline_s is not None:
            return request.deadline_s + GRACE_SECONDS
        if request.is_operation or request.method == "operation.wait":
            return None
        return self.timeout

    # What each shell does its own way; declared only, because ABC would slow down every start

    if TYPE_CHECKING:

        async def close(self) -> None:
            """Disconnect; nothing works any more."""

        async def within(self, seconds: float | None, wait: Wait, work: Callable[[Any], Awaitable[T]]) -> T:
            """What `work(wait)` returns; it may be given another Wait, which is the shell's own.

            Raises:
                DeadlineError: it took longer than `seconds`.
            """

        async def connect_again(self, wait: Any) -> None:
            """Have a connection.

            Raises:
                ClientError: the client is closed.
                DeadlineError: xend did not come back.
            """

        async def flush(self, wait: Any) -> None:
            """Send what waits to be sent."""

        async def until(self, is_done: Callable[[], bool], wait: Any) -> None:
            """Receive until it is done or the connection is lost."""

        async def _pause(self, seconds: float, wait: Any) -> None:
            """Let so much time pass."""

        async def _let_others_run(self) -> None:
            """A checkpoint, where there are other tasks."""

    # How a call is made

    async def _ask(self, request: Request, wait: Any) -> Any:
        is_repeated = False
        while True:
            if self.connection.lost:
                await self.connect_again(wait)
            self._check_access(request)
            if self._greeting is not None:
                await self._finish(self._greeting, wait)
            connection = self.connection
            call = connection.call(request)
            await self._finish(call, wait)
            if not call.lost:
                return call.result()
            self._check_refusal(connection)
            reason = f"{connection.lost} ({self.where})"
            call.check_repeatable(reason)
            if is_repeated and call.sent:
                raise ConnectionLost(f"{reason}, again, before it answered {CALL}", request)
            is_repeated = is_repeated or call.sent

    async def _finish(self, call: Call, wait: Any) -> None:
        await self.flush(wait)
        await self.until(lambda: call.done, wait)

    def _check_access(self, request: Request) -> None:
        if self._forbidden is not None and not is_reading(request.method):
            raise self._forbidden

    def _check_refusal(self, connection: Connection) -> None:
        """Return unless xend said why it ended the connection; raises that."""
        if connection.refusal is not None:
            raise connection.refusal

    def _received(self, connection: Connection, data: bytes) -> None:
        """Take bytes of a connection as they came; none is its end."""
        if not data:
            connection.lose(connection.broken or SERVER_CLOSED)
            return
        connection.receive(data)
        notifications, connection.notifications = connection.notifications, []
        for method, fields in notifications:
            self._follower.take(method, fields)

    # How a connection is made

    async def _open(self, wait: Wait, patient: bool) -> None:
        """Connect, again and again while xend's backlog is full and, if patient, while it is gone.

        Raises:
            ConnectError: it is gone, or nobody may come in.
        """
        seconds = FIRST_RETRY_SECONDS
        wait.awaited = f"xend to come back ({self.connection.lost})"
        if patient:
            # First, because a server that accepts and hangs up must not be tried in a tight loop.
            await self._pause(seconds, wait)
        while not self._try_to_open(wait, patient):
            await self._pause(seconds, wait)
            seconds = min(seconds * 2, LONGEST_RETRY_SECONDS)
        self.connection = Connection()
        self._greeting = self._follower.greet(self.connection)

    def _try_to_open(self, wait: Wait, patient: bool) -> bool:
        """Whether there is a stream; if not, `wait` says what for."""
        try:
            self._stream = self._open_path()
        except BlockingIOError:
            wait.awaited = "xend to accept the connection"
        except ConnectError as error:
            if not patient or error.errno in FORBIDDEN:
                raise
            wait.awaited = f"xend to come back ({error})"
        else:
            return True
        return False

    def _open_path(self) -> Any:
        self.where, self._forbidden = self.path, None
        try:
            return self._connect(self.path)
        except ConnectError as error:
            if error.errno not in FORBIDDEN:
                raise
            readers = self.path + READERS_SUFFIX
            try:
                stream = self._connect(readers)
            except ConnectError:
                raise error from None
            self.where, self._forbidden = readers, error
            return stream

    def _closed_error(self) -> ClientError:
        return ClientError(f"this client of {self.path} is closed")
