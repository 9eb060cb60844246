"""One operation that runs, or has ended."""

import functools
from collections.abc import Callable
from typing import Any, Literal

import attrs
import trio

from xend.errors import XendError
from xend.operation.steps import UNDO_SECONDS, Plan, Step, Work

State = Literal["running", "undoing", "done", "failed", "cancelled"]
ENDED = ("done", "failed", "cancelled")


class Operation:
    """Runs the steps of a plan, one after the other.

    Attributes:
        id: for people and programs; ids rise with time.
        key: the caller's idempotency key, or None.
        started: seconds since 1970.
        step: index of the step that runs or ran last; -1: none yet.
        error: why it failed; None: it did not.
        locks: what nobody else's operation may touch meanwhile.
    """

    def __init__(self, operation_id: str, plan: Plan, key: str | None, started: float) -> None:
        self.id = operation_id
        self.plan = plan
        self.key = key
        self.started = started
        self.step = -1
        self.state: State = "running"
        self.error: XendError | None = None
        self.locks: list[str] = []
        self.ended = trio.Event()
        self._settled = trio.Event()
        #: Called on each change, before it takes effect; what it raises counts as the step's failure.
        self.on_change: Callable[[Operation, str], object] = lambda operation, what: None
        #: Called once it has ended.
        self.on_end: Callable[[], object] = lambda: None
        self.may_cancel: Callable[[], bool] = lambda: True
        self.log: Callable[[str], object] = lambda line: None
        self.work = Work(plan.facts, lambda: self.on_change(self, "waiting"))
        self._scope = trio.CancelScope()
        self._cancelled = False

    def cancel(self) -> None:
        """Stop and undo it; nothing happens once it has ended, or is being undone."""
        if self.state == "running" and self.may_cancel():
            self._cancelled = True
            self._scope.cancel()

    async def settled(self) -> None:
        """Returns once it has ended, or is left for another xend to end."""
        await self._settled.wait()

    async def run(self, first: int = 0) -> None:
        """Run it from a step on, to its end; raises nothing, see `error`."""
        try:
            await self._run(first)
        finally:
            self._settled.set()

    async def _run(self, first: int) -> None:
        try:
            with self._scope:
                self.error = await self._do_all(first)
        except XendError as error:
            await self._fail(error)
        except Exception as error:
            self.log(f"{self.plan.kind} {self.plan.domain}: {type(error).__name__}: {error}")
            await self._fail(XendError("internal", "a fault of xend's own; see its log", cause=repr(error)))
        else:
            if self._cancelled and self._scope.cancelled_caught:
                await self._fail(XendError("cancelled", f"{self.plan.kind} was cancelled"), "cancelled")
        if self.error is not None and self.state == "running":
            self.state = "failed"  # though all was done that could be
        self._end("done" if self.error is None else self.state)

    async def undo(self, last: int, down_to: int = 0) -> None:
        """Undo the steps from `last` down to `down_to`; what cannot be is logged."""
        for index in range(last, down_to - 1, -1):
            step = self.plan.steps[index]
            if step.undo is None:
                continue
            self.step = index
            self.on_change(self, "undoing")
            await self._undo(step)

    def end_undone(self, error: XendError) -> None:
        """It was undone after a crash."""
        self.error = error
        self._end("failed")

    def as_map(self) -> dict[str, Any]:
        """The operation map of docs/bus.md."""
        return {
            "operation": self.id,
            "kind": self.plan.kind,
            "key": self.key,
            "domain": self.plan.domain,
            "domid": self.work.facts.get("domid"),
            "started": self.started,
            "steps": [step.name for step in self.plan.steps],
            "step": self.step,
            "state": self.state,
            "waiting": self.work.waiting_map(),
            "error": None if self.error is None else self.error.as_map(),
            "result": self.result() if self.state == "done" else None,
        }

    async def outcome(self) -> dict[str, Any]:
        """What its call is answered with, once it has ended.

        Raises:
            XendError: why it failed.
        """
        await self.ended.wait()
        if self.error is not None:
            raise self.error
        return self.result()

    def result(self) -> dict[str, Any]:
        """What its call is answered with."""
        return {"operation": self.id, "domid": self.work.facts.get("domid"), **self.work.result}

    async def _do_all(self, first: int) -> XendError | None:
        """The first failure that did not keep it from going on."""
        failure: XendError | None = None
        for index in range(first, len(self.plan.steps)):
            step = self.plan.steps[index]
            self.step = index
            self.on_change(self, "step")
            try:
                await trio.lowlevel.checkpoint()  # what cancels it does so before the step, never amid it
                await step.do(self.work)
            except XendError as error:
                error = error.annotated(step=step.name, domain=self.plan.domain)
                if step.on_failure == "undo":
                    raise error from error.__cause__
                self.log(f"{self.plan.domain}: {step.name}: {error}; going on")
                failure = failure or error
        return failure

    async def _fail(self, error: XendError, state: State = "failed") -> None:
        self.state = "undoing"
        self.error = error.annotated(domain=self.plan.domain)
        await self.undo(self.step)
        self.state = state

    async def _undo(self, step: Step) -> None:
        assert step.undo is not None
        try:
            with trio.CancelScope(shield=True), trio.fail_after(UNDO_SECONDS):
                await step.undo(self.work)
        except (XendError, trio.TooSlowError) as error:
            self.log(f"{self.plan.domain}: could not undo '{step.name}': {error or 'took too long'}")

    def _end(self, state: State) -> None:
        self.state = state
        self.on_change(self, state)
        self.ended.set()
        self.on_end()
        self.close()

    def close(self) -> None:
        """Keep no more than is told of an operation that has ended: thousands are remembered."""
        facts = {"domid": self.work.facts.get("domid")}
        self.plan = attrs.evolve(self.plan, facts=facts, steps=[_told(step.name) for step in self.plan.steps])
        self.work.facts = facts
        self.on_end = lambda: None
        if self.error is not None:
            self.error = XendError.from_map(self.error.as_map())  # without the frames it passed


@functools.lru_cache(maxsize=256)
def _told(name: str) -> Step:
    """A step of which nothing but the name matters any more."""
    return Step(name, _nothing)


async def _nothing(work: Work) -> None:
    pass
