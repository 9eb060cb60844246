"""Starts the clients, watches them, collects what they did."""

import multiprocessing
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path

from tests.stress.bank import Balance, connect, open_accounts, read_all, request
from tests.stress.board import Board, Counts
from tests.stress.history import Committed, load
from tests.stress.teller import Saboteur, Task, Teller, run
from xenstore.wire import MessageType

#: How long clients may need to come to an end after their time is up, in seconds.
GRACE_SECONDS = 30.0
TICK_SECONDS = 1.0

_processes = multiprocessing.get_context("fork")


class ClientFailed(Exception):
    """A client ended with an error, or did not end."""


@dataclass(frozen=True)
class Plan:
    """What is to be run: on `socket`, below the node `root`, with files in the folder `scratch`."""

    socket: Path
    root: str
    scratch: Path
    clients: int
    accounts: int
    seconds: float
    plant: bool


@dataclass(frozen=True)
class Outcome:
    """What came of it; `pace` is what was done in each tick."""

    history: list[Committed]
    balances: list[Balance]
    pace: list[Counts]


def stress(plan: Plan, tick: Callable[[int, Counts], None]) -> Outcome:
    """Opens the accounts, lets the clients work, returns what they did.

    `tick` is called about once a second with the number of the second and what was done in it.

    Raises:
        ClientFailed, XenstoreError, OSError.
    """
    with connect(plan.socket) as wire:
        open_accounts(wire, plan.root, plan.accounts)
        histories, pace = _work(plan, tick)
        balances = read_all(wire, plan.root, plan.accounts)
        request(wire, MessageType.RM, plan.root.encode() + b"\0")
    return Outcome(load(histories), balances, pace)


def _work(plan: Plan, tick: Callable[[int, Counts], None]) -> tuple[list[Path], list[Counts]]:
    tellers: list[type[Teller]] = [Teller] * plan.clients + [Saboteur] * plan.plant
    until = time.monotonic() + plan.seconds
    board = Board(len(tellers))
    tasks = [
        Task(client, plan.socket, plan.root, plan.accounts, until, plan.scratch / f"history.{client}")
        for client in range(len(tellers))
    ]
    processes = [
        _processes.Process(target=_client, args=(teller, task, board))
        for teller, task in zip(tellers, tasks, strict=True)
    ]
    try:
        for process in processes:
            process.start()
        pace = _watch(processes, board, until, tick)
    finally:
        for process in processes:
            if process.is_alive():
                process.kill()
            process.join()
    return [task.history for task in tasks], pace


def _client(teller: type[Teller], task: Task, board: Board) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the parent's to handle
    run(teller, task, board)


def _watch(
    processes: list[ForkProcess], board: Board, until: float, tick: Callable[[int, Counts], None]
) -> list[Counts]:
    """Until all have ended; returns what was done in each tick."""
    pace: list[Counts] = []
    before = Counts(0, 0)
    sentinels = [process.sentinel for process in processes]
    next_tick = time.monotonic() + TICK_SECONDS
    while sentinels:
        ended = wait(sentinels, max(0.0, next_tick - time.monotonic()))
        sentinels = [sentinel for sentinel in sentinels if sentinel not in ended]
        if any(process.exitcode for process in processes):
            raise ClientFailed("a client failed; the others were stopped")
        if time.monotonic() > until + GRACE_SECONDS:
            raise ClientFailed(
                f"{len(sentinels)} clients still run {GRACE_SECONDS:.0f} s after their time was up"
            )
        if time.monotonic() >= next_tick or not sentinels:
            now = board.total()
            pace.append(Counts(now.committed - before.committed, now.eagain - before.eagain))
            before, next_tick = now, next_tick + TICK_SECONDS
            tick(len(pace), pace[-1])
    return pace
