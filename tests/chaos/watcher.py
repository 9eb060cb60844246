"""A client of the socket that follows the accounts by a watch: in the end it must know all of them."""

from contextlib import suppress
from pathlib import Path

from tests.chaos.lost import LOST, reconnected
from tests.peers.wire import ANSWER_SECONDS, Wire
from tests.stress.bank import Balance, read, read_all, request
from tests.stress.board import Board, Counts
from xenstore.errors import ENOENT
from xenstore.wire import MessageType

END = "end"


class Watcher:
    """Reads an account whenever an event says so, until the event for `end` among the accounts.

    Attributes:
        known: every account as last read.
    """

    def __init__(self, socket: Path, root: str, accounts: int, number: int, board: Board) -> None:
        self._socket = socket
        self._root = root
        self._accounts = accounts
        self._number = number
        self._board = board
        self._events = 0
        self._ended = False
        self.known: list[Balance] = []

    def work(self) -> None:
        while not self._ended:
            with suppress(*LOST), reconnected(self._socket, ANSWER_SECONDS) as wire:
                request(wire, MessageType.WATCH, f"{self._root}/account\0w\0".encode())
                self._ended = self._is_over(wire)
                self.known = read_all(wire, self._root, self._accounts)
                while not self._ended:
                    self._follow(wire)

    def _is_over(self, wire: Wire) -> bool:
        try:
            request(wire, MessageType.READ, f"{self._root}/account/{END}\0".encode())
        except ENOENT:
            return False
        return True

    def _follow(self, wire: Wire) -> None:
        """Waits for an event, and reads again whatever is told by now."""
        events = [wire.receive(), *wire.events]
        wire.events.clear()
        self._events += len(events)
        names = {event.payload.split(b"\0")[0].rpartition(b"/")[2].decode() for event in events}
        for name in names - {END, "account"}:
            self.known[int(name)] = read(wire, self._root, int(name))
        self._ended = END in names
        self._board.post(self._number, Counts(0, 0, self._events))
