"""The table on the terminal as it grows, and as Markdown and JSON at the end."""

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from tests.bench.measure import Measured
from tests.bench.servers import NAMES, OURS, PEERS, can_pin
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
from tests.bench.workloads import BY_NAME, COLD_START

COLUMNS = ("ours", "c", "o", "o-nolog", "null")
_LINE = "{:<48} {:<10} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6} {:>6} {:>6}  {}"


def figure_name(row: str) -> str:
    return "ms" if row == COLD_START else BY_NAME[row].figure


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


def machine() -> dict[str, str | int | float]:
    """What the figures depend on besides the programs."""
    return {
        "cores": os.cpu_count() or 0,
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "load_average_at_start": round(os.getloadavg()[0], 2),
        "server_and_load_on_cores_of_their_own": int(can_pin()),
    }


_MARKDOWN_HEADER = (
    "workload", "figure", *COLUMNS, "of the better peer", "of null", "CPU µs/op: ours, peer",
    "p50 µs: ours, peer", "p99 µs: ours, peer", "EAGAIN: ours, peer", "MB: ours, peer", "target",
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
        *(_pair(measured, pair) for pair in pairs), _verdict_text(verdicts),
    ]  # fmt: skip


def markdown(results: Results, targets: Targets, command: str, date: str) -> str:
    """The whole table, with what made it."""
    rows = [list(_MARKDOWN_HEADER), ["---"] * len(_MARKDOWN_HEADER)]
    rows += [_markdown_row(name, results, targets) for name in results]
    facts = ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in machine().items())
    lines = [f"`{command}`, {date}; {facts}.", ""]
    lines += [f"- {name}: {NAMES[name]}" for name in COLUMNS]
    lines += ["", "A peer's figure in a pair is the best of " + ", ".join(PEERS) + ".", ""]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    for name, measured in results.items():
        lines += ["", *problems(name, measured)] if problems(name, measured) else []
    return "\n".join(lines) + "\n"


def as_json(results: Results, targets: Targets, command: str, date: str) -> str:
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
    return json.dumps({"command": command, "date": date, "machine": machine(), "rows": rows}, indent=1)


def write(results: Results, targets: Targets, command: str, date: str, folder: Path) -> list[Path]:
    """results.md and results.json in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "results.md": markdown(results, targets, command, date),
        "results.json": as_json(results, targets, command, date),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [folder / name for name in texts]
