"""Clients of the socket that know after a kill what must be in the store, and what may be."""

import random
import socket
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.peers.wire import Message, split_message
from xenstore.wire import MessageType, pack

#: How many nodes a client keeps in its list.
LISTED = 3


class Ask(NamedTuple):
    """A request that a script yields; it gets the reply's payload."""

    type: int
    payload: bytes = b""
    tx: int = 0


Script = Generator[Ask, bytes, None]


class Total:
    """A count that several clients add to.

    Attributes:
        known: additions that were acknowledged.
        unknown: those of which a kill kept the answer.
    """

    def __init__(self) -> None:
        self.known = 0
        self.unknown = 0


class SocketClient:
    """Client `number`: counts up, by single writes and by transactions, one request at a time.

    Attributes:
        answered: how many replies it got.
        is_idle: it begins nothing more.
        is_waiting: it has asked, and got no answer yet.
    """

    def __init__(self, path: Path, number: int, total: Total, seed: int) -> None:
        self.socket = socket.socket()
        self.number = number
        self.home = b"/sock/%d" % number
        self.answered = 0
        self.is_idle = False
        self.is_waiting = False
        self._path = path
        self._total = total
        self._chance = random.Random(seed)
        self._input = bytearray()
        self._value = 0  # what is acknowledged
        self._list = 0
        self._next = (0, 0)  # what value and list are if the request under way was executed
        self._is_adding = False

    def connect(self) -> None:
        """To another daemon: what is there is compared with what must be, then it goes on."""
        self.close()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(self._path))
        self.socket.setblocking(False)
        self._input.clear()
        if self._is_adding:
            self._total.unknown += 1
            self._is_adding = False
        self._script = self._play()
        self._send(next(self._script))

    def close(self) -> None:
        self.socket.close()

    def on_readable(self) -> bool:
        """Returns whether the daemon is still there."""
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        self._input += data
        while (message := split_message(self._input)) is not None:
            self._take(message)
        return bool(data)

    def go_on(self) -> None:
        """Go on after having been idle."""
        if not self.is_waiting:
            self._send(next(self._script))

    def _send(self, ask: Ask) -> None:
        if ask.type < 0:
            self.is_waiting = False
            return
        self.is_waiting = True
        with suppress(ConnectionError):  # its end is seen where it is read
            self.socket.sendall(pack(ask.type, ask.payload, tx_id=ask.tx))

    def _take(self, message: Message) -> None:
        self.answered += 1
        self._send(self._script.send(message.payload))

    # --- what it does -----------------------------------------------------------------------------

    def _play(self) -> Script:
        yield from self._see()
        while True:
            if self.is_idle:
                yield Ask(-1)
                continue
            what = self._chance.choice([self._write, self._commit, self._commit, self._add])
            yield from what()

    def _see(self) -> Script:
        """What is there is what was acknowledged, or in its whole also what was under way."""
        value = yield Ask(MessageType.READ, self.home + b"/value\0")
        listed = yield Ask(MessageType.DIRECTORY, self.home + b"/list\0")
        last = yield Ask(MessageType.READ, self.home + b"/last\0")
        there = (int(value), int(last))
        assert there in ((self._value, self._list), self._next), (self.home, there, self._value, self._list)
        self._value, self._list = self._next = there
        names = {b"%d" % n for n in range(max(1, self._list - LISTED + 1), self._list + 1)}
        assert set(listed.split(b"\0")) - {b""} == names, (self.home, listed, self._list)

    def _write(self) -> Script:
        self._next = (self._value + 1, self._list)
        answer = yield Ask(MessageType.WRITE, self.home + b"/value\0%d" % (self._value + 1))
        assert answer == b"OK\0"
        self._value, self._list = self._next

    def _commit(self) -> Script:
        tx = int((yield Ask(MessageType.TRANSACTION_START, b"\0"))[:-1])
        number = self._list + 1
        yield Ask(MessageType.WRITE, self.home + b"/last\0%d" % number, tx)
        yield Ask(MessageType.WRITE, self.home + b"/value\0%d" % (self._value + 1), tx)
        yield Ask(MessageType.MKDIR, self.home + b"/list/%d\0" % number, tx)
        if number > LISTED:
            yield Ask(MessageType.RM, self.home + b"/list/%d\0" % (number - LISTED), tx)
        self._next = (self._value + 1, number)
        answer = yield Ask(MessageType.TRANSACTION_END, b"T\0", tx)
        if answer == b"EAGAIN\0":
            self._next = (self._value, self._list)
            return
        assert answer == b"OK\0"
        self._value, self._list = self._next

    def _add(self) -> Script:
        tx = int((yield Ask(MessageType.TRANSACTION_START, b"\0"))[:-1])
        there = yield Ask(MessageType.READ, b"/sock/total\0", tx)
        yield Ask(MessageType.WRITE, b"/sock/total\0%d" % (int(there) + 1), tx)
        self._is_adding = True
        answer = yield Ask(MessageType.TRANSACTION_END, b"T\0", tx)
        self._is_adding = False
        if answer != b"EAGAIN\0":
            assert answer == b"OK\0"
            self._total.known += 1


def prepare(number: int) -> list[Ask]:
    """What a client needs before it connects for the first time."""
    home = b"/sock/%d" % number
    return [
        Ask(MessageType.WRITE, home + b"/value\0" + b"0"),
        Ask(MessageType.WRITE, home + b"/last\0" + b"0"),
        Ask(MessageType.MKDIR, home + b"/list\0"),
    ]
