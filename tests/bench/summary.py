"""The table of docs/performance.md: rows that differ in one number stand in one line, ratios only."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.bench.servers import OURS
from tests.bench.table import (
    Results,
    against_null,
    against_peer,
    figure_of,
    judge_all,
    short,
)
from tests.bench.targets import Targets
from tests.bench.workloads import figure_name

#: What a line's rows have in common, and the number in which they differ.
_SERIES = (
    (re.compile(r"(?P<what>.*), (?P<number>\d+) clients?"), "{what}: {numbers} clients"),
    (
        re.compile(r"(?P<what>.*), (?P<number>\d+ connections? \d+) deep"),
        "{what}, connections × deep: {numbers}",
    ),
    (re.compile(r"(?P<what>fan-out to) (?P<number>[\d,]+)"), "{what} {numbers}"),
    (re.compile(r"(?P<what>write beside) (?P<number>[\d,]+) watches"), "{what} {numbers} watches"),
    (re.compile(r"(?P<what>.*) at (?P<number>[\d,]+) nodes"), "{what} at {numbers} nodes"),
    (re.compile(r"(?P<what>create beside|remove) (?P<number>[\d,]+) siblings"), "{what} {numbers} siblings"),
    (re.compile(r"(?P<what>.* of) (?P<number>[\d,]+) nodes"), "{what} {numbers} nodes"),
    (re.compile(r"(?P<what>live update) with (?P<number>[\d,]+) nodes"), "{what} with {numbers} nodes"),
)
_HEADER = ("workload", "against the better peer", "of the null server", "CPU against the peer's", "targets")


@dataclass(frozen=True)
class _Line:
    """Rows of one line, each with its number."""

    what: str
    wording: str
    figure: str
    rows: tuple[tuple[str, str], ...]

    @property
    def label(self) -> str:
        numbers = " / ".join(re.sub(r" connections? ", " × ", number) for _, number in self.rows)
        text = self.wording.format(what=self.what, numbers=numbers)
        return text if self.figure == "ops_per_s" else f"{text} ({self.figure})"


def _line_of(row: str) -> _Line:
    for pattern, wording in _SERIES:
        if match := pattern.fullmatch(row):
            return _Line(match["what"], wording, figure_name(row), ((row, match["number"]),))
    return _Line(row, "{what}", figure_name(row), ((row, ""),))


def _lines(rows: Sequence[str]) -> list[_Line]:
    """In the order of their first rows."""
    lines: dict[tuple[str, str, str], _Line] = {}
    for row in rows:
        line = _line_of(row)
        key = line.what, line.wording, line.figure
        before = lines[key].rows if key in lines else ()
        lines[key] = _Line(*key, before + line.rows)
    return list(lines.values())


def _column(values: Iterable[float | None]) -> str:
    """One ratio a row; empty where there is none at all."""
    found = list(values)
    return "" if all(value is None for value in found) else " / ".join(short(value) for value in found)


def _targets(line: _Line, results: Results, targets: Targets) -> str:
    verdicts = [
        (number, v) for row, number in line.rows for v in judge_all(targets.get(row, ()), row, results)
    ]
    missed = [f"{number}: {v}".removeprefix(": ") for number, v in verdicts if not v.met]
    return "; ".join(missed) or ("met" if verdicts else "")


def summary(results: Results, targets: Targets) -> str:
    """A Markdown table; where there is nothing to compare with, the first column has our own figures."""
    table = [list(_HEADER), ["---"] * len(_HEADER)]
    for line in _lines(list(results)):
        rows = [results[row] for row, _ in line.rows]
        peer = _column(against_peer(row, line.figure) for row in rows)
        own = _column(figure_of(row, OURS, line.figure) for row in rows)
        table.append([
            line.label, peer or f"ours {own}",
            _column(against_null(row) for row in rows),
            _column(against_peer(row, "cpu_us_per_op") for row in rows),
            _targets(line, results, targets),
        ])  # fmt: skip
    return "\n".join(f"| {' | '.join(row)} |" for row in table) + "\n"
