"""A client's state across connections, and how operations are done over it; I/O is left to the two shells.

The coroutines here wait for nothing themselves.  What they wait for are methods that `Link` only declares:
`blocking_link` has them as calls that wait, `aio_link` as trio's (see xenclient.shells).
"""

from __future__ import annotations

from xenclient.store.core import Connection, Pause
from xenclient.store.errors import ClientError, ConnectError
from xenclient.store.pauses import conflict_pauses, pauses
from xenclient.store.watches import Queue, Watches
from xenstore.errors import EAGAIN, XenstoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Iterator, Sequence
    from typing import Any, TypeVar

    from xenclient.store.core import Call, Request, Steps
    from xenclient.store.watches import Event

    T = TypeVar("T")

#: How long a call may take, and how long a lost server is tried for, unless the caller says otherwise.
TIMEOUT_SECONDS = 30.0
FIRST_RETRY_SECONDS = 0.01
LONGEST_RETRY_SECONDS = 1.0
#: Bytes read at once: fewer events than watches.QUEUE_MAX_EVENTS, the smallest being 19 bytes.
RECEIVE_BYTES = 16384

SERVER_CLOSED = "xenstored closed the connection"


class Wait:
    """What somebody waits for just now.

    Attributes:
        awaited: says it, for the error of the deadline.
    """

    def __init__(self) -> None:
        self.awaited: Callable[[], str] = str


