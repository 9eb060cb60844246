"""A store in memory that a test can make answer, be silent, hang up and be away, at set times.

It has a tree, watches and transaction ids, but no isolation: what a commit answers is up to the test.
"""

from collections.abc import Callable
from typing import NamedTuple

from xenclient.store.errors import ConnectError
from xenstore.wire import HEADER, HEADER_SIZE, TYPE_NAMES, MessageType, pack


class Asked(NamedTuple):
    """A request as the server saw it."""

    name: str
    payload: bytes
    tx_id: int = 0
    connection: int = 1


class HangUp(Exception):
    """Raised by a rule: the server closes the connection instead of answering."""


class Silent(Exception):
    """Raised by a rule: the server does not answer (`FakeConnection.answer_late` may)."""


#: Given a request, returns a payload, an errno's name, or None to leave the answer to the store.
Rule = Callable[[Asked], bytes | str | None]


class FakeStore:
    """Attributes:
    nodes: the tree, path to value; directories are what paths imply.
    asked: every request so far.
    rules: the first that does not return None decides; they may raise HangUp or Silent.
    away: whether connecting fails.
    busy: how many attempts to connect find the backlog full.
    schedule: (seconds, action) in order of time, done when the test's clock comes there.
    """

    def __init__(self) -> None:
        self.nodes: dict[bytes, bytes] = {b"/a": b"value"}
        self.asked: list[Asked] = []
        self.rules: list[Rule] = []
        self.away = False
        self.busy = 0
        self.attempts = 0
        self.connections: list[FakeConnection] = []
        self.schedule: list[tuple[float, Callable[[], object]]] = []

    def connect(self) -> "FakeConnection":
        self.attempts += 1
        if self.busy:
            self.busy -= 1
            raise BlockingIOError
        if self.away:
            raise ConnectError("nobody listens on fake")
        connection = FakeConnection(self, len(self.connections) + 1)
        self.connections.append(connection)
        return connection

    def restart(self) -> None:
        """Close all connections; the tree stays."""
        for connection in self.connections:
            connection.close()

    def names(self, *names: str) -> list[Asked]:
        """The requests of these types, in order."""
        return [asked for asked in self.asked if asked.name in names]

    def fire(self, path: bytes) -> None:
        """Send the events of a change."""
        for connection in self.connections:
            for watched, token in connection.watches:
                if path == watched or path.startswith(watched + b"/"):
                    connection.event(path, token)


class FakeConnection:
    """The server's end: bytes go in by `feed`, come out through `on_output` or from `output`."""

    def __init__(self, store: FakeStore, number: int) -> None:
        self.store = store
        self.number = number
        self.output = bytearray()
        self.closed = False
        self.watches: list[tuple[bytes, bytes]] = []
        self.late: list[Callable[[], None]] = []
        self.on_output: Callable[[], object] = lambda: None
        self._input = bytearray()
        self._transactions = 0

    def feed(self, data: bytes) -> None:
        self._input += data
        while not self.closed and len(self._input) >= HEADER_SIZE:
            type, req_id, tx_id, size = HEADER.unpack_from(self._input)
            if len(self._input) < HEADER_SIZE + size:
                return
            payload = bytes(self._input[HEADER_SIZE : HEADER_SIZE + size])
            del self._input[: HEADER_SIZE + size]
            asked = Asked(TYPE_NAMES[type], payload, tx_id, self.number)
            self.store.asked.append(asked)
            try:
                answer = self._answer(asked)
            except HangUp:
                self.close()
            except Silent:
                self.late.append(lambda a=asked, r=req_id: self._reply(a, r, self._execute(a)))  # type: ignore[misc]
            else:
                self._reply(asked, req_id, answer)

    def answer_late(self) -> None:
        """Now answer what was not answered."""
        late, self.late = self.late, []
        for answer in late:
            answer()

    def event(self, path: bytes, token: bytes) -> None:
        self.put(pack(MessageType.WATCH_EVENT, path + b"\0" + token + b"\0"))

    def put(self, data: bytes) -> None:
        if not self.closed:
            self.output += data
            self.on_output()

    def close(self) -> None:
        self.closed = True
        self.watches.clear()
        self.on_output()

    def _answer(self, asked: Asked) -> bytes | str:
        for rule in self.store.rules:
            answer = rule(asked)
            if answer is not None:
                return answer
        return self._execute(asked)

    def _reply(self, asked: Asked, req_id: int, answer: bytes | str) -> None:
        type = getattr(MessageType, asked.name)
        if isinstance(answer, str):
            type, answer = MessageType.ERROR, answer.encode() + b"\0"
        self.put(pack(type, answer, req_id=req_id, tx_id=asked.tx_id))
        if asked.name == "WATCH" and type != MessageType.ERROR:
            path, token = asked.payload.split(b"\0")[:2]
            self.event(path, token)

    def _execute(self, asked: Asked) -> bytes | str:
        nodes = self.store.nodes
        path, _, rest = asked.payload.partition(b"\0")
        match asked.name:
            case "READ":
                return nodes.get(path, "ENOENT")
            case "DIRECTORY":
                below = [p[len(path) + 1 :] for p in nodes if p.startswith(path + b"/")]
                return b"".join(name + b"\0" for name in below if b"/" not in name)
            case "WRITE":
                nodes[path] = rest
                self.store.fire(path)
            case "WATCH":
                watch = (path, rest.split(b"\0")[0])
                if watch in self.watches:
                    return "EEXIST"
                self.watches.append(watch)
            case "UNWATCH":
                watch = (path, rest.rstrip(b"\0"))
                if watch not in self.watches:
                    return "ENOENT"
                self.watches.remove(watch)
            case "RESET_WATCHES":
                self.watches.clear()
            case "TRANSACTION_START":
                self._transactions += 1
                return b"%d\0" % self._transactions
        return b"OK\0"
