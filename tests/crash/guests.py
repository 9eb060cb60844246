"""A guest that keeps its ring full of requests whose answers show whether each was executed once."""

import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.crash.events import KEPT, Events
from tests.peers.ring import ERROR, RING_SIZE, RSP_CONS, RSP_PROD, Guest
from tests.peers.wire import Message, split_message
from xenstore.wire import TYPE_NAMES, MessageType, pack

#: Requests without an answer, of one guest.
WINDOW = 6
Verify = Callable[[bytes], None]


def ok(payload: bytes) -> None:
    assert payload == b"OK\0", payload


class RingClient:
    """Domain `domid`, which watches `x` of another one and of itself.

    Its transactions are numbered without a gap, each adds one to a count; its watches say of every node of
    the other one; its requests are answered in order, each once.

    Attributes:
        answered: how many replies it got.
        made: how many nodes it has made.
        kills: how many there were, set from outside.
        is_idle: it asks for nothing more.
    """

    def __init__(self, guests: Path, domid: int, other: int, seed: int) -> None:
        self.guest = Guest(guests, domid)
        self.channel = self.guest._channel
        self.channel.setblocking(False)
        self.domid = domid
        self.other = other
        self.answered = 0
        self.made = 0
        self.count = 0
        self.kills = 0
        self.is_idle = False
        self._chance = random.Random(seed)
        self._input = bytearray()
        self._outbox = bytearray()
        self._awaited: deque[tuple[int, int, Verify]] = deque()
        self._asked = 0
        self._transactions = 0
        self._in_transaction = False
        self._values: dict[int, bytes] = {}
        self._watches: dict[bytes, Events] = {}
        self._watch(b"x", b"own")
        self._token: int | None = 0
        self._watch(b"/local/domain/%d/x" % other, b"0")

    # --- moving bytes -----------------------------------------------------------------------------

    def on_notified(self) -> None:
        """Something fired: look at everything."""
        with suppress(BlockingIOError):
            while True:
                self.channel.recv(16)
        self.go_on()

    def go_on(self) -> bool:
        """Read some, ask for more, write some; returns whether there is more to do without being told."""
        assert self.guest.words[ERROR] == 0
        moved = self._read() + self._write()
        if moved:
            self.fire()
        return moved > 0

    def fire(self) -> None:
        with suppress(
            ConnectionRefusedError, FileNotFoundError
        ):  # no daemon; the next one looks at every ring
            self.guest.fire()

    def _read(self) -> int:
        words = self.guest.words
        there = (words[RSP_PROD] - words[RSP_CONS]) & 0xFFFFFFFF
        assert there <= RING_SIZE
        if not there:
            return 0
        size = self._chance.choice([there, there, there, self._chance.randint(1, there)])
        at = words[RSP_CONS]
        page = self.guest._page
        self._input += bytes(page[RING_SIZE + (at + i) % RING_SIZE] for i in range(size))
        words[RSP_CONS] = (at + size) & 0xFFFFFFFF
        while (message := split_message(self._input)) is not None:
            self._take(message)
        return size

    def _write(self) -> int:
        while not self.is_idle and len(self._awaited) < WINDOW:
            self._chance.choice([self._make, self._make, self._look, self._start, self._watch_anew])()
        size = min(self.guest._room(), len(self._outbox))
        if size:
            size = self._chance.choice([size, size, self._chance.randint(1, size)])
            self.guest.place(bytes(self._outbox[:size]))
            del self._outbox[:size]
        return size

    # --- requests ---------------------------------------------------------------------------------

    def _ask(self, type: int, payload: bytes, verify: Verify, tx: int = 0) -> None:
        self._asked += 1
        self._outbox += pack(type, payload, req_id=self._asked, tx_id=tx)
        self._awaited.append((self._asked, type, verify))

    def _take(self, message: Message) -> None:
        if message.type == MessageType.WATCH_EVENT:
            path, token, _ = message.payload.split(b"\0")
            assert token in self._watches, f"an event for {token!r}, of which no watch was set"
            self._watches[token].take(path)
            return
        number, type, verify = self._awaited.popleft()
        assert message.req_id == number, f"domain {self.domid}: reply {message.req_id}, expected {number}"
        assert message.type in (type, MessageType.ERROR)
        self.answered += 1
        try:
            verify(message.payload)
        except AssertionError as error:
            error.add_note(f"domain {self.domid}: the reply to its request {number}, a {TYPE_NAMES[type]}")
            raise

    def _make(self) -> None:
        number = self.made
        self.made += 1
        value = b"%d " % number + b"v" * self._chance.choice([0, 10, 300, 1500])
        self._values[number] = value
        self._ask(MessageType.WRITE, b"x/%d\0" % number + value, ok)
        if number >= KEPT:
            del self._values[number - KEPT]
            self._ask(MessageType.RM, b"x/%d\0" % (number - KEPT), ok)

    def _look(self) -> None:
        def verify(payload: bytes) -> None:
            assert payload == value

        if self._values:
            number, value = self._chance.choice(list(self._values.items()))
            self._ask(MessageType.READ, b"x/%d\0" % number, verify)

    def _watch(self, path: bytes, token: bytes) -> None:
        self._watches[token] = Events(path, token)
        self._ask(MessageType.WATCH, path + b"\0" + token + b"\0", ok)

    def _watch_anew(self) -> None:
        """Another watch on the same, then the old one goes."""
        if self._token is None:
            return
        old, self._token = self._token, None
        path = b"/local/domain/%d/x" % self.other
        self._watch(path, b"%d" % (old + 1))

        def verify(payload: bytes) -> None:
            ok(payload)
            self._watches[b"%d" % (old + 1)].follow(self._watches.pop(b"%d" % old))
            self._token = old + 1

        self._ask(MessageType.UNWATCH, path + b"\0%d\0" % old, verify)

    def _start(self) -> None:
        def verify(payload: bytes) -> None:
            self._transactions += 1
            assert payload == b"%d\0" % self._transactions
            self._inside(self._transactions, asked)

        asked = self.kills
        if not self._in_transaction:
            self._in_transaction = True
            self._ask(MessageType.TRANSACTION_START, b"\0", verify)

    def _inside(self, tx: int, asked: int) -> None:
        kills = self.kills

        def verify(payload: bytes) -> None:
            assert payload == b"%d" % self.count
            self._ask(MessageType.WRITE, b"count\0%d" % (self.count + 1), ok, tx)
            is_lost = kills < self.kills
            self._ask(MessageType.TRANSACTION_END, b"T\0", lambda end: self._ended(end, asked, is_lost), tx)

        self._ask(MessageType.READ, b"count\0", verify, tx)

    def _ended(self, payload: bytes, asked: int, is_lost: bool) -> None:
        """asked: how many kills there were when it was asked for.  is_lost: it was open across one."""
        self._in_transaction = False
        if asked == self.kills:
            ok(payload)
        elif is_lost:
            assert payload == b"EAGAIN\0"
        if payload == b"OK\0":
            self.count += 1
        else:
            assert payload == b"EAGAIN\0"

    # --- the end ----------------------------------------------------------------------------------

    @property
    def is_done(self) -> bool:
        """Idle, with all answers."""
        return self.is_idle and not self._awaited

    def ask_count(self) -> None:
        """See that the count is what the replies said it should be."""

        def verify(payload: bytes) -> None:
            assert payload == b"%d" % self.count

        self._ask(MessageType.READ, b"count\0", verify)

    def assert_told(self, other: "RingClient") -> None:
        """Of everything that the other one made."""
        (token,) = self._watches.keys() - {b"own"}
        assert self._watches[token].is_complete(other.made - 1), f"{self.domid} of {other.domid}"
        assert self._watches[b"own"].made == self.made - 1
