"""What a client remembers of its watches: who gets which event, and what a new connection must set again."""

from __future__ import annotations

from xenclient.store.core import Request
from xenclient.store.errors import ClientError, WatchClosed
from xenclient.store.strings import decode, encode, terminated
from xenstore.errors import EEXIST, ENOENT, ENOSYS, XenstoreError
from xenstore.wire import MessageType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenclient.store.core import Connection, Steps
    from xenclient.store.strings import Text

#: Events kept for a reader that does not come.  Above what one read of a socket can bring, so that a
#: reader who takes all it was given before waiting again misses none.
QUEUE_MAX_EVENTS = 1024


class Event(tuple[str, str]):
    """(path, token): something changed at `path`, or may have: the first event of a watch, and any event
    with the watched path itself, asks to read everything below it again.
    """

    __slots__ = ()

    def __new__(cls, path: str, token: str) -> Event:
        return super().__new__(cls, (path, token))

    @property
    def path(self) -> str:
        return self[0]

    @property
    def token(self) -> str:
        return self[1]


class Registration:
    """One watch on the server; `restored` once a second connection has set it."""

    __slots__ = ("depth", "path", "queue", "restored", "token")

    def __init__(self, queue: Queue, path: bytes, token: bytes, depth: int | None) -> None:
        self.queue = queue
        self.path = path
        self.token = token
        self.depth = depth
        self.restored = False

    @property
    def key(self) -> tuple[bytes, bytes]:
        return self.path, self.token

    def request(self) -> Request:
        depth = () if self.depth is None else (str(self.depth),)
        return Request(MessageType.WATCH, terminated(self.path, self.token, *depth))

    def restore(self, connection: Connection) -> None:
        """Set the watch on another connection; its reader hears of a refusal."""

        def answered() -> None:
            if call.lost:
                return
            try:
                call.result()
            except XenstoreError as error:
                self.queue.fail(error)

        self.restored = True
        call = connection.call(self.request(), answered)

    def covers(self, path: bytes) -> bool:
        # The server spells the path relative if the watch was, so comparing text is right.  "/" covers
        # @releaseDomain too, as the xenstored of Xen 4.17 has it.
        if path == self.path or (self.path == b"/" and path.startswith(b"@")):
            return True
        top = self.path.rstrip(b"/") + b"/"
        # The kernel's device takes a depth and does not heed it.
        return path.startswith(top) and (self.depth is None or path.count(b"/", len(top)) < self.depth)

    def everything(self) -> Event:
        return Event(decode(self.path), decode(self.token))


class Queue:
    """The events of one or several registrations, in order, until somebody takes them.

    When it is full its content is replaced by one event per registration with the watched path itself:
    nothing is lost to a reader who reads again what an event names.  It holds two per watched path at least,
    or it would be full with these.
    """

    def __init__(self) -> None:
        #: By path and token.
        self.registrations: dict[bytes, dict[bytes, Registration]] = {}
        self.closed = False
        self.wake: Callable[[], object] | None = None
        self._events: list[Event] = []
        self._error: Exception | None = None

    def ready(self) -> bool:
        """Whether `take` has something to say; if not, events may come."""
        return bool(self._events or self._error or self.closed or not self.registrations)

    def take(self) -> Event | None:
        """The oldest event; None when the queue was closed and is empty.

        Raises:
            Exception: what `fail` was given, once, after the events that came before it.
            ClientError: it is empty and nothing is watched.
        """
        if self._events:
            return self._events.pop(0)
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        if not self.closed:
            raise ClientError("nothing is watched: enter the watch, or add a path to it, first")
        return None

    def put(self, event: Event) -> None:
        if len(self._events) >= max(QUEUE_MAX_EVENTS, 2 * len(self.registrations)):
            self._events = [registration.everything() for registration in self.all()]
        else:
            self._events.append(event)
        self._wake()

    def all(self) -> list[Registration]:
        return [each for same_path in self.registrations.values() for each in same_path.values()]

    def fail(self, error: Exception) -> None:
        """The next reader gets this error."""
        self._error = error
        self._wake()

    def close(self) -> None:
        self.registrations.clear()
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        if self.wake is not None:
            self.wake()


