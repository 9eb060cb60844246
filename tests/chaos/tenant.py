"""A guest on a ring: its requests must be executed once and answered once, whoever kills the store when.

What it does shows if it was done twice: a second WATCH of the same is refused, so is a second removal, and
a counter would be too high.
"""

import time
from contextlib import suppress

from tests.peers.ring import Guest
from tests.stress.board import Board, Counts
from xenstore.errors import EAGAIN, from_wire
from xenstore.wire import TYPE_NAMES, MessageType

END = "end"
#: So that all of them leave the processor to the clients now and then.
PAUSE_SECONDS = 0.01
BELLS = b"in"


class Wrong(Exception):
    """An answer that no store may give, or one that never came."""


class HardyGuest(Guest):
    """Its notifications may go nowhere, as long as no store runs."""

    def fire(self) -> None:
        with suppress(ConnectionError, FileNotFoundError):
            super().fire()


class Tenant:
    """Works until the event for `in/end`.

    Attributes:
        bells: the events of its watch on `in`, in order: what follows `in/`, "" for `in` itself.
        increments: how often its counter was increased, as acknowledged.
    """

    def __init__(self, guest: Guest, number: int, board: Board) -> None:
        self._guest = guest
        self._number = number
        self._board = board
        self._asked = self._events = self._lost = 0
        self.bells: list[str] = []
        self.increments = 0

    def begin(self) -> None:
        self._ask(MessageType.WRITE, b"count\x000")
        self._ask(MessageType.WATCH, b"in\0" + BELLS + b"\0")

    def work(self) -> None:
        try:
            while not self.bells or self.bells[-1] != END:
                self._cycle(b"w%d" % self._asked)
                time.sleep(PAUSE_SECONDS)
        except TimeoutError:
            raise Wrong(f"request {self._asked} of its ring was never answered") from None

    def _cycle(self, token: bytes) -> None:
        self._ask(MessageType.WATCH, b"count\0" + token + b"\0")
        counted = self._increment()
        self._ask(MessageType.UNWATCH, b"count\0" + token + b"\0")
        events = self._take_events(token)
        if events != [b"count"] * (1 + counted):
            raise Wrong(f"a watch on its counter told {events}, {1 + counted} events were due")
        self._ask(MessageType.WRITE, b"scratch/" + token + b"\0x")
        self._ask(MessageType.RM, b"scratch/" + token + b"\0")

    def _increment(self) -> bool:
        """One more on the counter, in a transaction; False: EAGAIN."""
        tx_id = int(self._ask(MessageType.TRANSACTION_START, b"\0").rstrip(b"\0"))
        try:
            count = int(self._ask(MessageType.READ, b"count\0", tx_id))
            self._ask(MessageType.WRITE, b"count\0%d" % (count + 1), tx_id)
            self._ask(MessageType.TRANSACTION_END, b"T\0", tx_id)
        except EAGAIN:
            self._lost += 1
            return False
        self.increments += 1
        return True

    def _take_events(self, token: bytes) -> list[bytes]:
        """Paths of the events with a token; those of the bells are put where they belong."""
        found = []
        while self._guest.events:
            path, of, _ = self._guest.events.popleft().payload.split(b"\0")
            self._events += 1
            if of == BELLS:
                self.bells.append(path.decode().removeprefix("in").removeprefix("/"))
            elif of == token:
                found.append(path)
            else:
                raise Wrong(f"an event for {path!r} with token {of!r}, which is watched no longer")
        self._board.post(self._number, Counts(self._asked, self._lost, self._events))
        return found

    def _ask(self, type: int, payload: bytes, tx_id: int = 0) -> bytes:
        """The payload of the reply to a request, of which there must be exactly one, in order."""
        self._asked += 1
        reply = self._guest.request(type, payload, req_id=self._asked, tx_id=tx_id)
        what = f"{TYPE_NAMES[type]} {payload!r}, request {self._asked} of its ring,"
        if reply.req_id != self._asked or reply.type not in (type, MessageType.ERROR):
            raise Wrong(f"{what} was answered by {reply}")
        if reply.type == MessageType.ERROR:
            raise from_wire(reply.payload, what)
        return reply.payload
