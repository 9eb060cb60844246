"""What every client has done so far, in memory that the processes share: no message, no lock."""

import mmap
import struct
from typing import NamedTuple

_COUNTS = struct.Struct("=QQQ")


class Counts(NamedTuple):
    committed: int
    eagain: int
    events: int = 0


class Board:
    """A slot per client.  Each client writes its own only; a fork shares the board."""

    def __init__(self, clients: int) -> None:
        self._clients = clients
        self._memory = mmap.mmap(-1, max(1, clients) * _COUNTS.size)

    def post(self, client: int, counts: Counts) -> None:
        _COUNTS.pack_into(self._memory, client * _COUNTS.size, *counts)

    def total(self) -> Counts:
        slots = [_COUNTS.unpack_from(self._memory, client * _COUNTS.size) for client in range(self._clients)]
        return Counts(*(sum(slot[count] for slot in slots) for count in range(3)))
