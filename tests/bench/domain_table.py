"""From the figures of `domains` to a table: what each is called, what is to be reached, whether it is."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.report import Origin
from tests.bench.table import short

Figures = dict[str, float]

#: From a tenth of the domains to all of them the cost of one may grow by this factor.
GROWTH = 1.3
#: What may be left of memory after cycles, in MiB: 2,000 ended operations and 10,000 events are kept.
KEPT_MIB = 32
#: The same after as many cycles more, when all that is full: what fragments.
STEADY_MIB = 4


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


def judged(figures: Figures, domains: int, cycles: int) -> list[Verdict]:
    """The table of a measurement."""
    return [Verdict(row.name, row.unit, row.value(figures), row.bound) for row in _rows(domains, cycles)]


def _figure(name: str) -> Callable[[Figures], float]:
    return lambda figures: figures[name]


def _ratio(name: str, over: str) -> Callable[[Figures], float]:
    return lambda figures: figures[name] / figures[over]


def _rows(domains: int, cycles: int) -> list[Row]:
    many, few = f"{domains:,}", f"{domains // 10:,}"
    return [
        *(
            Row(f"create {number} domains: {what}, each", "ms", _figure(f"{when}_{key}"))
            for when, number in (("few", few), ("all", many), ("last", f"the last {few} of {many}"))
            for what, key in _KINDS
        ),
        *(
            Row(f"growth from {few} to {many}: {what}", "times", _ratio(f"all_{key}", f"few_{key}"), GROWTH)
            for what, key in _KINDS
        ),
        Row("create: the store's requests, xend's", "", _figure("create_requests")),
        Row("create: the store's requests, others'", "", _figure("create_other_requests")),
        Row("destroy: the store's requests, xend's", "", _figure("destroy_requests")),
        Row("destroy: the store's requests, others'", "", _figure("destroy_other_requests")),
        Row("memory of xend and its store, each domain", "KiB", _figure("memory_kib")),
        Row("memory of the simulated host, each domain", "KiB", _figure("simulator_memory_kib")),
        *(
            Row(f"destroy {many} domains: {what}, each", "ms", _figure(f"destroy_{key}"))
            for what, key in _KINDS
        ),
        Row(f"nodes left of {many} domains", "", _figure("nodes_left"), 0),
        Row(f"{cycles:,} cycles: descriptors left", "", _figure("descriptors_left"), 0),
        Row(f"{cycles:,} cycles: nodes left", "", _figure("cycle_nodes_left"), 0),
        Row(f"{cycles:,} cycles: memory left", "MiB", _figure("cycle_rss_mib"), KEPT_MIB),
        Row(f"{cycles:,} more cycles: memory left", "MiB", _figure("next_cycle_rss_mib"), STEADY_MIB),
        Row(f"xl list of {many} domains", "ms", _figure("xl_list_ms"), 200),
        Row("bare Python", "ms", _figure("bare_python_ms")),
        Row(
            "xl list, cold, beyond bare Python",
            "ms",
            lambda figures: figures["cold_xl_list_ms"] - figures["bare_python_ms"],
            60,
        ),
    ]


#: The costs of a domain, and their figures' names.
_KINDS = (
    ("time", "ms"),
    ("CPU of xend and its store", "xend_cpu_ms"),
    ("CPU of the simulated host", "simulator_cpu_ms"),
)
_LINE = "{:<64} {:>8} {:<6} {}"


def heading() -> str:
    return _LINE.format("domains", "figure", "", "target")


def line(verdict: Verdict) -> str:
    """One row for a terminal."""
    return _LINE.format(verdict.name, short(verdict.value), verdict.unit, verdict).rstrip()


def markdown(verdicts: Sequence[Verdict], origin: Origin) -> str:
    """The whole table, with what made it."""
    rows = [["domains", "figure", "target"], ["---"] * 3]
    rows += [[each.name, f"{short(each.value)} {each.unit}".rstrip(), str(each)] for each in verdicts]
    return "\n".join([str(origin), "", *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def write(
    verdicts: Sequence[Verdict], figures: Figures, origin: Origin, folder: Path, copy: Path | None
) -> list[Path]:
    """Writes domains.md and domains.json into `folder`, and the latter to `copy`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    as_json = json.dumps(
        asdict(origin) | {"figures": figures, "rows": [asdict(each) for each in verdicts]}, indent=1
    )
    texts = {folder / "domains.md": markdown(verdicts, origin), folder / "domains.json": as_json}
    if copy is not None:
        texts[copy] = as_json
    for path, text in texts.items():
        path.write_text(text)
    return list(texts)
