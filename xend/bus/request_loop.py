"""One client's requests: each is read, its call is run, its answer is sent.

Three things happen at once: reading, writing, and calls.  A call runs among the server's tasks, not among the
connection's, unless its method says that it ends with its caller: what an operation began it finishes.
"""

from collections.abc import Callable

import trio

from xend.bus.connection import Connection
from xend.bus.frames import MESSAGE_MAX_BYTES, FrameError, Splitter
from xend.bus.messages import NO_CALL, Request, refusal, request_of
from xend.bus.methods import Call, Method, Methods
from xend.bus.outcome import outcome
from xend.errors import XendError

#: Calls of one connection that run at a time; docs/bus.md, "Messages".
CALLS_MAX = 64
#: How long a connection that is being ended may take to read its last messages.
LAST_WORD_SECONDS = 5.0
_RECEIVE_BYTES = 16384


class RequestLoop:
    """Serves one connection.

    Args:
        operations: where calls run that do not end with their callers.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        connection: Connection,
        methods: Methods,
        log: Callable[[str], object],
        operations: trio.Nursery,
    ) -> None:
        self._stream = stream
        self._connection = connection
        self._methods = methods
        self._log = log
        self._operations = operations
        self._splitter = Splitter()
        #: Calls whose answers are not sent yet.
        self._running = 0
        self._is_sending = False
        self._progress = trio.lowlevel.ParkingLot()

    async def run(self) -> None:
        """Serve the client until it goes or has to; closes the stream."""
        connection = self._connection
        try:
            async with self._stream, trio.open_nursery() as nursery:
                nursery.start_soon(self._write, nursery.cancel_scope)
                await connection.run(self._read)
                connection.close()
                await self._last_answers()
                nursery.cancel_scope.cancel()
        finally:
            connection.close()

    async def _read(self, tasks: trio.Nursery) -> None:
        self._tasks = tasks
        while True:
            try:
                data = await self._stream.receive_some(_RECEIVE_BYTES)
            except trio.BrokenResourceError:
                return
            if not data:
                return
            self._splitter.feed(data)
            self._dispatch()
            # Reading on while calls run is how their caller's going is noticed; up to a message ahead.
            while self._splitter.waiting_bytes > MESSAGE_MAX_BYTES:
                await self._progress.park()

    def _dispatch(self) -> None:
        """Begin the calls that have come, as many as may run."""
        while self._running < CALLS_MAX and not self._connection.is_ending:
            try:
                message = self._splitter.next()
                request = request_of(message) if message is not None else None
            except FrameError as error:
                refused = XendError("bad_request", str(error), hint="docs/bus.md describes messages")
                self._connection.finish(refusal(NO_CALL, refused.as_map()))
                return
            if message is None:
                return
            if request is not None:
                self._begin(request)

    def _begin(self, request: Request) -> None:
        self._running += 1
        connection = self._connection
        try:
            method = self._methods.find(request.method, connection.access)
        except XendError as error:
            self._refuse(request, error)
            return
        if method.cancel_on_close and connection.is_closed:
            text = "the caller has ended its side of the connection"
            self._refuse(request, XendError("cancelled", text, method=method.name))
            return
        call = Call(method.name, connection.access, connection.peer, connection, self._methods)
        nursery = self._tasks if method.cancel_on_close else self._operations
        nursery.start_soon(self._call, method, call, request)

    def _refuse(self, request: Request, error: XendError) -> None:
        self._connection.output.put(refusal(request.id, error.as_map()), is_answer=True)

    async def _call(self, method: Method, call: Call, request: Request) -> None:
        try:
            message = await outcome(method, call, request, self._log)
        except BaseException:
            self._running -= 1
            self._progress.unpark_all()
            raise
        self._connection.before_answer()
        self._connection.output.put(message, is_answer=True)
        self._connection.call_back(call.afterwards, f"after the answer to {method.name}")

    async def _write(self, scope: trio.CancelScope) -> None:
        while True:
            data, answers = await self._connection.output.batch()
            self._is_sending = True
            try:
                await self._stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                scope.cancel()
                return
            self._is_sending = False
            self._running -= answers
            self._dispatch()
            self._progress.unpark_all()

    async def _last_answers(self) -> None:
        """Wait until what is to be sent is sent.

        A client that only ended its own side still hears of its calls; one that is gone is noticed by the
        first answer.
        """
        is_ending = self._connection.is_ending
        with trio.move_on_after(LAST_WORD_SECONDS if is_ending else float("inf")):
            while self._is_unsent():
                await self._progress.park()

    def _is_unsent(self) -> bool:
        connection = self._connection
        waits = self._is_sending or not connection.output.is_empty()
        return waits or bool(self._running and not connection.is_ending)
