"""What comes unasked on a connection of its own: an operation's progress, the event stream, a console."""

from __future__ import annotations

from xenclient.xend.core import Request
from xenclient.xend.errors import BusError
from xenclient.xend.link import Follower

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from xenclient.xend.core import Call, Connection

    Map = dict[str, Any]


class Progress(Follower):
    """Tells a callback of the events of one operation, known by its key."""

    def __init__(self, key: str, callback: Callable[[Map], object]) -> None:
        self._key = key
        self._callback = callback

    def greet(self, connection: Connection) -> Call:
        return connection.call(Request("events.subscribe", {"kinds": ["operation"]}))

    def take(self, method: str, fields: Map) -> None:
        operation = fields.get("operation")
        if method == "event" and isinstance(operation, dict) and operation.get("key") == self._key:
            self._callback(operation)


class EventStream(Follower):
    """Events in order, across connections.

    Attributes:
        seq: of the last event that was taken or, before there is one, the last before the stream; None until
            xend has answered.
    """

    def __init__(self, since: int | None, kinds: Sequence[str] | None, watch: Sequence[str] | None) -> None:
        self.seq = since
        self._params = {"kinds": list(kinds) if kinds else None, "watch": list(watch) if watch else None}
        self._arrived: list[Map] = []
        self._last_arrived: int | None = since
        self._call: Call | None = None
        self._error: BusError | None = None

    def greet(self, connection: Connection) -> Call:
        params = {**self._params, "since": self._last_arrived}
        self._call = connection.call(Request("events.subscribe", params))
        return self._call

    def take(self, method: str, fields: Map) -> None:
        if method != "event":
            return
        if fields.get("kind") == "end":
            message = str(fields.get("message", "the listener fell behind the event stream"))
            self._error = BusError(str(fields.get("code")), message)
        else:
            self._last_arrived = fields.get("seq")
            self._arrived.append(fields)

    def is_subscribed(self) -> bool:
        """Whether xend has agreed to the stream.

        Raises:
            BusError: it has refused.
        """
        if self._call is None or not self._call.done or self._call.lost:
            return False
        result = self._call.result()
        if self._last_arrived is None:
            self._last_arrived = self.seq = result["seq"]
        return True

    def is_ready(self) -> bool:
        """Whether `next` has something to say.

        Raises:
            BusError: xend has refused.
        """
        if self._arrived or self._error:
            return True
        self.is_subscribed()
        return False

    def next(self) -> Map:
        """The oldest event that has arrived.

        Raises:
            BusError: the stream ended.
        """
        if not self._arrived:
            assert self._error is not None
            raise self._error
        event = self._arrived.pop(0)
        self.seq = event.get("seq")
        return event


class ConsoleOutput(Follower):
    """What a console brings.

    Attributes:
        is_over: the domain is gone; nothing comes after what is there.
    """

    def __init__(self) -> None:
        self.is_over = False
        self._error: BusError | None = None
        self._pieces: list[bytes] = []

    def take(self, method: str, fields: Map) -> None:
        if method == "event" and fields.get("kind") == "end":
            message = str(fields.get("message", "the viewer fell behind the console"))
            self._error = BusError(str(fields.get("code")), message)
        elif method == "console":
            self.is_over = self.is_over or bool(fields.get("eof"))
            if data := fields.get("data"):
                self._pieces.append(data)

    def is_ready(self) -> bool:
        """Whether `read` has something to say."""
        return bool(self._pieces or self.is_over or self._error)

    def read(self) -> bytes:
        """All that has come; b"" once it is over.

        Raises:
            BusError: xend ended it.
        """
        data = b"".join(self._pieces)
        self._pieces.clear()
        if not data and self._error is not None:
            raise self._error
        return data
