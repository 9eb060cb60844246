"""A bench for operations whose steps only say that they were done."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import attrs
import trio

from xend.errors import XendError
from xend.operation.registry import Operations
from xend.operation.running import Operation
from xend.operation.steps import Plan, Step, Work

OnCrash = Literal["undo", "resume"]


@attrs.define(eq=False)
class Bench:
    """Operations over a directory, and what their steps have done so far.

    Attributes:
        done: names of steps, "-NAME" where one was undone.
        failing: steps that raise; "-NAME": whose undo does.
        raising: what else a step raises, by its name: made anew each time.
        deaf: of what kind of change being told raises.
        slow: steps that wait for `may_go_on`.
    """

    directory: Path
    done: list[str] = attrs.field(factory=list)
    events: list[str] = attrs.field(factory=list)
    logged: list[str] = attrs.field(factory=list)
    failing: set[str] = attrs.field(factory=set)
    raising: dict[str, Callable[[], BaseException]] = attrs.field(factory=dict)
    deaf: set[str] = attrs.field(factory=set)
    slow: set[str] = attrs.field(factory=set)
    may_go_on: trio.Event = attrs.field(factory=trio.Event)
    now: float = 1000.0
    operations: Operations = attrs.field(init=False)

    def plan(self, names: str = "a b c", on_crash: OnCrash = "undo", one_way: str = "") -> Plan:
        """A plan of steps with these names; `one_way` have no undo, those with ? go on on failure."""
        steps = [
            Step(
                name,
                self._action(name),
                None if name in one_way.split() else self._action(f"-{name}"),
                "go on" if name.endswith("?") else "undo",
            )
            for name in names.split()
        ]
        facts = {"names": names, "on_crash": on_crash, "one_way": one_way}
        return Plan(kind="test", domain="d", facts=facts, steps=steps, on_crash=on_crash)

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
        step = operation.plan.steps[operation.step].name if operation.step >= 0 else ""
        self.events.append(f"{what} {step}".strip())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Operations]:
        """Operations that run; killed at the end of the block."""
        made = Operations(self.directory, self.heard, self.logged.append, lambda: self.now)
        made.planners["test"] = lambda facts: self.plan(facts["names"], facts["on_crash"], facts["one_way"])
        self.operations = made
        async with trio.open_nursery() as nursery:
            made.serve_in(nursery)
            yield made
            made.stop()
            nursery.cancel_scope.cancel()
