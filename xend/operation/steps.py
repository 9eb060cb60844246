"""Steps, and what the steps of one operation share."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import attrs
import trio

from xend.errors import XendError
from xend.operation.facts import Facts

#: How long undoing one step may take, in seconds.
UNDO_SECONDS = 60.0
#: How many warnings of one operation are kept; all of them are logged.
WARNINGS_MAX = 32


class Work:
    """What the steps of one operation share.

    Attributes:
        facts: what they found and chose; on disk before each step begins.
        result: what the operation's call answers with.
        warnings: what went wrong and did not stop the operation; who called it is told in the end.
    """

    def __init__(
        self,
        facts: Facts,
        on_waiting: Callable[[], object] = lambda: None,
        on_progress: Callable[[], object] = lambda: None,
        on_warning: Callable[[XendError], XendError] = lambda warning: warning,
    ) -> None:
        self.facts = facts
        self.result: dict[str, Any] = {}
        self.warnings: list[XendError] = []
        self._waiting: tuple[str, float, float] | None = None
        self._on_waiting = on_waiting
        self._progress: tuple[int, int, float] | None = None
        self._on_progress = on_progress
        self._on_warning = on_warning

    def warn(self, warning: XendError) -> None:
        """Something went wrong, and the operation goes on; the same twice is one."""
        if warning.message not in (each.message for each in self.warnings):
            warning = self._on_warning(warning)
            self.warnings += [warning] if len(self.warnings) < WARNINGS_MAX else []

    def close(self) -> None:
        """The operation has ended: of its facts only those of every kind are kept, of warnings no frames."""
        self.facts = self.facts.of_every_kind()
        self.warnings = [XendError.from_map(warning.as_map()) for warning in self.warnings]

    @contextmanager
    def waiting(self, what: str, seconds: float) -> Iterator[None]:
        """Waits for `what` in the block, at most so long; everybody who follows the operation sees it.

        Raises:
            XendError: no_answer: it did not come.
        """
        before, self._waiting = self._waiting, (what, trio.current_time(), seconds)
        self._on_waiting()
        try:
            with trio.move_on_after(seconds) as scope:
                yield
            if scope.cancelled_caught:
                raise XendError("no_answer", f"waited {seconds:g} s for {what}", waited_s=seconds)
        finally:
            self._waiting = before

    def moved(self, done_kib: int, total_kib: int, seconds: float) -> None:
        """So much of a domain's memory was moved in so many seconds; who follows the operation sees it."""
        self._progress = done_kib, total_kib, seconds
        self._on_progress()

    def begin_step(self) -> None:
        """What was moved is another step's."""
        self._progress = None

    def progress_map(self) -> dict[str, Any] | None:
        """How much of a domain's memory has been moved: {done_kib, total_kib, kib_per_s}; None: none was."""
        if self._progress is None:
            return None
        done, total, seconds = self._progress
        return {
            "done_kib": done,
            "total_kib": total,
            "kib_per_s": round(done / seconds) if seconds > 0 else 0,
        }

    def waiting_map(self) -> dict[str, Any] | None:
        """What is waited for just now: {for, since_s, deadline_s}; None: nothing."""
        if self._waiting is None:
            return None
        what, since, seconds = self._waiting
        return {"for": what, "since_s": trio.current_time() - since, "deadline_s": seconds}


Action = Callable[[Work], Awaitable[None]]


async def nothing(work: Work) -> None:
    """The undo of a step that leaves nothing of its own: what it did goes with what an earlier one made."""


@attrs.frozen
class Step:
    """One step.

    Attributes:
        key: what records and programs know it by, other than any other step's of the same operation.  It
            stays when the name is worded anew: a newer xend finds the step by it.
        name: what is done, in the imperative, for people: "load its kernel".
        do: does it; done again where a crash may have come between.
        undo: leaves nothing of it, whether it was done wholly, in part or not at all; None: there is
            nothing to undo, or no way back.
        on_failure: "undo" what was done so far, or "go on" (its failure is a warning).
    """

    key: str
    name: str
    do: Action
    undo: Action | None = None
    on_failure: Literal["undo", "go on"] = "undo"
