"""The whole of it: a load of all kinds, a store that is killed again and again, and what came of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.crew import Member
from tests.chaos.killer import Killer, Moments
from tests.chaos.ringer import Ringer, bell
from tests.chaos.survivor import Survivor
from tests.chaos.tenant import END, HardyGuest, Tenant
from tests.chaos.watcher import Watcher
from tests.peers.wire import ANSWER_SECONDS, Wire
from tests.stress.bank import Balance, open_accounts, read_all, request
from tests.stress.board import Board, Counts
from tests.stress.history import Committed, load
from tests.stress.teller import Task
from xenstore.wire import MessageType

ROOT = "/xend-chaos"
ACCOUNTS = 100
TICK_SECONDS = 1.0


@dataclass(frozen=True)
class Plan:
    """How long, how often, and how much; `scratch` is a folder for the run directory and files."""

    scratch: Path
    seconds: float
    every: float
    clients: int
    guests: int
    watchers: int
    seed: int
    plant: bool

    @property
    def patience_seconds(self) -> float:
        """How long an answer is waited for; one that a planted fault has lost never comes."""
        return 3.0 if self.plant else ANSWER_SECONDS


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        faults: what clients complained of.
        said: all that the stores have printed.
        rung: how many bells each guest had, by domid.
        guests: for each guest by domid its bells, its acknowledged increments, and what its counter says.
        known: for each watcher the accounts as it knows them.
    """

    history: list[Committed] = field(default_factory=list)
    balances: list[Balance] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    recovered_ms: list[float] = field(default_factory=list)
    said: str = ""
    rung: dict[int, int] = field(default_factory=dict)
    guests: dict[int, tuple[list[str], int, int]] = field(default_factory=dict)
    known: list[list[Balance]] = field(default_factory=list)
    requests: int = 0


#: Called with the second, the killer, what tellers have done so far, and what guests and watchers have.
Tick = Callable[[int, Killer, Counts, Counts], None]


def chaos(plan: Plan, tick: Tick) -> Outcome:
    """Runs the load and kills the store; `tick` is called every second.

    Raises:
        RuntimeError: the store does not start again.
    """
    killer = Killer(
        plan.scratch / "rundir", max(1, round(plan.seconds / plan.every / 2)) if plan.plant else 0
    )
    try:
        with ExitStack() as stack:
            outcome = _Run(plan, killer, stack).run(tick)
    finally:
        said = killer.stop()
    outcome.said = said
    return outcome


