"""Judging an outcome, and showing it."""

from collections.abc import Callable, Sequence

from tests.bench.picture import Canvas, lines
from tests.stress.bank import OPENING_BALANCE
from tests.stress.board import Counts
from tests.stress.history import check
from tests.stress.run import Outcome

FAULTS_SHOWN = 10
_BLOCKS = "▁▂▃▄▅▆▇█"


def faults(outcome: Outcome) -> list[str]:
    """What is wrong with an outcome, one sentence each: the sum, and the order of transactions."""
    found = []
    total, opened = sum(b.amount for b in outcome.balances), OPENING_BALANCE * len(outcome.balances)
    if total != opened:
        found.append(f"the accounts hold {total}, {opened} were paid in")
    return found + check(outcome.history, [balance.version for balance in outcome.balances])


def conclude(
    found: Sequence[str], planted: bool, *, void: str | None, extent: str, passed: Callable[[], str]
) -> int:
    """Prints the verdict; returns the program's exit status.

    found: the faults, in what `extent` of a run.  planted: one of them is ours, and must be there.
    void: why the run says nothing.  passed: gives what a run without a fault has shown.
    """
    for fault in found[:FAULTS_SHOWN]:
        print(f"  {fault}")
    if len(found) > FAULTS_SHOWN:
        print(f"  and {len(found) - FAULTS_SHOWN} more")
    if planted:
        print("the planted fault was FOUND" if found else "FAILED: the planted fault was not found")
        return 0 if found else 1
    failed = void or (f"{len(found)} faults in {extent}" if found else None)
    print(f"FAILED: {failed}" if failed else f"PASSED: {passed()}")
    return 1 if failed else 0


def sparkline(values: Sequence[float]) -> str:
    """One character a value, its height relative to the greatest."""
    top = max(values, default=0) or 1
    return "".join(_BLOCKS[min(len(_BLOCKS) - 1, int(value / top * len(_BLOCKS)))] for value in values)


def picture(pace: Sequence[Counts], title: str) -> str:
    """An SVG file's text: committed and EAGAIN per second over time."""
    canvas = Canvas()
    series = {
        "committed/s": [(float(second), float(c.committed)) for second, c in enumerate(pace, 1)],
        "EAGAIN/s": [(float(second), float(c.eagain)) for second, c in enumerate(pace, 1)],
    }
    lines(canvas, title, series, "seconds")
    return canvas.svg()
