"""A bench for operations whose steps only say that they were done."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import attrs
import trio

from xend.errors import XendError
from xend.operation.facts import Facts
from xend.operation.kind import Effect, Kind
from xend.operation.locks import Lock
from xend.operation.registry import OperationRegistry
from xend.operation.running import Operation
from xend.operation.steps import Step, Work

OnCrash = Literal["undo", "resume"]


@attrs.define(kw_only=True)
class BenchFacts(Facts):
    """Names of the steps, apart by blanks; those without an undo; and the locks."""

    KIND = "test"

    names: str
    one_way: str
    held: list[str]
    what: object = None


@attrs.define(kw_only=True)
class ResumedFacts(BenchFacts):
    KIND = "test.resumed"


@attrs.define(eq=False)
class Bench:
    """Operations over a directory, and what their steps have done so far.

    Attributes:
        done: names of steps, "-NAME" where one was undone.
        failing: steps that raise; "-NAME": whose undo does.
        raising: what else a step raises, by its name: made anew each time.
        deaf: of what kind of change being told raises.
        slow: steps that wait for `may_go_on`.
        newer: the steps of every plan that is made, worded anew; None: those of the facts.
    """

    directory: Path
    done: list[str] = attrs.field(factory=list)
    events: list[str] = attrs.field(factory=list)
    logged: list[str] = attrs.field(factory=list)
    failing: set[str] = attrs.field(factory=set)
    raising: dict[str, Callable[[], BaseException]] = attrs.field(factory=dict)
    deaf: set[str] = attrs.field(factory=set)
    slow: set[str] = attrs.field(factory=set)
    newer: str | None = None
    may_go_on: trio.Event = attrs.field(factory=trio.Event)
    now: float = 1000.0
    operations: OperationRegistry = attrs.field(init=False)

    def facts(
        self, names: str = "a b c", on_crash: OnCrash = "undo", one_way: str = "", held: str = ""
    ) -> Facts:
        """Of an operation whose steps have these names; `one_way` have no undo, with ? they go on.

        held: the lock that it holds, if any.
        """
        made = BenchFacts if on_crash == "undo" else ResumedFacts
        return made(name="d", uuid="u", names=names, one_way=one_way, held=[held] if held else [])

    def steps(self, facts: BenchFacts) -> list[Step]:
        """The steps of such an operation; each one's key is its name."""
        return [
            Step(
                name,
                name if self.newer is None else f"do {name}",
                self._action(name),
                None if name in facts.one_way.split() else self._action(f"-{name}"),
                "go on" if name.endswith("?") else "undo",
            )
            for name in (self.newer or facts.names).split()
        ]

    def kinds(self) -> list[Kind[Any, Any]]:
        """The table: what is undone after a crash, and what is resumed."""
        facts: list[tuple[type[BenchFacts], OnCrash]] = [(BenchFacts, "undo"), (ResumedFacts, "resume")]
        return [
            Kind(
                facts=each,
                plan=lambda bench, facts: bench.steps(facts),
                effect=Effect.CHANGES,
                on_crash=on_crash,
                locks=lambda facts: [Lock.parse(text) for text in facts.held],
            )
            for each, on_crash in facts
        ]

    def _action(self, name: str) -> Callable[[Work], Awaitable[None]]:
        async def act(work: Work) -> None:
            await trio.lowlevel.checkpoint()
            if name in self.slow:
                with work.waiting(f"{name} to end", 100):
                    await self.may_go_on.wait()
            if name in self.raising:
                raise self.raising[name]()
            if name in self.failing:
                raise XendError("device_failed", f"{name} failed")
            self.done.append(name)

        return act

    def heard(self, what: str, operation: Operation) -> None:
        if what in self.deaf:
            raise KeyError(what)
        step = operation.steps[operation.step].name if operation.step >= 0 else ""
        self.events.append(f"{what} {step}".strip())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[OperationRegistry]:
        """Operations that run; killed at the end of the block."""
        made = OperationRegistry(
            self.directory,
            self.kinds(),
            lambda: self,
            self.heard,
            self.logged.append,
            lambda: self.now,
        )
        self.operations = made
        async with trio.open_nursery() as nursery:
            made.serve_in(nursery)
            yield made
            made.stop()
            nursery.cancel_scope.cancel()