class _Run:
    def __init__(self, plan: Plan, killer: Killer, stack: ExitStack) -> None:
        self.plan = plan
        self.killer = killer
        self.board = Board(plan.clients)
        self.others = Board(plan.guests + plan.watchers)
        with self.dom0() as wire:
            open_accounts(wire, ROOT, ACCOUNTS)
            tenants = [stack.enter_context(self.tenant(wire, domid)) for domid in range(1, plan.guests + 1)]
        self.until = time.monotonic() + plan.seconds
        self.tellers = [self.member(f"client {n}", self.teller(n)) for n in range(plan.clients)]
        self.ringer = self.member("the client that rings", self.ring)
        self.tenants = [self.member(f"guest {n}", self.occupy(tenant)) for n, tenant in enumerate(tenants, 1)]
        self.watchers = [self.member(f"watcher {n}", self.watcher(n)) for n in range(plan.watchers)]
        self.crew = [*self.tellers, self.ringer, *self.tenants, *self.watchers]
        stack.callback(self.end_crew)

    # --- who takes part -------------------------------------------------------------------------------

    def member(self, name: str, work: Callable[[], Any]) -> Member:
        return Member(name, work, self.plan.scratch)

    def history(self, number: int) -> Path:
        return self.plan.scratch / f"history.{number}"

    def teller(self, number: int) -> Callable[[], None]:
        def work() -> None:
            task = Task(number, self.killer.daemon.socket, ROOT, ACCOUNTS, self.until, self.history(number))
            with open(task.history, "w") as log:
                Survivor(task, self.board, log).work()

        return work

    def ring(self) -> dict[int, int]:
        ringer = Ringer(self.killer.daemon.socket, self.plan.guests, self.until)
        ringer.work()
        return ringer.rung

    @contextmanager
    def tenant(self, wire: Wire, domid: int) -> Iterator[Tenant]:
        with HardyGuest(self.killer.daemon.guests, domid, self.plan.patience_seconds) as guest:
            home = f"/local/domain/{domid}".encode()
            for path, perms in ((home, b"n%d\0" % domid), (home + b"/in", b"n0\0r%d\0" % domid)):
                request(wire, MessageType.WRITE, path + b"\0")
                request(wire, MessageType.SET_PERMS, path + b"\0" + perms)
            request(wire, MessageType.INTRODUCE, b"%d\x001\x009\0" % domid)
            tenant = Tenant(guest, domid - 1, self.others)
            tenant.begin()
            yield tenant

    def occupy(self, tenant: Tenant) -> Callable[[], tuple[list[str], int]]:
        def work() -> tuple[list[str], int]:
            tenant.work()
            return tenant.bells, tenant.increments

        return work

    def watcher(self, number: int) -> Callable[[], list[Balance]]:
        def work() -> list[Balance]:
            slot = self.plan.guests + number
            watcher = Watcher(self.killer.daemon.socket, ROOT, ACCOUNTS, slot, self.others)
            watcher.work()
            return watcher.known

        return work

    def dom0(self) -> Wire:
        return Wire(self.killer.daemon.socket)

    def end_crew(self) -> None:
        for member in self.crew:
            member.end()

    # --- what happens ---------------------------------------------------------------------------------

    def run(self, tick: Tick) -> Outcome:
        for member in self.crew:
            member.start()
        self.kill_until_time_is_up(tick)
        outcome = Outcome(recovered_ms=self.killer.recovered_ms)
        for teller in self.tellers:
            self.collect(teller, outcome)
        rung = self.collect(self.ringer, outcome) or {}
        outcome.rung = {int(domid): number for domid, number in rung.items()}
        with self.dom0() as wire:
            self.close_curtain(wire, outcome)
            outcome.balances = read_all(wire, ROOT, ACCOUNTS)
            request(wire, MessageType.CONTROL, b"check\0")
        outcome.history = load(self.history(n) for n in range(self.plan.clients) if self.history(n).exists())
        outcome.requests = self.others.total().committed
        return outcome

    def kill_until_time_is_up(self, tick: Tick) -> None:
        moments = Moments(self.until - self.plan.seconds, self.plan.every, self.plan.seed)
        next_kill, next_tick, ticks = moments.next(), time.monotonic() + TICK_SECONDS, 0
        while time.monotonic() < self.until:
            time.sleep(max(0.0, min(next_kill, next_tick, self.until) - time.monotonic()))
            if next_kill <= time.monotonic() < self.until:
                self.killer.strike(lambda: self.board.total().committed)
                next_kill = moments.next()
            if time.monotonic() >= next_tick:
                next_tick, ticks = next_tick + TICK_SECONDS, ticks + 1
                tick(ticks, self.killer, self.board.total(), self.others.total())

    def close_curtain(self, wire: Wire, outcome: Outcome) -> None:
        """The last event for everybody who watches: what is not there by then never comes."""
        request(wire, MessageType.WRITE, f"{ROOT}/account/{END}\0".encode())
        for domid in range(1, self.plan.guests + 1):
            request(wire, MessageType.WRITE, bell(domid, END))
        for watcher in self.watchers:
            known = self.collect(watcher, outcome)
            if known is not None:
                outcome.known.append([Balance(*balance) for balance in known])
        for domid, tenant in enumerate(self.tenants, 1):
            done = self.collect(tenant, outcome)
            if done is not None:
                path = f"/local/domain/{domid}/count\0".encode()
                outcome.guests[domid] = (*done, int(request(wire, MessageType.READ, path)))

    def collect(self, member: Member, outcome: Outcome) -> Any:
        result, fault = member.result(time.monotonic() + 2 * self.plan.patience_seconds)
        if fault is not None:
            outcome.faults.append(fault)
        return result
