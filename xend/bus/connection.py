"""One client: what it is sent, and what ends with it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio

from xend.bus.messages import notification
from xend.bus.output import Output
from xend.bus.peer import Peer
from xend.errors import XendError
from xend.faults import as_xend_error


class Connection:
    """What methods know of one client; `xend.bus.request_loop` reads from it and sends what is queued here.

    Attributes:
        access: "operate" or "read".
        peer: who it is, where the transport tells.
        seq: of the last event it was sent, for the word with which a listener that falls behind is cut off.
        before_answer: called before each answer is queued, so that the events of what was done go first.
        output: what waits to be sent.
        is_ending: the last message is queued.
        is_closed: the client is gone, or has ended its side.
    """

    def __init__(self, access: str, peer: Peer | None, log: Callable[[str], object]) -> None:
        self.access = access
        self.peer = peer
        self.seq = 0
        self.before_answer: Callable[[], object] = lambda: None
        self.output = Output()
        self.is_ending = False
        self.is_closed = False
        self._log = log
        self._callbacks: list[Callable[[], object]] = []
        self._reading = trio.CancelScope()
        self._tasks: trio.Nursery

    # for methods

    def notify(self, method: str, fields: Mapping[str, Any]) -> None:
        """Queue a notification; a client for whom too many wait is cut off."""
        if self.is_ending or self.is_closed:
            return
        self.output.put(notification(method, fields), is_answer=False)
        if self.output.is_behind():
            message = "too many notifications wait unsent"
            self.end({"kind": "end", "code": "too_slow", "message": message, "seq": self.seq})

    async def room(self) -> None:
        """Wait until little waits to be sent: for who can wait, and so is never cut off."""
        await self.output.room()

    def post(self, message: bytes) -> bool:
        """Queue a packed notification, if there is room; whether there was."""
        if self.is_ending or not self.output.has_room():
            return False
        self.output.put(message, is_answer=False)
        return True

    def on_close(self, callback: Callable[[], object]) -> None:
        """Have `callback()` called when the client is gone; at once if it is."""
        if self.is_closed:
            callback()
        else:
            self._callbacks.append(callback)

    async def start(self, task: Callable[..., Awaitable[object]], *args: object) -> Any:
        """Run a task that ends with the connection; returns what it gives to `task_status.started`.

        Raises:
            XendError: not_permitted: the client is gone.
        """
        if self.is_closed or self.is_ending:
            raise XendError("not_permitted", "the connection is closing")
        return await self._tasks.start(task, *args)

    def end(self, last_event: Mapping[str, Any]) -> None:
        """Send an event as the last message, then close."""
        self.finish(notification("event", last_event))

    # for the request loop

    async def run(self, read: Callable[[trio.Nursery], Awaitable[object]]) -> None:
        """Run `read(nursery)` until it returns or the connection is ending.

        Tasks that end with the connection run in the nursery, and are cancelled then.
        """
        async with trio.open_nursery() as self._tasks:
            with self._reading:
                await read(self._tasks)
            self._tasks.cancel_scope.cancel()

    def finish(self, message: bytes) -> None:
        """Send this and nothing after it; reading stops."""
        if not self.is_ending:
            self.is_ending = True
            self.output.put(message, is_answer=False)
            self._reading.cancel()

    def close(self) -> None:
        """The client is gone, or has ended its side: call whom `on_close` was given."""
        self.is_closed = True
        callbacks, self._callbacks = self._callbacks, []
        self.call_back(callbacks, "after a connection closed")

    def call_back(self, callbacks: list[Callable[[], object]], where: str) -> None:
        """Call all of these; an error of one is logged, and keeps no other from being called."""
        for callback in callbacks:
            try:
                callback()
            except Exception as error:  # noqa: BLE001 - one callback's fault is not the others'
                as_xend_error(error, where, self._log)