class Link:
    """Does operations over one connection at a time.

    Attributes:
        where: the server's address, for errors.
        reconnect: seconds for which a lost server is tried; 0 is one attempt.
        random: at least 0, below 1.
        watches: what a new connection must set again.
        connection: the last one; it may be lost.
    """

    def __init__(
        self, where: str, reconnect: float, random: Callable[[], float], connect: Callable[[], Any]
    ) -> None:
        """`connect()` makes the shell's kind of stream; raises as address.Address.open."""
        self.where = where
        self.reconnect = reconnect
        self.random = random
        self.watches = Watches()
        self.connection = Connection(self.watches.route)
        self.connection.lose("not connected")
        self._connect = connect
        self._stream: Any = None
        self._closed = False
        self._waits = self._new_waits()

    # What the shells call

    # Those that only pass on a coroutine are none themselves: each layer costs a request its time.

    def open(self, seconds: float) -> Coroutine[Any, Any, None]:
        """Make the first connection.

        Raises:
            ConnectError: there is no server.
        """
        return self._within(seconds, lambda wait: self._open(wait, patient=False))

    def run(self, steps: Steps[T], seconds: float) -> Coroutine[Any, Any, T]:
        """The operation's result, within `seconds`."""
        return self._within(seconds, lambda wait: self._drive(steps, wait))

    def next_event(self, queue: Queue, seconds: float | None) -> Coroutine[Any, Any, Event | None]:
        """The queue's next event, within `seconds` if given; None when it is closed."""

        async def take(wait: Wait) -> Event | None:
            wait.awaited = lambda: "a watch event"
            await self._let_others_run()
            while not queue.ready():
                await self._wait_for_event(queue, wait)
            return queue.take()

        return self._within(seconds, take)

    def retrying(self, attempt: Callable[[], Awaitable[T]], seconds: float) -> Coroutine[Any, Any, T]:
        """The attempt's result, tried again after each EAGAIN, within `seconds`."""

        async def attempts(wait: Wait) -> T:
            wait.awaited = lambda: "a transaction to commit"
            for pause in conflict_pauses(self.random):
                try:
                    return await attempt()
                except EAGAIN:
                    await self._pause(pause, wait)
            raise AssertionError("there are pauses without end")

        return self._within(seconds, attempts)

    def post(self, request: Request | None) -> None:
        """Send a request whose answer does not matter, if there is a connection to send it on."""
        if request is not None and not self.connection.lost:
            self.connection.abandon(self.connection.call(request))
            self._send_posted(request)

    def new_queue(self) -> Queue:
        """For the events of one watch."""
        return Queue()

    # What each shell does its own way; declared only, because ABC would slow down every start

    if TYPE_CHECKING:

        async def _let_others_run(self) -> None:
            """A checkpoint, where there are other tasks."""

        def run_together(
            self, operations: Sequence[Steps[Any]], seconds: float
        ) -> Coroutine[Any, Any, list[Any]]:
            """The operations' results, in their order; see client.Nodes.together."""

        def _within(
            self, seconds: float | None, work: Callable[[Any], Coroutine[Any, Any, T]]
        ) -> Coroutine[Any, Any, T]:
            """What `work(wait)` returns.

            Raises:
                DeadlineError: it took longer than `seconds`.
            """

        async def _pause(self, pause: Pause, wait: Any) -> None:
            """Let so much time pass."""

        async def _wait_for_answer(self, call: Call, wait: Any) -> None:
            """Return once the call is done."""

        async def _wait_for_event(self, queue: Queue, wait: Any) -> None:
            """Return once there is something new; perhaps for another queue."""

        async def _connect_again(self, wait: Any) -> None:
            """Return once `connection` is another than the one that was lost.

            Raises:
                ConnectionLost: the server was tried for `reconnect` seconds.
            """

        def _send_posted(self, request: Request) -> None:
            """See that the request, which is queued, goes out."""

    # How an operation is done

    async def _drive(
        self,
        steps: Generator[Request | Pause, bytes, T],
        wait: Wait,
        begun: tuple[Request | Pause, Call | XenstoreError | None] | None = None,
    ) -> T:
        """The operation's result; `begun`: its first request, and what became of sending that."""
        try:
            item, sent = (next(steps), None) if begun is None else begun
            while True:
                try:
                    if isinstance(item, Pause):
                        await self._pause(item, wait)
                        answer = b""
                    else:
                        answer = await self._answer(item, sent, wait)
                except BaseException as error:  # noqa: BLE001 - who sent the request gets it
                    item = steps.throw(error)
                else:
                    item = steps.send(answer)
                sent = None
        except StopIteration as stop:
            result: T = stop.value
            return result

    async def _answer(self, request: Request, sent: Call | XenstoreError | None, wait: Wait) -> bytes:
        """The server's answer; `sent`: what became of sending the request, if that was tried."""
        if isinstance(sent, XenstoreError):
            raise sent
        while True:
            if sent is None:
                if self.connection.lost or self._closed:
                    await self._connected(wait, f", for {request}")
                sent = self.connection.call(request)
            wait.awaited = sent.awaited
            try:
                if not sent.done:
                    await self._wait_for_answer(sent, wait)
            except BaseException:
                self._abandon(sent)
                raise
            if not sent.lost:
                return sent.result()
            sent.check_repeatable(f"{sent.connection.lost} ({self.where})")
            sent = None

    def _abandon(self, call: Call) -> None:
        call.connection.abandon(call)

    # How a connection is kept

    async def _connected(self, wait: Wait, purpose: str = "") -> Connection:
        """The connection, once there is one again; `purpose` ends the text of a deadline's error."""
        while self.connection.lost or self._closed:
            if self._closed:
                raise self._closed_error()
            awaited = f"xenstored to come back ({self.connection.lost}){purpose}"
            wait.awaited = awaited.__str__
            await self._connect_again(wait)
        return self.connection

    async def _open(self, wait: Wait, patient: bool) -> None:
        """Have a new stream, and begin the protocol on it."""
        self._stream = await self._drive(self.connecting(patient), wait)
        self.connection = Connection(self.watches.route)
        self.watches.restore(self.connection)

    def connecting(self, patient: bool) -> Generator[Pause, object, Any]:
        """A new stream: connect, again and again while the server's backlog is full and, if patient, while it
        is gone.

        Raises:
            ConnectError: it is gone.
        """
        if self.connection.heard:
            self._waits = self._new_waits()
        if patient:
            # First, because a server that accepts and hangs up must not be tried in a tight loop.
            yield Pause(next(self._waits), f"xenstored to come back ({self.connection.lost})")
        while True:
            try:
                return self._connect()
            except BlockingIOError:
                awaited = "xenstored to accept the connection"
            except ConnectError as error:
                if not patient:
                    raise
                awaited = f"xenstored to come back ({error})"
            yield Pause(next(self._waits), awaited)

    def _new_waits(self) -> Iterator[float]:
        return pauses(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS, self.random)

    def _closed_error(self) -> ClientError:
        return ClientError(f"this client of {self.where} is closed")


async def results_of(works: Iterable[Awaitable[T]]) -> list[T]:
    """The results, one after the other.

    Raises:
        XenstoreError: the first that one of them raised, after the last of them.
    """
    results: list[T] = []
    refusal: XenstoreError | None = None
    for work in works:
        try:
            results.append(await work)
        except XenstoreError as error:
            refusal = refusal or error
    if refusal is not None:
        raise refusal
    return results
