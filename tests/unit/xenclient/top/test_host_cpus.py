"""xentop -p: the table of the host's CPUs, as Xen's newer xentops print it."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.xenclient.top.answers import answer
from xenclient.cli.top.host_cpus import busy_percents, table

S = 1_000_000_000


def look(at_s: float, *idle_ns: int, epoch: int = 1) -> dict[str, Any]:
    return {**answer(at_s, epoch=epoch), "idle_ns": list(idle_ns)}


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (look(10, 5 * S, 6 * S), None, [0.0, 0.0]),
        (look(12, 6 * S, 8 * S), look(10, 5 * S, 6 * S), [50.0, 0.0]),
        (look(12, 5 * S), look(10, 5 * S), [100.0]),
        # More than has passed, and less than nothing: clocks are read one after the other.
        (look(12, 9 * S, 1 * S), look(10, 5 * S, 6 * S), [0.0, 100.0]),
        (look(10, 6 * S), look(10, 5 * S), [0.0]),
        (look(12, 6 * S, epoch=2), look(10, 5 * S), [0.0]),
        (look(12, 6 * S, 6 * S), look(10, 5 * S), [0.0, 0.0]),  # one more than there were
    ],
)
def test_since_the_look_before(now: Any, before: Any, expected: Sequence[float]) -> None:
    assert busy_percents(now, before) == expected


def test_the_table() -> None:
    """As printf has it: "| %-5d | %5.1f%% |"."""
    assert "\n".join(table([0.0, 12.34, 100.0])) == (
        "\nPhysical CPU Usage:\n+-------+--------+\n| Core  | Usage  |\n+-------+--------+\n"
        "| 0     |   0.0% |\n| 1     |  12.3% |\n| 2     | 100.0% |\n+-------+--------+"
    )
