"""From the figures of `domains` to a table: what each is called, what is to be reached, whether it is."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.domain_load import AT_A_TIME
from tests.bench.report import Origin
from tests.bench.table import short

Figures = dict[str, float]

#: From a tenth of the domains to all of them the cost of one may grow by this factor.
GROWTH = 1.3
#: Descriptors of pages that are mapped until Python looks for cycles of objects that nobody refers to.
DESCRIPTORS = 2
#: What may be left of memory after cycles, in MiB: 2,000 ended operations and 10,000 events are kept.
KEPT_MIB = 32
#: The same after as many cycles more, when these are full: what the allocator holds on to, up and down.
STEADY_MIB = 8


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        bound: the value may be at most this; None: it is shown only.
    """

    name: str
    unit: str
    value: Callable[[Figures], float]
    bound: float | None = None


@dataclass(frozen=True)
class Verdict:
    """A row and what came of it."""

    name: str
    unit: str
    value: float
    bound: float | None

    def __str__(self) -> str:
        if self.bound is None:
            return ""
        return f"≤ {self.bound:g}: {'met' if self.value <= self.bound else 'short'}"


def few_of(domains: int) -> int:
    """With how many of them the cost of one is compared: as many as are made at a time, at least."""
    return max(AT_A_TIME, domains // 10)


def judged(figures: Figures, domains: int, cycles: int) -> list[Verdict]:
    """The table of a measurement."""
    return judged_rows(figures, _rows(domains, cycles))


def judged_rows(figures: Figures, rows: Iterable[Row]) -> list[Verdict]:
    """What came of each row."""
    return [Verdict(row.name, row.unit, row.value(figures), row.bound) for row in rows]


def figure(name: str) -> Callable[[Figures], float]:
    return lambda figures: figures[name]


def ratio(name: str, over: str) -> Callable[[Figures], float]:
    return lambda figures: figures[name] / figures[over]


#: Costs, and their figures' names.
TIMES = (
    ("time", "ms"),
    ("CPU of xend and its store", "xend_cpu_ms"),
    ("CPU of the simulated host", "simulator_cpu_ms"),
)
_GROWING = (
    *TIMES[:2],
    ("store requests of xend", "create_requests"),
    ("memory of xend and its store", "memory_kib"),
)


def _rows(domains: int, cycles: int) -> list[Row]:
    many, few = f"{domains:,}", f"{few_of(domains):,}"
    return [
        *_creation("few", f"create {few} domains"),
        *_creation("all", f"create {many} domains"),
        *(Row(f"the last {few} of {many}: {what}, each", "ms", figure(f"last_{key}")) for what, key in TIMES),
        *(
            Row(f"growth from {few} to {many}: {what}", "times", ratio(f"all_{key}", f"few_{key}"), GROWTH)
            for what, key in _GROWING
        ),
        Row("memory of the simulated host, each domain", "KiB", figure("simulator_memory_kib")),
        *(
            Row(f"destroy {many} domains: {what}, each", "ms", figure(f"destroy_{key}"))
            for what, key in TIMES
        ),
        Row("destroy: store requests of xend, each", "", figure("all_destroy_requests")),
        Row("destroy: store requests of guests and scripts", "", figure("all_destroy_other_requests")),
        Row(f"nodes left of {many} domains", "", figure("nodes_left"), 0),
        *_left(cycles),
        *_listings(many),
    ]


def _creation(when: str, title: str) -> list[Row]:
    return [
        *(Row(f"{title}: {what}, each", "ms", figure(f"{when}_{key}")) for what, key in TIMES),
        Row(f"{title}: store requests of xend, each", "", figure(f"{when}_create_requests")),
        Row(f"{title}: those of guests and scripts, each", "", figure(f"{when}_create_other_requests")),
        Row(f"{title}: memory of xend and its store, each", "KiB", figure(f"{when}_memory_kib")),
    ]


def _left(cycles: int) -> list[Row]:
    return [
        Row(f"{cycles:,} cycles: descriptors left", "", figure("descriptors_left"), DESCRIPTORS),
        Row(f"{cycles:,} cycles: nodes left", "", figure("cycle_nodes_left"), 0),
        Row(f"{cycles:,} cycles: memory left", "MiB", figure("cycle_rss_mib"), KEPT_MIB),
        Row(f"{cycles:,} more cycles: memory left", "MiB", figure("next_cycle_rss_mib"), STEADY_MIB),
    ]


def _listings(many: str) -> list[Row]:
    return [
        Row(f"xl list of {many} domains", "ms", figure("xl_list_ms"), 200),
        Row("bare Python", "ms", figure("bare_python_ms")),
        Row("xl list, cold, beyond bare Python", "ms", _beyond_bare_python, 60),
    ]


def _beyond_bare_python(figures: Figures) -> float:
    return figures["cold_xl_list_ms"] - figures["bare_python_ms"]


_LINE = "{:<64} {:>8} {:<6} {}"


def heading(name: str) -> str:
    return _LINE.format(name, "figure", "", "target")


def line(verdict: Verdict) -> str:
    """One row for a terminal."""
    return _LINE.format(verdict.name, short(verdict.value), verdict.unit, verdict).rstrip()


def markdown(name: str, verdicts: Sequence[Verdict], origin: Origin) -> str:
    """The whole table, with what made it."""
    rows = [[name, "figure", "target"], ["---"] * 3]
    rows += [[each.name, f"{short(each.value)} {each.unit}".rstrip(), str(each)] for each in verdicts]
    return "\n".join([str(origin), "", *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def write(
    name: str,
    verdicts: Sequence[Verdict],
    figures: Figures,
    origin: Origin,
    folder: Path,
    copy: Path | None,
) -> list[Path]:
    """Writes NAME.md and NAME.json into `folder`, and the latter to `copy`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    as_json = json.dumps(
        asdict(origin) | {"figures": figures, "rows": [asdict(each) for each in verdicts]}, indent=1
    )
    texts = {folder / f"{name}.md": markdown(name, verdicts, origin), folder / f"{name}.json": as_json}
    if copy is not None:
        texts[copy] = as_json
    for path, text in texts.items():
        path.write_text(text)
    return list(texts)