class Watches:
    """All watches of a client; a client may have thousands."""

    def __init__(self) -> None:
        self._registrations: dict[tuple[bytes, bytes], Registration] = {}
        self._by_token: dict[bytes, dict[bytes, Registration]] = {}
        self._next_token = 0

    def route(self, path: bytes, token: bytes) -> None:
        """Hand an event to every queue it may be meant for; nobody's (just removed) is dropped."""
        queues: list[Queue] = []
        for registration in self._by_token.get(token, {}).values():
            if registration.covers(path) and registration.queue not in queues:
                queues.append(registration.queue)
        for queue in queues:
            queue.put(Event(decode(path), decode(token)))

    def restore(self, connection: Connection) -> None:
        """Set every watch again on a new connection; the server sends the first event of each."""
        for registration in self._registrations.values():
            registration.restore(connection)

    def fail(self, error: Exception) -> None:
        """Tell every reader."""
        for queue in {id(r.queue): r.queue for r in self._registrations.values()}.values():
            queue.fail(error)

    def add(self, queue: Queue, path: Text, token: Text | None, depth: int | None) -> Steps[None]:
        """Set a watch whose events go to `queue`; without a token one of its own is chosen."""
        if queue.closed:
            raise WatchClosed(f"WATCH {path!r}: this watch is closed")
        if token is None:
            self._next_token += 1
            token = f"xenclient-{self._next_token}"
        registration = Registration(queue, encode(path), encode(token), depth)
        if registration.key in self._registrations:
            # The server would say so, but not the kernel's device.
            raise EEXIST(str(registration.request()))
        self._remember(registration)
        try:
            yield registration.request()
        except BaseException as error:
            # Sent again after a reconnection, which had set it already.
            if isinstance(error, EEXIST) and registration.restored:
                return
            self._forget(registration)
            raise

    def remove(self, queue: Queue, path: Text, token: Text | None) -> Steps[None]:
        """Remove the queue's watches on this path (those with this token, if given).

        Raises:
            ENOENT: there is none.
        """
        same_path = queue.registrations.get(encode(path), {})
        found = [each for each in same_path.values() if token is None or each.token == encode(token)]
        if not found:
            raise ENOENT(f"UNWATCH {path!r}: this watch is not set")
        for registration in found:
            self._forget(registration)
            yield from _unwatch(registration)

    def close(self, queue: Queue) -> list[Request]:
        """Forget the queue; returns what the server should be sent, whose answers do not matter."""
        left = queue.all()
        for registration in left:
            self._forget(registration)
        queue.close()
        return [_unwatch_request(registration) for registration in left]

    def reset(self) -> Steps[None]:
        """Remove all watches, and end all transactions, of this connection; iterating the watches ends.

        Over the kernel's device transactions stay open.
        """
        registrations = list(self._registrations.values())
        for registration in registrations:
            self.close(registration.queue)
        try:
            yield Request(MessageType.RESET_WATCHES, b"\0")
        except ENOSYS:
            # Over the kernel's device, where it would hit the kernel's own watches.
            for registration in registrations:
                yield from _unwatch(registration)

    def _remember(self, registration: Registration) -> None:
        path, token = registration.key
        self._registrations[path, token] = registration
        self._by_token.setdefault(token, {})[path] = registration
        registration.queue.registrations.setdefault(path, {})[token] = registration

    def _forget(self, registration: Registration) -> None:
        path, token = registration.key
        if self._registrations.get(registration.key) is registration:
            del self._registrations[registration.key]
            _take(self._by_token, token, path)
        if registration.queue.registrations.get(path, {}).get(token) is registration:
            _take(registration.queue.registrations, path, token)


def _take(table: dict[bytes, dict[bytes, Registration]], outer: bytes, inner: bytes) -> None:
    del table[outer][inner]
    if not table[outer]:
        del table[outer]


def _unwatch_request(registration: Registration) -> Request:
    return Request(MessageType.UNWATCH, terminated(registration.path, registration.token))


def _unwatch(registration: Registration) -> Steps[None]:
    try:
        yield _unwatch_request(registration)
    except ENOENT:
        return  # the connection that held it was lost in between
