"""One client: moves money between accounts in transactions, and writes down what was committed."""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from tests.peers.wire import Wire
from tests.stress.bank import Balance, connect, read, request, write
from tests.stress.board import Board, Counts
from tests.stress.history import Committed
from xenstore.errors import EAGAIN
from xenstore.wire import MessageType

BACK_OFF_SECONDS = 0.0005
BACK_OFF_MAX_SECONDS = 0.05


@dataclass(frozen=True)
class Task:
    """What a client is to do.

    Attributes:
        client: its number.
        socket: the store's.
        root: the node above the accounts.
        accounts: how many.
        until: when to stop, time.monotonic().
        history: file to write committed transactions into.
    """

    client: int
    socket: Path
    root: str
    accounts: int
    until: float
    history: Path


@contextmanager
def transaction(wire: Wire) -> Iterator[int]:
    """The id of a transaction, committed at the end of the block.

    Raises:
        EAGAIN: it was not; nothing has happened.
    """
    tx_id = int(request(wire, MessageType.TRANSACTION_START, b"\0").rstrip(b"\0"))
    yield tx_id
    request(wire, MessageType.TRANSACTION_END, b"T\0", tx_id)


class Teller:
    """Works through a Task: mostly transfers, some of which look at a third account, some audits."""

    def __init__(self, task: Task, board: Board, log: IO[str]) -> None:
        self._task = task
        self._board = board
        self._log = log
        self._random = random.Random(task.client)
        self._committed = self._eagain = 0

    def work(self) -> None:
        with connect(self._task.socket) as wire:
            self.work_on(wire)

    def work_on(self, wire: Wire) -> None:
        while time.monotonic() < self._task.until:
            accounts = self._random.sample(range(self._task.accounts), min(3, self._task.accounts))
            written = self._random.choices((2, 0), (9, 1))[0]
            self._repeat(wire, accounts[: self._random.choice((2, 3))], written)

    def _repeat(self, wire: Wire, accounts: list[int], written: int) -> None:
        """Tries until it is committed, or time is up."""
        pause = BACK_OFF_SECONDS
        while time.monotonic() < self._task.until:
            try:
                self._note(self._try(wire, accounts, written))
            except EAGAIN:
                self._eagain += 1
                self._board.post(self._task.client, Counts(self._committed, self._eagain))
                time.sleep(self._random.uniform(0, pause))
                pause = min(2 * pause, BACK_OFF_MAX_SECONDS)
            else:
                return

    def _try(self, wire: Wire, accounts: list[int], written: int) -> Committed:
        """Reads all accounts; moves money from the first to the second if two are to be written."""
        name = f"{self._task.client}.{self._committed}"
        amount = self._random.randint(1, 100)
        began = time.monotonic_ns()
        with transaction(wire) as tx_id:
            seen = {account: read(wire, self._task.root, account, tx_id) for account in accounts}
            for account, change in list(zip(accounts, (-amount, amount), strict=False))[:written]:
                balance = Balance(seen[account].amount + change, name)
                write(wire, self._task.root, account, balance, tx_id)
            versions = {account: balance.version for account, balance in seen.items()}
            done = Committed(name, began, 0, versions, tuple(accounts[:written]))
            self._sign(wire, tx_id, done)
        return replace(done, ended=time.monotonic_ns())

    def _sign(self, wire: Wire, tx_id: int, done: Committed) -> None:
        """What else belongs into a transaction, before its end; for those whose connections may break."""

    def _note(self, done: Committed) -> None:
        self._committed += 1
        self._log.write(done.to_line())
        self._board.post(self._task.client, Counts(self._committed, self._eagain))


class Saboteur(Teller):
    """The planted fault: writes without a transaction, from a read that it knows to be stale."""

    def work(self) -> None:
        with connect(self._task.socket) as wire:
            while time.monotonic() < self._task.until:
                self._write_stale(wire, self._random.randrange(self._task.accounts))

    def _write_stale(self, wire: Wire, account: int) -> None:
        began = time.monotonic_ns()
        seen = read(wire, self._task.root, account)
        while read(wire, self._task.root, account).version == seen.version:
            if time.monotonic() >= self._task.until:
                return
            time.sleep(0.001)
        name = f"{self._task.client}.{self._committed}"
        write(wire, self._task.root, account, Balance(seen.amount - 1, name))
        self._note(Committed(name, began, time.monotonic_ns(), {account: seen.version}, (account,)))


def run(teller: type[Teller], task: Task, board: Board) -> None:
    """The main function of a client's process; ends it with status 0 or, with a line on stderr, 1."""
    status = 1
    try:
        with open(task.history, "w") as log:
            teller(task, board, log).work()
        status = 0
    except Exception as error:
        os.write(2, f"client {task.client}: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)
