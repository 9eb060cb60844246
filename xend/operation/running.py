"""One operation that runs, or has ended: the interpreter of steps.

It lets nothing out: whatever a step, an undo or a callback raises is this operation's failure, or a warning
of it.  Only that xend itself ends (trio.Cancelled of an outer scope) passes.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import trio

from xend.errors import XendError
from xend.faults import as_xend_error, parted
from xend.operation.facts import Facts
from xend.operation.kind import Kind
from xend.operation.locks import Lock
from xend.operation.steps import UNDO_SECONDS, Step, Work, nothing

State = Literal["running", "undoing", "done", "failed", "cancelled"]
ENDED = ("done", "failed", "cancelled")


class Operation:
    """Runs the steps of its plan, one after the other.

    Attributes:
        id: for people and programs; ids rise with time.
        domain: name of the domain when it began, for people.
        steps: of its plan, in their order.
        key: the caller's idempotency key, or None.
        started, ended_at: seconds since 1970; None: it has not ended.
        step: index of the step that runs or ran last; -1: none yet.
        error: why it failed; None: it did not.
        locks: what nobody else's operation may touch meanwhile.
    """

    def __init__(
        self,
        operation_id: str,
        kind: Kind[Any, Any],
        facts: Facts,
        steps: Sequence[Step],
        *,
        key: str | None,
        started: float,
    ) -> None:
        assert len({step.key for step in steps}) == len(steps), [step.key for step in steps]
        self.id = operation_id
        self.kind = kind
        self.domain = facts.name
        self.steps = list(steps)
        self.key = key
        self.started = started
        self.ended_at: float | None = None
        self.step = -1
        #: Index of the first step that the xend which was cut off had not in its plan; see `take_up`.
        self.first_new_step = len(self.steps)
        self.state: State = "running"
        self.error: XendError | None = None
        self.locks: list[Lock] = []
        self.ended = trio.Event()
        self._settled = trio.Event()
        #: Called on each change, before it takes effect; what it raises before a step is the step's failure.
        self.on_change: Callable[[Operation, str], object] = lambda operation, what: None
        #: Called once it has ended.
        self.on_end: Callable[[], object] = lambda: None
        self.may_cancel: Callable[[], bool] = lambda: True
        self.log: Callable[[str], object] = lambda line: None
        self.work = Work(
            facts,
            on_waiting=lambda: self._tell("waiting"),
            on_progress=lambda: self._tell("progress"),
            on_warning=self._warned,
        )
        self._scope = trio.CancelScope()

    def cancel(self) -> None:
        """Stop and undo it; nothing happens once it has ended, is being undone, or has no way back."""
        if self.state == "running" and self.may_cancel() and not self._has_no_way_back():
            self._scope.cancel()

    async def settled(self) -> None:
        """Returns once it has ended, or is left for another xend to end."""
        await self._settled.wait()

    async def run(self, first: int = 0) -> None:
        """Run it from a step on, to its end; lets nothing out but trio.Cancelled, see `error`."""
        try:
            failure = await self._attempt(first)
            if failure is None:
                self._end("done")
            else:
                await self._fail(failure)
        finally:
            self._settled.set()

    async def take_up(self) -> None:
        """Undo or resume what another xend began, as `run` does; `step` and `state` say how far it came.

        A step of this xend's plan that the other xend's plan had not is done before those that follow it.
        """
        try:
            if self._is_to_be_undone():
                await self._fail(None)
                return
            last, first = self.step, min(max(self.step, 0), self.first_new_step)
            while first > 0 and self.steps[first].undo is not None:
                first -= 1
            await self._undo_all(last, first)
        finally:
            self._settled.set()
        await self.run(first)

    def _is_to_be_undone(self) -> bool:
        """Whether another xend's operation, which was cut off, is to be undone wholly."""
        if self.kind.on_crash == "undo or resume" and self.state != "undoing":
            return not self._has_no_way_back()
        return self.kind.on_crash == "undo" or self.state == "undoing"

    def _has_no_way_back(self) -> bool:
        begun = self.steps[: self.step + 1]
        return self.kind.on_crash == "undo or resume" and any(step.undo is None for step in begun)

    def remember(self, state: State, error: XendError | None, step: int) -> None:
        """It had ended in the time of another xend."""
        self.state, self.error, self.step = state, error, step
        self.ended.set()
        self._settled.set()
        self._close()

    def give_up(self, error: XendError) -> None:
        """It ends here: nothing of it can be done or undone any more."""
        self.error = error
        self._end("failed")
        self._settled.set()

    def as_map(self) -> dict[str, Any]:
        """The operation map of docs/bus.md."""
        return {
            "operation": self.id,
            "kind": self.kind.name,
            "key": self.key,
            "domain": self.domain,
            "domid": self.work.facts.domid,
            "started": self.started,
            "ended": self.ended_at,
            "steps": [step.name for step in self.steps],
            "step": self.step,
            "step_key": self.steps[self.step].key if 0 <= self.step < len(self.steps) else None,
            "state": self.state,
            "waiting": self.work.waiting_map(),
            "progress": self.work.progress_map(),
            "error": None if self.error is None else self.error.as_map(),
            "warnings": self.warnings(),
            "result": self.result() if self.state == "done" else None,
        }

    async def outcome(self) -> dict[str, Any]:
        """What its call is answered with, once it has ended.

        Raises:
            XendError: why it failed, with what went wrong besides.
        """
        await self.ended.wait()
        if self.error is not None:
            raise self.error.annotated(warnings=self.warnings() or None)
        return self.result()

    def result(self) -> dict[str, Any]:
        """What its call is answered with."""
        about = {"operation": self.id, "domid": self.work.facts.domid, "warnings": self.warnings()}
        return {**about, **self.work.result}

    def warnings(self) -> list[dict[str, Any]]:
        """What went wrong and did not stop it, as maps of errors."""
        return [warning.as_map() for warning in self.work.warnings]

    # --- the interpreter ----------------------------------------------------------------------------------

    async def _attempt(self, first: int) -> XendError | None:
        """Do its steps; returns why they have to be undone, or None."""
        failure = None
        with self._scope:
            failure = await self._do_all(first)
        if self._scope.cancelled_caught:
            what = f"{self.kind.title} of {self.domain}"
            failure = XendError("cancelled", f"{what} was cancelled", domain=self.domain)
        return failure

    async def _do_all(self, first: int) -> XendError | None:
        for index in range(first, len(self.steps)):
            self.step = index
            step = self.steps[index]
            try:
                self.work.begin_step()
                self.on_change(self, "step")
                await trio.lowlevel.checkpoint()  # what cancels it does so before the step, never amid it
            except BaseException as error:  # noqa: BLE001 - it is the step's failure
                return self._failure(error, step)
            try:
                await step.do(self.work)
            except BaseException as error:  # noqa: BLE001 - it is the step's failure
                failure = self._failure(error, step)
                if step.on_failure == "undo":
                    return failure
                self.work.warn(failure)
        return None

    async def _fail(self, error: XendError | None) -> None:
        """Undo what was done; None: xend died meanwhile."""
        self.state, self.error = "undoing", error
        died_at = self.doing
        is_undone = await self._undo_all(self.step)
        if error is None:
            how = "undone" if is_undone else "not all of it could be undone"
            message = f"xend died at '{died_at}'; {how}"
            self.error = XendError("cancelled", message, domain=self.domain, step=died_at)
        self._end("cancelled" if self._scope.cancelled_caught else "failed")

    async def _undo_all(self, last: int, down_to: int = 0) -> bool:
        """Undo the steps from `last` down to `down_to`; what cannot be is a warning. Whether all could be."""
        is_undone = True
        for index in range(last, down_to - 1, -1):
            step = self.steps[index]
            if step.undo is not None:
                self.step = index
                self._tell("undoing")
                is_undone &= await self._undo(step)
        return is_undone

    async def _undo(self, step: Step) -> bool:
        assert step.undo is not None
        try:
            with trio.CancelScope(shield=True), trio.fail_after(UNDO_SECONDS):
                await step.undo(self.work)
        except trio.TooSlowError:
            message = f"undoing '{step.name}' took longer than {UNDO_SECONDS:g} s"
            self.work.warn(XendError("no_answer", message, domain=self.domain, waited_s=UNDO_SECONDS))
            return False
        except BaseException as error:  # noqa: BLE001 - it is a warning
            self.work.warn(self._failure(error, step).because(f"could not undo '{step.name}'"))
            return False
        return True

    def _failure(self, error: BaseException, step: Step) -> XendError:
        """What an exception of a step means for the operation.

        Raises:
            trio.Cancelled: it is no failure: the operation, or all of xend, is to end.
        """
        failure, passing = parted(error)
        if passing is not None and trio.current_effective_deadline() > -math.inf:
            failure, passing = error, None  # nobody cancelled this: it was left over from somewhere
        where = f"{self.kind.name} {self.domain}: {step.name}"
        if failure is None:
            assert passing is not None
            raise passing
        known = as_xend_error(failure, where, self.log)
        if passing is not None:
            self.log(f"{where}: {known}; it is ended meanwhile")
            raise passing
        return known.annotated(step=step.name, domain=self.domain)

    def _end(self, state: State) -> None:
        self.state = state
        self._tell(state)
        self.ended.set()
        try:
            self.on_end()
        except Exception as error:  # noqa: BLE001 - its end is an end all the same
            as_xend_error(error, f"after {self.kind.name} {self.domain}", self.log)
        self._close()

    def _tell(self, what: str) -> None:
        """What whoever is told raises is not the operation's concern."""
        try:
            self.on_change(self, what)
        except Exception as error:  # noqa: BLE001 - a listener's fault is not its own
            as_xend_error(error, f"{self.kind.name} {self.domain}: {what}", self.log)

    def _warned(self, warning: XendError) -> XendError:
        """A warning, logged; with the domain, and the step where it has none."""
        last_words = str(warning.fields.get("script_output", "")).splitlines()[-1:]
        details = [] if last_words == [warning.fields.get("cause")] else last_words
        self.log(": ".join([self.domain, str(warning), *details]))
        return warning.annotated(domain=self.domain, step=self.doing)

    @property
    def doing(self) -> str:
        """The name of the step that runs or ran last, for people; of the first one, if none ran yet."""
        return self.steps[max(self.step, 0)].name

    def _close(self) -> None:
        """Drop everything that `as_map` does not report: thousands of ended operations are remembered."""
        self.steps = [step_of_the_past(step.key, step.name) for step in self.steps]
        self.work.close()
        self.on_end = lambda: None
        if self.error is not None:
            self.error = XendError.from_map(self.error.as_map())  # without the frames it passed


@functools.lru_cache(maxsize=256)
def step_of_the_past(key: str, name: str) -> Step:
    """A step of an operation that has ended, of which only the key and the name matter any more."""
    return Step(key, name, nothing)
