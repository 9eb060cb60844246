"""One connection to the store without its I/O: bytes in, answers and events out.

A `Connection` frames requests, matches answers to them by request id and knows, when the connection is
lost, what the server may have executed.  It owns no socket, no thread and no clock.

An operation is a generator (`Steps`): it yields each `Request` it wants sent and each `Pause` it wants
made, is sent the answer's payload or thrown the XenstoreError, and returns its result.  `link` drives them,
for both clients.
"""

from __future__ import annotations

from xenclient.store.errors import ConnectionLost
from xenstore.errors import E2BIG, EAGAIN, XenstoreError, from_wire
from xenstore.wire import HEADER, HEADER_SIZE, PAYLOAD_MAX, TYPE_NAMES, MessageType, pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import TypeVar

    T = TypeVar("T")
    Steps = Generator["Request | Pause", bytes, T]

#: What changes nothing that anybody else sees.
HARMLESS = frozenset(
    (
        MessageType.DIRECTORY,
        MessageType.DIRECTORY_PART,
        MessageType.READ,
        MessageType.GET_PERMS,
        MessageType.GET_DOMAIN_PATH,
        MessageType.IS_DOMAIN_INTRODUCED,
        MessageType.GET_FEATURE,
        MessageType.GET_QUOTA,
        MessageType.TRANSACTION_START,
        # A new connection has no watches: setting one there is the first time, removing one is done.
        MessageType.WATCH,
        MessageType.UNWATCH,
        MessageType.RESET_WATCHES,
    )
)
#: What may be executed twice: it is harmless, or ends where once ends.  Not so what is refused the second
#: time (RELEASE), announced again (INTRODUCE, RESUME) or means anything at all (CONTROL).
REPEATABLE = HARMLESS | {
    MessageType.WRITE,
    MessageType.MKDIR,
    MessageType.RM,
    MessageType.SET_PERMS,
    MessageType.SET_TARGET,
    MessageType.SET_QUOTA,
}
#: The longest message taken from a server: oxenstored does not keep to PAYLOAD_MAX on sockets when it
#: lists a directory.
ANSWER_MAX_BYTES = 1 << 20
_LAST_REQ_ID = 0xFFFFFFFF


class Pause:
    """A wish to wait; `awaited` says for what, should the deadline come first."""

    __slots__ = ("awaited", "seconds")

    def __init__(self, seconds: float, awaited: str) -> None:
        self.seconds = seconds
        self.awaited = awaited


class Request:
    """One message to the server.

    Attributes:
        connection: for a request inside a transaction the connection that holds the transaction; for
            others the one that sent it last.
    """

    __slots__ = ("connection", "payload", "tx_id", "type")

    def __init__(
        self, type: int, payload: bytes = b"", tx_id: int = 0, connection: Connection | None = None
    ) -> None:
        self.type = type
        self.payload = payload
        self.tx_id = tx_id
        self.connection = connection

    def inside(self, tx_id: int, connection: Connection) -> Request:
        """The same request as part of a transaction of `connection`."""
        return Request(self.type, self.payload, tx_id, connection)

    def __str__(self) -> str:
        text = TYPE_NAMES[self.type]
        subject = self.payload.partition(b"\0")[0].decode("utf-8", "backslashreplace")
        if subject and self.type != MessageType.TRANSACTION_END:
            text += f" {subject}"
        return f"{text} (transaction {self.tx_id})" if self.tx_id else text


class Call:
    """A request under way.

    Attributes:
        connection: on which it was sent.
        done: answered, or its connection was lost.
        lost: its connection was lost before the answer came.
    """

    __slots__ = (
        "_answer", "_end", "_error", "_executed",
        "abandoned", "connection", "done", "lost", "request", "wake",
    )  # fmt: skip

    def __init__(
        self, connection: Connection, request: Request, end: int, wake: Callable[[], object] | None
    ) -> None:
        self.connection = connection
        self.request = request
        self.wake = wake
        self.done = False
        self.lost = False
        self.abandoned = False
        self._end = end
        self._answer = b""
        self._error: XenstoreError | None = None
        self._executed = False

    def result(self) -> bytes:
        """The answer's payload.

        Raises:
            XenstoreError: the server refused.
        """
        if self._error is not None:
            raise self._error
        return self._answer

    def awaited(self) -> str:
        """For the error of a caller who waits no longer."""
        text = f"the answer to {self.request}"
        return text if self.request.type in HARMLESS else f"{text}; it may still be executed"

    def check_repeatable(self, reason: str) -> None:
        """Return if this lost call may be sent again on another connection.

        Raises:
            EAGAIN: its transaction is gone with the connection and certainly not committed.
            ConnectionLost: it may have been executed.
        """
        request = self.request
        commit = request.type == MessageType.TRANSACTION_END and request.payload == b"T\0"
        if request.tx_id and not (commit and self._executed):
            raise EAGAIN(f"{request}: the transaction ended when the connection was lost ({reason})")
        if self._executed and request.type not in REPEATABLE:
            raise ConnectionLost(
                f"{reason} before it answered {request}: it may or may not have been executed; "
                "read back before doing it again"
            )

    def _finish(self) -> None:
        self.done = True
        if self.wake is not None:
            self.wake()


