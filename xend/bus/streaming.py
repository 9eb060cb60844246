"""The calls events.subscribe and .unsubscribe: the event log's stream, and store watches, to clients."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import attrs
import trio

from xend.bus.connection import Connection
from xend.bus.events import EventLog, Subscription
from xend.bus.kinds import NUMBER, TEXTS, choices
from xend.bus.methods import Call, Method, optional
from xend.errors import XendError
from xend.faults import as_xend_error

__all__ = ["KINDS", "Publish", "WatchPaths", "event_methods"]

KINDS = ("domain", "device", "operation", "autostart", "managed", "store")
#: Store paths of one subscription.
_PATHS_MAX = 128

#: `publish(path, token)`: something changed at `path`; `token` is the watched path.
Publish = Callable[[str, str], object]
#: Watches store paths while it is entered.  Entering raises XendError where they cannot be watched; a watch
#: that fails later raises it inside the block.
WatchPaths = Callable[[list[str], Publish], AbstractAsyncContextManager[object]]


@attrs.define(eq=False)
class _Stream:
    """One client's stream of events.

    Attributes:
        begin: set when the answer to the call is under way.
    """

    connection: Connection
    events: EventLog
    subscription: Subscription
    log: Callable[[str], object]
    begin: trio.Event = attrs.field(factory=trio.Event)
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    async def start(self, watching: AbstractAsyncContextManager[object] | None) -> None:
        """Watch the paths, then stream in the background from `begin` on."""
        self.subscription.on_too_slow = lambda: self.end("too_slow", "too many events wait unsent")
        try:
            await self.connection.start(self._run, watching)
        except BaseException:
            self.subscription.close()
            raise

    def stop(self) -> None:
        self.subscription.close()
        self.scope.cancel()
        self.connection.before_answer = lambda: None

    def store_changed(self, path: str, token: str) -> None:
        self.events.publish_to(self.subscription, "store", "changed", path=path, token=token)

    def end(self, code: str, message: str) -> None:
        last = {"kind": "end", "code": code, "message": message, "seq": self.connection.seq}
        self.connection.end(last)

    async def _run(
        self,
        watching: AbstractAsyncContextManager[object] | None,
        *,
        task_status: trio.TaskStatus[None],
    ) -> None:
        try:
            with self.scope:
                async with watching or nullcontext():
                    await self._send(task_status)
        except Exception as error:
            if not self.begin.is_set():
                raise
            failure = as_xend_error(error, "store watches of a client", self.log)
            self.end(failure.code, failure.message)
        finally:
            self.subscription.close()

    async def _send(self, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await self.begin.wait()
        self.connection.seq = self.subscription.seq
        self.connection.before_answer = self.forward
        while True:
            await self.subscription.wait()
            await self.connection.room()
            self.forward()
            # A connection that is ending takes nothing, and cancels this.
            await trio.lowlevel.checkpoint()

    def forward(self) -> None:
        """Pass on the events that wait, as far as there is room."""
        while (event := self.subscription.first()) and self.connection.post(event.message):
            self.connection.seq = event.seq
            self.subscription.take()


def event_methods(events: EventLog, watch_paths: WatchPaths, log: Callable[[str], object]) -> list[Method]:
    """The two methods; `log` gets faults of ours, with their traceback."""
    #: Of every connection that ever subscribed, and is open.
    streams: dict[Connection, _Stream | None] = {}

    def stop(connection: Connection) -> None:
        stream = streams.get(connection)
        if stream is not None:
            stream.stop()
            streams[connection] = None

    def forget(connection: Connection) -> None:
        stop(connection)
        del streams[connection]

    async def subscribe(
        call: Call, since: int | None = None, kinds: list[str] | None = None, watch: list[str] | None = None
    ) -> dict[str, Any]:
        if watch and len(watch) > _PATHS_MAX:
            message = f"{len(watch)} paths to watch, at most {_PATHS_MAX}"
            raise XendError("bad_request", message, method=call.method)
        connection = call.connection
        stream = _Stream(connection, events, events.subscribe(since, kinds), log)
        if connection not in streams:
            streams[connection] = None
            connection.on_close(lambda: forget(connection))
        stop(connection)
        await stream.start(watch_paths(watch, stream.store_changed) if watch else None)
        stop(connection)  # another call may have begun one meanwhile
        streams[connection] = stream
        call.after_answer(stream.begin.set)
        return {"seq": stream.subscription.seq}

    async def unsubscribe(call: Call) -> dict[str, Any]:
        stop(call.connection)
        return {}

    parameters = {
        "since": optional(NUMBER),
        "kinds": optional(choices(*KINDS)),
        "watch": optional(TEXTS, operate=True),
    }
    return [
        Method("events.subscribe", "read", parameters, subscribe, cancel_on_close=True),
        Method("events.unsubscribe", "read", {}, unsubscribe),
    ]
