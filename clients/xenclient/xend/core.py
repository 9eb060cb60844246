"""One connection to xend without its I/O: bytes in, answers and notifications out.

A `Connection` packs calls, matches answers to them and finishes them as lost when the connection is.  It owns
no socket, no thread and no clock; `blocking` and `aio` drive the same.
"""

from __future__ import annotations

import os

import msgpack

from xenclient.xend.errors import CALL, BusError, ClientError, ConnectionLost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Map = dict[str, Any]

#: Calls of one connection that xend runs at a time; it reads no more before one has ended.
CALLS_MAX = 64
#: The longest message taken from xend.
ANSWER_MAX_BYTES = 64 << 20
_REQUEST, _ANSWER, _NOTIFICATION = 0, 1, 2
_LAST_ID = 0xFFFFFFFF

#: The verbs of the methods that only read, besides "hello": they may be sent again, and need no more than
#: the readers' socket.  Whatever reads is called so, so that a new method is known here by its name.
READING_VERBS = frozenset(
    ("info", "dmesg", "list", "config", "explain", "show", "wait", "subscribe", "unsubscribe", "assignable")
)
#: What acts at once and is no operation: it takes no key, so it is not sent again.
ACTING = frozenset(
    (
        "autostart.disable", "autostart.enable", "config.check", "console.attach", "console.write",
        "console.detach", "operation.cancel", "host.debug_keys", "host.set_parameters", "managed.delete",
        "managed.new", "managed.read", "managed.replace", "pci.make_assignable",
        "pci.make_unassignable", "pool.add_cpus", "pool.create", "pool.destroy",
        "pool.remove_cpus", "pool.rename", "pool.set_scheduling", "pool.split", "quota.set",
        "security.load_policy", "security.set_enforcing",
    )
)  # fmt: skip


def is_reading(method: str) -> bool:
    """Whether a method only reads, by its name: "noun.verb"."""
    return method == "hello" or method.partition(".")[2] in READING_VERBS


class Request:
    """A call that somebody wants made.

    Attributes:
        is_operation: it takes as long as its steps do, and has a key by which it is executed once however
            often it is sent.
        is_repeatable: it may be sent again when its answer was lost.
        deadline_s: what xend was told, if it was.
        progress: gets the operation's map at each of its events.
    """

    __slots__ = ("deadline_s", "is_operation", "is_repeatable", "method", "params", "progress")

    def __init__(
        self, method: str, params: Map | None = None, progress: Callable[[Map], object] | None = None
    ) -> None:
        given = {name: value for name, value in (params or {}).items() if value is not None}
        self.method = method
        self.is_operation = not is_reading(method) and method not in ACTING
        if self.is_operation:
            given.setdefault("key", os.urandom(16).hex())
        self.is_repeatable = self.is_operation or (is_reading(method) and not given.get("clear"))
        self.params = given
        self.deadline_s: float | None = given.get("deadline_s")
        self.progress = progress

    def __str__(self) -> str:
        subject = self.params.get("domain", self.params.get("operation", self.params.get("name", "")))
        return f"{self.method} {subject}" if subject != "" else self.method


class Call:
    """A request under way.

    Attributes:
        done: answered, or its connection was lost.
        lost: its connection was lost before the answer came.
        sent: it went out whole, so that xend may have executed it.
    """

    __slots__ = ("_error", "_result", "done", "lost", "request", "sent")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.done = False
        self.lost = False
        self.sent = False
        self._result: Any = None
        self._error: Map | None = None

    def result(self) -> Any:
        """What xend answered.

        Raises:
            BusError: it refused, or failed.
        """
        if self._error is not None:
            raise BusError.from_map(self._error)
        return self._result

    def check_repeatable(self, reason: str) -> None:
        """Return if this lost call may be sent again on another connection.

        Raises:
            ConnectionLost: it may have been executed, and must not be twice.
        """
        if self.sent and not self.request.is_repeatable:
            raise ConnectionLost(
                f"{reason} before it answered {CALL}: it may or may not have been executed", self.request
            )


