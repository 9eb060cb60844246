"""Sessions of a store in this process, as a test talks to them: one method a request, errors raised."""

from collections.abc import Iterator, Mapping

from tests.peers.wire import Message, split_message
from xenstore import errors
from xenstore.store import Session, Store
from xenstore.wire import MessageType, pack


class Hypervisor:
    """The domains that exist; their pages are not looked at."""

    def __init__(self, *domids: int) -> None:
        self.domids = set(domids)
        self.mapped: set[int] = set()

    def exists(self, domid: int) -> bool:
        return domid == 0 or domid in self.domids

    def identity(self, domid: int) -> int:
        return 0

    def map(self, domid: int, gfn: int, port: int) -> None:
        if not self.exists(domid):
            raise errors.ENOENT(f"domain {domid} does not exist")
        self.mapped.add(domid)

    def serve(self, session: Session) -> None:
        pass

    def unmap(self, domid: int) -> None:
        self.mapped.discard(domid)


class Client:
    """One session.  Each method sends a request and returns what the reply holds.

    `tx` is a transaction's id, 0 for none.  Watch events met on the way are kept in `events`.
    Every method raises the XenstoreError that the store answers with, and TimeoutError if it does not
    answer; where the store waits for its journal, it does what that waits for.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.events: list[Message] = []

    def send(self, type: int, payload: bytes = b"", *, req_id: int = 0, tx: int = 0) -> None:
        """One message, without looking for what comes back."""
        self.session.feed(pack(type, payload, req_id=req_id, tx_id=tx))

    def take(self) -> list[Message]:
        """All messages that wait, replies and events alike, without asking for any."""
        found = self.events + list(self._receive())
        self.events = []
        return found

    def _receive(self) -> Iterator[Message]:
        output = bytearray(self.session.take())
        while (message := split_message(output)) is not None:
            yield message
        assert not output, f"the output ends within a message: {bytes(output)!r}"

    def take_events(self) -> list[tuple[bytes, bytes]]:
        """(path, token) of the events that wait; asserts that nothing but events does."""
        found = []
        for message in self.take():
            assert message.type == MessageType.WATCH_EVENT, f"unexpected reply {message}"
            path, token, end = message.payload.split(b"\0")
            assert end == b""
            found.append((path, token))
        return found

    def ask(self, type: int, *arguments: bytes, tx: int = 0) -> bytes:
        """The payload of the reply to a request whose payload is strings."""
        return self.ask_raw(type, b"".join(argument + b"\0" for argument in arguments), tx=tx)

    def ask_raw(self, type: int, payload: bytes, tx: int = 0) -> bytes:
        self.send(type, payload, tx=tx)
        replies = self._replies()
        while not replies and self.session.store.is_behind:
            self.session.store.run_due()
            replies = self._replies()
        if not replies:
            raise TimeoutError(f"no answer to a request of type {type}")
        (reply,) = replies
        if reply.type == MessageType.ERROR:
            raise errors.from_wire(reply.payload)
        assert reply.type == type, f"a reply of type {reply.type} to a request of type {type}"
        return reply.payload

    def _replies(self) -> list[Message]:
        replies: list[Message] = []
        for message in self._receive():
            (self.events if message.type == MessageType.WATCH_EVENT else replies).append(message)
        return replies

    def read(self, path: bytes, tx: int = 0) -> bytes:
        return self.ask(MessageType.READ, path, tx=tx)

    def write(self, path: bytes, value: bytes = b"", tx: int = 0) -> None:
        self.ask_raw(MessageType.WRITE, path + b"\0" + value, tx=tx)

    def mkdir(self, path: bytes, tx: int = 0) -> None:
        self.ask(MessageType.MKDIR, path, tx=tx)

    def rm(self, path: bytes, tx: int = 0) -> None:
        self.ask(MessageType.RM, path, tx=tx)

    def directory(self, path: bytes, tx: int = 0) -> list[bytes]:
        return self.ask(MessageType.DIRECTORY, path, tx=tx).split(b"\0")[:-1]

    def directory_in_parts(self, path: bytes) -> list[bytes]:
        """The names of a directory of any size; asserts that it does not change meanwhile."""
        names, generation = b"", None
        while not names.endswith(b"\0\0") and names != b"\0":
            part = self.ask(MessageType.DIRECTORY_PART, path, b"%d" % len(names))
            now, _, more = part.partition(b"\0")
            assert generation in (None, now), "the directory's generation changed while nobody changed it"
            generation = now
            names += more
        return names[:-1].split(b"\0")[:-1]

    def get_perms(self, path: bytes, tx: int = 0) -> list[bytes]:
        return self.ask(MessageType.GET_PERMS, path, tx=tx).split(b"\0")[:-1]

    def set_perms(self, path: bytes, *perms: bytes, tx: int = 0) -> None:
        self.ask(MessageType.SET_PERMS, path, *perms, tx=tx)

    def watch(self, path: bytes, token: bytes = b"t", *depth: bytes) -> None:
        self.ask(MessageType.WATCH, path, token, *depth)

    def watch_only(self, path: bytes, token: bytes = b"t", *depth: bytes) -> None:
        """`watch`, and take its first event off the queue."""
        self.watch(path, token, *depth)
        assert self.take_events() == [(path, token)]

    def unwatch(self, path: bytes, token: bytes = b"t") -> None:
        self.ask(MessageType.UNWATCH, path, token)

    def start(self) -> int:
        return int(self.ask(MessageType.TRANSACTION_START, b"").rstrip(b"\0"))

    def end(self, tx: int, commit: bool = True) -> None:
        self.ask(MessageType.TRANSACTION_END, b"T" if commit else b"F", tx=tx)


class World:
    """A store, the hypervisor below it, and `dom0`, a client of the socket."""

    def __init__(self, quotas: Mapping[str, int] | None = None, *, keep_orphans: bool = False) -> None:
        self.hypervisor = Hypervisor()
        self.store = Store(quotas=quotas, keep_orphans=keep_orphans, hypervisor=self.hypervisor)
        self.dom0 = Client(self.store.connect())

    def connect(self) -> Client:
        """Another client of the socket."""
        return Client(self.store.connect())

    def guest(self, domid: int) -> Client:
        """The client of a domain that is created and introduced herewith, with a home of its own."""
        self.hypervisor.domids.add(domid)
        home = b"/local/domain/%d" % domid
        self.dom0.mkdir(home)
        self.dom0.set_perms(home, b"n%d" % domid)
        return self.introduce(domid)

    def introduce(self, domid: int) -> Client:
        self.dom0.ask(MessageType.INTRODUCE, b"%d" % domid, b"1", b"9")
        session = self.store.session_of(domid)
        assert session is not None
        return Client(session)

    def die(self, domid: int) -> None:
        self.hypervisor.domids.discard(domid)
        self.store.domain_died(domid)

    def wait(self, seconds: float) -> None:
        """Let time pass, and the store do what that makes due."""
        self.store.now += seconds
        self.store.run_due()
