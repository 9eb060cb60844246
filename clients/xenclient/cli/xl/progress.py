"""The progress of an operation, on standard error: one line that changes, on a terminal; or, with -v, a line
for each step. On a pipe nothing, unless -t asks for it.
"""

from __future__ import annotations

import os
import time

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.printing import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType
    from typing import Any

    Operation = Mapping[str, Any]

#: How wide the line may be where the terminal does not tell.
COLUMNS = 80
#: How often the seconds of a wait are updated.
TICK_S = 1.0
ERASE_LINE = "\r\x1b[K"


def call_with_progress(call: Call, method: str, parameters: dict[str, Any]) -> Mapping[str, Any]:
    """Call the method and return its result; its progress is shown meanwhile where that is wanted."""
    settings, doing = call.settings, call.name
    result: Mapping[str, Any]
    if settings.verbose:
        result = call.client.call(method, progress=Steps(settings.timestamps, doing=doing), **parameters)
    elif settings.show_progress or os.isatty(2):
        with Line(columns(), doing=doing) as line:
            result = call.client.call(method, progress=line, **parameters)
    else:
        result = call.client.call(method, **parameters)
    return result


def describe(operation: Operation, later_s: float = 0.0, doing: str | None = None) -> str:
    """The operation in a line: "create d1, 3 of 7: attach vif 0, waiting for its backend, 4 of 10 s".

    Args:
        later_s: how long ago xend described it so; added to what it has waited.
        doing: what it is called, instead of its kind.
    """
    steps, step, state = operation["steps"], operation["step"], operation["state"]
    text = doing or str(operation["kind"])
    if domain := operation.get("domain") or operation.get("domid"):
        text += f" {domain}"
    if state in ("done", "failed", "cancelled"):
        return text
    if isinstance(step, int) and 0 <= step < len(steps):
        text += f", {'undoing ' if state == 'undoing' else ''}{step + 1} of {len(steps)}: {steps[step]}"
    if progress := operation.get("progress"):
        text += f", {moved(progress)}"
    if waiting := operation.get("waiting"):
        text += f", waiting for {waiting['for']}, {waited(waiting, later_s)}"
    return text


def waited(waiting: Mapping[str, Any], later_s: float) -> str:
    """How long it has waited, and for how long it will where that is known: "4 of 10 s"."""
    seconds = int(waiting["since_s"] + later_s)
    most = waiting.get("deadline_s")
    return f"{seconds} s" if most is None else f"{seconds} of {most:g} s"


def moved(progress: Mapping[str, Any]) -> str:
    """How much of a domain's memory has been saved or restored: "40 of 160 MiB, 80 MiB/s"."""
    done, total, speed = (progress[key] // 1024 for key in ("done_kib", "total_kib", "kib_per_s"))
    return f"{done} of {total} MiB, {speed} MiB/s"


def columns() -> int:
    """The terminal's width."""
    try:
        return os.get_terminal_size(2).columns or COLUMNS
    except OSError:
        return COLUMNS


class Line:
    """One line on a terminal, overwritten as the operation goes on and erased at the end.

    Calling it with an operation shows that one; a timer updates its seconds. Only the main thread may use it.
    """

    def __init__(
        self, width: int, clock: Callable[[], float] = time.monotonic, doing: str | None = None
    ) -> None:
        self._doing = doing
        self._width = width
        self._clock = clock
        self._operation: Operation | None = None
        self._seen = 0.0
        self._shown = ""

    def __call__(self, operation: Operation) -> None:
        self._operation = operation
        self._seen = self._clock()
        self.draw()

    def draw(self) -> None:
        """Write the line as it is now, if that differs from what the terminal shows."""
        if self._operation is None:
            return
        text = describe(self._operation, self._clock() - self._seen, self._doing)[: self._width - 1]
        if text != self._shown:
            log(ERASE_LINE + text)
            self._shown = text

    def __enter__(self) -> Line:
        import signal

        self._before = signal.signal(signal.SIGALRM, self._tick)
        signal.setitimer(signal.ITIMER_REAL, TICK_S, TICK_S)
        return self

    def __exit__(self, *_: object) -> None:
        import signal

        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)
        if self._shown:
            log(ERASE_LINE)

    def _tick(self, number: int, frame: FrameType | None) -> None:
        self.draw()


class Steps:
    """A line for each step and each wait, for -v."""

    def __init__(
        self,
        timestamps: bool = False,
        now: Callable[[], str] | None = None,
        doing: str | None = None,
    ) -> None:
        self._doing = doing
        self._now = now or (lambda: time.strftime("%Y-%m-%d %H:%M:%S"))
        self._timestamps = timestamps
        self._last: tuple[object, ...] = ()

    def __call__(self, operation: Operation) -> None:
        waiting = operation.get("waiting") or {}
        now = operation["step"], operation["state"], waiting.get("for")
        if now != self._last:
            self._last = now
            begin = f"{self._now()} " if self._timestamps else ""
            log(f"{begin}{_with_state(operation, self._doing)}\n")


def _with_state(operation: Operation, doing: str | None) -> str:
    state = operation["state"]
    return describe(operation, doing=doing) + ("" if state in ("running", "undoing") else f": {state}")