class Connection:
    """The protocol's state on one stream.

    Attributes:
        broken: why nothing can be sent any more; what xend said last can still be received.
        lost: why the connection is of no more use; empty while it is.
        refusal: xend's own reason to end it, if it gave one.
        notifications: (method, map) of each that came, for the driver to take.
    """

    def __init__(self) -> None:
        self.broken = ""
        self.lost = ""
        self.refusal: BusError | None = None
        self.notifications: list[tuple[str, Map]] = []
        self._unpacker = msgpack.Unpacker(
            max_buffer_size=ANSWER_MAX_BYTES, unicode_errors="replace", strict_map_key=False
        )
        self._calls: dict[int, Call] = {}
        self._outgoing: list[tuple[bytes, Call]] = []
        self._sent_bytes = 0
        self._id = 0

    def call(self, request: Request) -> Call:
        """Queue a request.

        Raises:
            ClientError: a parameter is nothing that can be sent.
        """
        call = Call(request)
        if self.lost:
            call.lost = call.done = True
            return call
        id = self._next_id()
        params = [request.params] if request.params else []
        try:
            message = _packed([_REQUEST, id, request.method, params])
        except (ValueError, TypeError, OverflowError) as error:
            raise ClientError(f"{CALL}: a parameter cannot be sent: {error}", request) from error
        self._outgoing.append((message, call))
        self._calls[id] = call
        return call

    def to_send(self) -> bytes:
        """What is to be sent next, the rest of one message; report what went out with `sent`."""
        if self.broken or self.lost or not self._outgoing:
            return b""
        return self._outgoing[0][0][self._sent_bytes :]

    def sent(self, size: int) -> None:
        """So many bytes of `to_send` are on their way."""
        message, call = self._outgoing[0]
        self._sent_bytes += size
        if self._sent_bytes == len(message):
            call.sent = True
            self._sent_bytes = 0
            del self._outgoing[0]

    def receive(self, data: bytes) -> None:
        """Take bytes as they came; at nonsense the connection is lost."""
        try:
            self._unpacker.feed(data)
            for message in self._unpacker:
                self._take(message)
                if self.lost:
                    return
        except (ValueError, TypeError, LookupError, AttributeError, msgpack.UnpackException) as error:
            self.lose(f"xend sent what is no message ({error})")

    def lose(self, reason: str) -> None:
        """The stream ended or failed: finish every call as lost."""
        if self.lost:
            return
        self.lost = reason
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.lost = call.done = True

    def _take(self, message: list[Any]) -> None:
        if message[0] == _NOTIFICATION:
            _, method, (fields,) = message
            self.notifications.append((method, fields))
            return
        kind, id, error, result = message
        call = self._calls.pop(id, None)
        if call is not None and kind == _ANSWER:
            call._result, call._error, call.done = result, error, True
        elif error:
            self.refusal = BusError.from_map(error)
            self.lose(f"xend ended the connection ({self.refusal})")
        else:
            self.lose("xend answered what was not asked")

    def _next_id(self) -> int:
        # Zero is what errors of the whole connection carry.
        while True:
            self._id = self._id % _LAST_ID + 1
            if self._id not in self._calls:
                return self._id


def _packed(message: list[Any]) -> bytes:
    """A request; texts that are no UTF-8 (names of files, what stands in them) go as bytes."""
    try:
        return bytes(msgpack.packb(message))
    except UnicodeEncodeError:
        return bytes(msgpack.packb(_with_bytes(message)))


def _with_bytes(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else _text_or_bytes(value)
    if isinstance(value, dict):
        return {key: _with_bytes(each) for key, each in value.items()}
    return [_with_bytes(each) for each in value] if isinstance(value, list) else value


def _text_or_bytes(text: str) -> str | bytes:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")
    return text
