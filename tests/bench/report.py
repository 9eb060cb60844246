"""The table on the terminal as it grows, and as Markdown and JSON at the end."""

import json
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from tests.bench.chart import chart
from tests.bench.measure import Measured
from tests.bench.servers import NAMES, OURS, PEERS, SCRATCH, can_pin
from tests.bench.summary import summary
from tests.bench.table import (
    Results,
    Verdict,
    against_null,
    against_peer,
    better_peer,
    cell,
    figure_of,
    judge_all,
    short,
)
from tests.bench.targets import Targets
from tests.bench.workloads import figure_name

COLUMNS = ("ours", "c", "o", "o-nolog", "null")
_LINE = "{:<48} {:<10} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6} {:>6} {:>6}  {}"


def heading() -> str:
    return _LINE.format("workload", "figure", *COLUMNS, "/peer", "/null", "/cpu", "target")


def line(name: str, results: Results, targets: Targets) -> str:
    """One row for a terminal."""
    measured, figure = results[name], figure_name(name)
    verdicts = judge_all(targets.get(name, ()), name, results)
    return _LINE.format(
        name, figure, *(cell(measured, server, figure) for server in COLUMNS),
        short(against_peer(measured, figure)), short(against_null(measured)),
        short(against_peer(measured, "cpu_us_per_op")), _verdict_text(verdicts),
    )  # fmt: skip


def problems(name: str, measured: Mapping[str, Measured]) -> list[str]:
    """One line for each server whose runs ended early."""
    return [f"  {name}, {server}: {m.problem}" for server, m in measured.items() if m.problem]


def _verdict_text(verdicts: list[Verdict]) -> str:
    return "; ".join(str(verdict) for verdict in verdicts)


@dataclass(frozen=True)
class Origin:
    """What made the figures: they depend on the machine, and on what else it did."""

    command: str
    date: str
    machine: str
    cores: int
    load_before: float
    pinned: bool
    rundirs: str

    @classmethod
    def of(cls, command: str) -> Self:
        """Taken before the first run."""
        return cls(
            command,
            datetime.now().strftime("%Y-%m-%d %H:%M"),
            f"{platform.platform(terse=True)} {platform.machine()}, Python {platform.python_version()}",
            os.cpu_count() or 0,
            round(os.getloadavg()[0], 2),
            can_pin(),
            file_system(SCRATCH or Path(tempfile.gettempdir())),
        )

    def __str__(self) -> str:
        cores = "server and load on cores of their own" if self.pinned else "nothing pinned"
        return (
            f"`{self.command}`, {self.date}: {self.machine}, {self.cores} cores ({cores}), "
            f"load before {self.load_before}; run directories, with our journal, on {self.rundirs}."
        )


def file_system(directory: Path) -> str:
    """What kind of file system a directory is on, by the list of mounts: "tmpfs (/dev/shm)"."""
    lines = subprocess.run(["mount"], capture_output=True, text=True).stdout.splitlines()
    found = (re.match(r".* on (\S+) type (\S+)", line) for line in lines)
    kinds = {Path(match[1]): match[2] for match in found if match is not None}
    resolved = directory.resolve()
    kind = next((kinds[place] for place in (resolved, *resolved.parents) if place in kinds), "unknown")
    return f"{kind} ({directory})"


_MARKDOWN_HEADER = (
    "workload", "figure", *COLUMNS, "of the better peer", "of null", "CPU µs/op: ours, peer",
    "p50 µs: ours, peer", "p99 µs: ours, peer", "EAGAIN: ours, peer", "MB: ours, peer",
    "our server busy", "target",
)  # fmt: skip


def _pair(measured: Mapping[str, Measured], figure: str) -> str:
    peer = better_peer(measured, figure)
    ours = figure_of(measured, OURS, figure)
    return "" if ours is None and peer is None else f"{short(ours)}, {short(peer[1] if peer else None)}"


def _markdown_row(name: str, results: Results, targets: Targets) -> list[str]:
    measured, figure = results[name], figure_name(name)
    verdicts = judge_all(targets.get(name, ()), name, results)
    pairs = ("cpu_us_per_op", "p50_us", "p99_us", "eagain_share", "rss_mb")
    return [
        name, figure, *(cell(measured, server, figure) for server in COLUMNS),
        short(against_peer(measured, figure)), short(against_null(measured)),
        *(_pair(measured, pair) for pair in pairs), short(figure_of(measured, OURS, "server_busy")),
        _verdict_text(verdicts),
    ]  # fmt: skip


def markdown(results: Results, targets: Targets, origin: Origin) -> str:
    """The whole table, with what made it."""
    rows = [list(_MARKDOWN_HEADER), ["---"] * len(_MARKDOWN_HEADER)]
    rows += [_markdown_row(name, results, targets) for name in results]
    lines = [str(origin), ""]
    lines += [f"- {name}: {NAMES[name]}" for name in COLUMNS]
    lines += ["", "A peer's figure in a pair is the best of " + ", ".join(PEERS) + ".", ""]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    for name, measured in results.items():
        lines += ["", *problems(name, measured)] if problems(name, measured) else []
    return "\n".join(lines) + "\n"


def as_json(results: Results, targets: Targets, origin: Origin) -> str:
    """Everything measured: medians, every run, verdicts."""
    rows = {
        name: {
            "figure": figure_name(name),
            "servers": {
                server: {"median": m.medians, "runs": m.runs, "problem": m.problem}
                for server, m in measured.items()
            },
            "targets": [
                {"target": str(v.target), "value": v.value, "met": v.met}
                for v in judge_all(targets.get(name, ()), name, results)
            ],
        }
        for name, measured in results.items()
    }
    return json.dumps(asdict(origin) | {"rows": rows}, indent=1)


def write(results: Results, targets: Targets, origin: Origin, folder: Path) -> list[Path]:
    """Writes results.md, summary.md, results.json and results.svg into `folder`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "results.md": markdown(results, targets, origin),
        "summary.md": summary(results, targets),
        "results.json": as_json(results, targets, origin),
        "results.svg": chart(results, targets),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [folder / name for name in texts]
