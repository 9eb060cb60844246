"""One client: its requests in, answers and notifications out, and what ends with it.

Three things happen at once: reading, writing, and calls.  A call runs among the server's tasks, not among the
connection's, unless its method says that it ends with its caller: what an operation began it finishes.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio

from xend.bus.frames import MESSAGE_MAX_BYTES, FrameError, Splitter
from xend.bus.messages import NO_CALL, Request, notification, refusal, request_of
from xend.bus.methods import Call, Method, Methods
from xend.bus.outcome import outcome
from xend.bus.output import Output
from xend.bus.peer import Peer
from xend.errors import XendError
from xend.faults import as_xend_error

#: Calls of one connection that run at a time; docs/bus.md, "Messages".
CALLS_MAX = 64
#: How long a connection that is being ended may take to read its last messages.
LAST_WORD_SECONDS = 5.0
_RECEIVE_BYTES = 16384


class Connection:
    """What the server knows of one client.

    Attributes:
        access: "operate" or "read".
        peer: who it is, where the transport tells.
        seq: of the last event it was sent, for the word with which a listener that falls behind is cut off.
        before_answer: called before each answer is queued, so that the events of what was done go first.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        access: str,
        peer: Peer | None,
        methods: Methods,
        log: Callable[[str], object],
        operations: trio.Nursery,
    ) -> None:
        self.access = access
        self.peer = peer
        self.seq = 0
        self.before_answer: Callable[[], object] = lambda: None
        self._stream = stream
        self._methods = methods
        self._log = log
        self._operations = operations
        self._splitter = Splitter()
        self._output = Output()
        #: Calls whose answers are not sent yet.
        self._running = 0
        self._is_sending = False
        self._is_ending = False
        self._is_closed = False
        self._callbacks: list[Callable[[], object]] = []
        self._reading = trio.CancelScope()
        self._progress = trio.lowlevel.ParkingLot()
        self._tasks: trio.Nursery

    # for methods

    def notify(self, method: str, fields: Mapping[str, Any]) -> None:
        """Queue a notification; a client for whom too many wait is cut off."""
        if self._is_ending or self._is_closed:
            return
        self._output.put(notification(method, fields), is_answer=False)
        if self._output.is_behind():
            message = "too many notifications wait unsent"
            self.end({"kind": "end", "code": "too_slow", "message": message, "seq": self.seq})

    async def room(self) -> None:
        """Wait until little waits to be sent: for who can wait, and so is never cut off."""
        await self._output.room()

    def post(self, message: bytes) -> bool:
        """Queue a packed notification, if there is room; whether there was."""
        if self._is_ending or not self._output.has_room():
            return False
        self._output.put(message, is_answer=False)
        return True

    def on_close(self, callback: Callable[[], object]) -> None:
        """Have `callback()` called when the client is gone; at once if it is."""
        if self._is_closed:
            callback()
        else:
            self._callbacks.append(callback)

    async def start(self, task: Callable[..., Awaitable[object]], *args: object) -> Any:
        """Run a task that ends with the connection; returns what it gives to `task_status.started`.

        Raises:
            XendError: not_permitted: the client is gone.
        """
        if self._is_closed or self._is_ending:
            raise XendError("not_permitted", "the connection is closing")
        return await self._tasks.start(task, *args)

    def end(self, last_event: Mapping[str, Any]) -> None:
        """Send an event as the last message, then close."""
        self._finish(notification("event", last_event))

    # for the server

    async def run(self) -> None:
        """Serve the client until it goes or has to; closes the stream."""
        try:
            async with self._stream, trio.open_nursery() as nursery:
                nursery.start_soon(self._write, nursery.cancel_scope)
                async with trio.open_nursery() as self._tasks:
                    with self._reading:
                        await self._read()
                    self._tasks.cancel_scope.cancel()
                self._close()
                await self._last_answers()
                nursery.cancel_scope.cancel()
        finally:
            self._close()

    async def _read(self) -> None:
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
        while self._running < CALLS_MAX and not self._is_ending:
            try:
                message = self._splitter.next()
                request = request_of(message) if message is not None else None
            except FrameError as error:
                refused = XendError("bad_request", str(error), hint="docs/bus.md describes messages")
                self._finish(refusal(NO_CALL, refused.as_map()))
                return
            if message is None:
                return
            if request is not None:
                self._begin(request)

    def _begin(self, request: Request) -> None:
        self._running += 1
        try:
            method = self._methods.find(request.method, self.access)
        except XendError as error:
            self._output.put(refusal(request.id, error.as_map()), is_answer=True)
            return
        if method.cancel_on_close and self._is_closed:
            gone = XendError(
                "cancelled", "the caller has ended its side of the connection", method=method.name
            )
            self._output.put(refusal(request.id, gone.as_map()), is_answer=True)
            return
        call = Call(method.name, self.access, self.peer, self, self._methods)
        nursery = self._tasks if method.cancel_on_close else self._operations
        nursery.start_soon(self._call, method, call, request)

    async def _call(self, method: Method, call: Call, request: Request) -> None:
        try:
            message = await outcome(method, call, request, self._log)
        except BaseException:
            self._running -= 1
            self._progress.unpark_all()
            raise
        self.before_answer()
        self._output.put(message, is_answer=True)
        self._call_back(call.afterwards, f"after the answer to {method.name}")

    async def _write(self, scope: trio.CancelScope) -> None:
        while True:
            data, answers = await self._output.batch()
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

    def _finish(self, message: bytes) -> None:
        """Send this and nothing after it."""
        if not self._is_ending:
            self._is_ending = True
            self._output.put(message, is_answer=False)
            self._reading.cancel()

    async def _last_answers(self) -> None:
        """Wait until what is to be sent is sent.

        A client that only ended its own side still hears of its calls; one that is gone is noticed by the
        first answer.
        """
        with trio.move_on_after(LAST_WORD_SECONDS if self._is_ending else float("inf")):
            while self._is_sending or not self._output.is_empty() or (self._running and not self._is_ending):
                await self._progress.park()

    def _close(self) -> None:
        self._is_closed = True
        callbacks, self._callbacks = self._callbacks, []
        self._call_back(callbacks, "after a connection closed")

    def _call_back(self, callbacks: list[Callable[[], object]], where: str) -> None:
        for callback in callbacks:
            try:
                callback()
            except Exception as error:
                as_xend_error(error, where, self._log)
