"""A client of the socket that gives every guest something to notice: nodes that appear one after another."""

import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.lost import LOST, reconnected
from tests.peers.wire import ANSWER_SECONDS, Wire
from tests.stress.bank import request
from xenstore.errors import ENOENT
from xenstore.wire import MessageType

PAUSE_SECONDS = 0.002


def bell(domid: int, number: int | str) -> bytes:
    """The path of a node that a guest gets an event for."""
    return f"/local/domain/{domid}/in/{number}".encode() + b"\0"


@dataclass
class Ringer:
    """Writes `in/0`, `in/1`, ... for every guest, each exactly once, until its time is up.

    rung: how many each guest has got, by domid.
    """

    socket: Path
    guests: int
    until: float
    rung: dict[int, int] = field(default_factory=dict)

    def work(self) -> None:
        if not self.guests:
            return
        self.rung = dict.fromkeys(range(1, self.guests + 1), 0)
        doubt: int | None = None
        while doubt is not None or time.monotonic() < self.until:
            with suppress(*LOST), reconnected(self.socket, ANSWER_SECONDS) as wire:
                if doubt is not None:
                    self.rung[doubt] += self._exists(wire, bell(doubt, self.rung[doubt]))
                    doubt = None
                while time.monotonic() < self.until:
                    doubt = min(self.rung, key=lambda domid: self.rung[domid])
                    request(wire, MessageType.WRITE, bell(doubt, self.rung[doubt]))
                    self.rung[doubt] += 1
                    doubt = None
                    time.sleep(PAUSE_SECONDS)

    def _exists(self, wire: Wire, path: bytes) -> bool:
        try:
            request(wire, MessageType.READ, path)
        except ENOENT:
            return False
        return True
