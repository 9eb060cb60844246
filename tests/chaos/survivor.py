"""A teller that goes on after the store was killed, and finds out what became of its last transaction."""

import time
from contextlib import suppress
from dataclasses import replace
from typing import IO

from tests.chaos.lost import LOST, reconnected
from tests.peers.wire import ANSWER_SECONDS, Wire
from tests.stress.bank import request
from tests.stress.board import Board
from tests.stress.history import Committed
from tests.stress.teller import Task, Teller
from xenstore.errors import EAGAIN, ENOENT
from xenstore.wire import MessageType


class Survivor(Teller):
    """Each transaction also writes a receipt, a node of this client's own: there once it is committed."""

    def __init__(self, task: Task, board: Board, log: IO[str]) -> None:
        super().__init__(task, board, log)
        self._receipt = f"{task.root}/receipt/{task.client}".encode() + b"\0"
        self._doubt: Committed | None = None

    def work(self) -> None:
        while self._doubt or time.monotonic() < self._task.until:
            with suppress(*LOST), reconnected(self._task.socket, ANSWER_SECONDS) as wire:
                self._settle(wire)
                self.work_on(wire)

    def _sign(self, wire: Wire, tx_id: int, done: Committed) -> None:
        if done.writes:
            request(wire, MessageType.WRITE, self._receipt + done.name.encode(), tx_id)
            self._doubt = done

    def _try(self, wire: Wire, accounts: list[int], written: int) -> Committed:
        try:
            return super()._try(wire, accounts, written)
        except EAGAIN:
            self._doubt = None
            raise

    def _note(self, done: Committed) -> None:
        self._doubt = None
        super()._note(done)

    def _settle(self, wire: Wire) -> None:
        """Was the transaction committed whose answer never came?"""
        if self._doubt is None:
            return
        try:
            receipt = request(wire, MessageType.READ, self._receipt).decode()
        except ENOENT:
            receipt = ""
        if receipt == self._doubt.name:
            self._note(replace(self._doubt, ended=time.monotonic_ns()))
        self._doubt = None