class Connection:
    """The protocol's state on one stream.

    Attributes:
        outgoing: bytes to send next; report what was taken with `sent`.
        lost: why the connection is of no more use; empty while it is.
        heard: the server has sent something.
    """

    def __init__(self, on_event: Callable[[bytes, bytes], None]) -> None:
        """`on_event(path, token)` is called for each watch event, in the order they arrive."""
        self.outgoing = bytearray()
        self.lost = ""
        self.heard = False
        self._on_event = on_event
        self._incoming = bytearray()
        self._calls: dict[int, Call] = {}
        self._req_id = 0
        self._sent = 0

    def call(self, request: Request, wake: Callable[[], object] | None = None) -> Call:
        """Queue a request; `wake()` is called when the call is done.

        Raises:
            E2BIG: it does not fit a message.
            EAGAIN: it belongs to a transaction of another connection, which ended with it.
        """
        if len(request.payload) > PAYLOAD_MAX:
            raise E2BIG(f"{request}: {len(request.payload)} bytes, a message holds {PAYLOAD_MAX}")
        if request.tx_id and request.connection is not self:
            raise EAGAIN(f"{request}: the transaction ended with its connection")
        request.connection = self
        req_id = self._next_req_id()
        self.outgoing += pack(request.type, request.payload, req_id=req_id, tx_id=request.tx_id)
        call = self._calls[req_id] = Call(self, request, self._sent + len(self.outgoing), wake)
        return call

    def sent(self, size: int) -> None:
        """The first `size` bytes of `outgoing` are on their way."""
        self._sent += size
        del self.outgoing[:size]

    def abandon(self, call: Call) -> None:
        """Nobody waits for this call any more; what its late answer leaves behind is taken back."""
        call.wake = None
        call.abandoned = True
        if call.done and not call.lost:
            self._take_back(call)

    def receive(self, data: bytes) -> None:
        """Take bytes as they came; at nonsense the connection is lost."""
        self.heard = True
        self._incoming += data
        while not self.lost and len(self._incoming) >= HEADER_SIZE:
            type, req_id, _tx_id, size = HEADER.unpack_from(self._incoming)
            if size > ANSWER_MAX_BYTES:
                self.lose(f"xenstored sent a message of {size} bytes")
                return
            if len(self._incoming) < HEADER_SIZE + size:
                return
            payload = bytes(self._incoming[HEADER_SIZE : HEADER_SIZE + size])
            del self._incoming[: HEADER_SIZE + size]
            if type == MessageType.WATCH_EVENT:
                self._event(payload)
            else:
                self._reply(type, req_id, payload)

    def lose(self, reason: str) -> None:
        """The stream ended or failed: finish every call as lost."""
        if self.lost:
            return
        self.lost = reason
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.lost = True
            call._executed = call._end <= self._sent
            call._finish()

    def _event(self, payload: bytes) -> None:
        path, _, rest = payload.partition(b"\0")
        self._on_event(path, rest.partition(b"\0")[0])

    def _reply(self, type: int, req_id: int, payload: bytes) -> None:
        call = self._calls.get(req_id)
        if call is None or type not in (call.request.type, MessageType.ERROR):
            self.lose(f"xenstored sent a message of type {type} that answers no request")
            return
        del self._calls[req_id]
        if type == MessageType.ERROR:
            call._error = from_wire(payload, str(call.request))
        else:
            call._answer = payload
        call._finish()
        if call.abandoned:
            self._take_back(call)

    def _take_back(self, call: Call) -> None:
        if call._error is not None or self.lost:
            return
        request, number = call.request, call._answer.rstrip(b"\0")
        if request.type == MessageType.TRANSACTION_START and number.isdigit():
            undo = Request(MessageType.TRANSACTION_END, b"F\0", int(number), self)
        elif request.type == MessageType.WATCH:
            path, token = request.payload.split(b"\0")[:2]
            undo = Request(MessageType.UNWATCH, path + b"\0" + token + b"\0")
        else:
            return
        self.abandon(self.call(undo))

    def _next_req_id(self) -> int:
        # Zero is what events carry; an id in use belongs to a call the server has not answered yet.
        while True:
            self._req_id = self._req_id % _LAST_REQ_ID + 1
            if self._req_id not in self._calls:
                return self._req_id
