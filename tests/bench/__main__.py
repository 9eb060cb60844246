"""make bench: our xenstored against C xenstored, oxenstored and the null server; then what domains cost.

    python -m tests.bench [--full] [--runs N] [--seconds S] [--only PATTERN] [--against ours,c,...]

Prints the table as it grows and writes it to build/bench/ as Markdown, JSON and SVG.  The exit status
says whether our server answered rightly everywhere; what was not reached is for the reader.  The second
table is that of `tests.bench.domains`.
"""

import argparse
import fnmatch
import resource
import shlex
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from tests.bench import cold, devices, domains, growth, report, restart, servers
from tests.bench.measure import Effort, Measured, measure
from tests.bench.programs import BUILD, program
from tests.bench.targets import GOALS, Targets, base_of
from tests.bench.workloads import (
    BY_NAME,
    COLD_START,
    IMAGE,
    JOURNAL,
    LIVE_UPDATE,
    OTHER_ROWS,
    RECOVERY,
    SIZES,
    WORKLOADS,
    WRITERS,
    Workload,
)

COLD_RUNS = 15
DOMAINS, DEVICES = "domains", "devices"
#: How many domains there are at most; all of them with --full.
SOME_DOMAINS, ALL_DOMAINS = 200, 1000


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure xenstored.")
    parser.add_argument("--full", action="store_true", help="all workloads, five runs of a second")
    parser.add_argument("--runs", type=int, help="runs of each server per workload (3; 5 with --full)")
    parser.add_argument("--seconds", type=float, help="length of a run (0.5; 1 with --full)")
    parser.add_argument("--only", metavar="PATTERN", help="workloads whose name contains or matches this")
    parser.add_argument("--list", action="store_true", help="print the names of the workloads and stop")
    parser.add_argument("--goal", choices=GOALS, default="fastest", help="whose targets are shown")
    parser.add_argument(
        "--against", default=",".join(servers.NAMES), help="which servers (default: %(default)s)"
    )
    chosen = parser.parse_args(words)
    chosen.against = chosen.against.split(",")
    unknown = set(chosen.against) - servers.NAMES.keys()
    if unknown:
        parser.error(f"--against knows {', '.join(servers.NAMES)}; not {', '.join(sorted(unknown))}")
    usual = (
        Effort(runs=5, seconds=1.0, budget=60.0) if chosen.full else Effort(runs=3, seconds=0.5, budget=5.0)
    )
    chosen.effort = replace(usual, runs=chosen.runs or usual.runs, seconds=chosen.seconds or usual.seconds)
    return chosen


def selected(name: str, pattern: str | None) -> bool:
    return pattern is None or pattern in name or fnmatch.fnmatch(name, pattern)


def choose(full: bool, pattern: str | None) -> list[Workload]:
    """The workloads to run: a pattern looks among all of them."""
    return [w for w in WORKLOADS if (full or w.quick or pattern is not None) and selected(w.name, pattern)]


def present(names: list[str]) -> list[str]:
    """Those of the servers that can run here; says what is missing."""
    missing = servers.missing()
    for name in names:
        if name in missing:
            print(f"{name} is left out: {missing[name]}")
    return [name for name in names if name not in missing]


def raise_file_limit() -> None:
    """Thousands of connections need descriptors; the servers inherit the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def tick(text: str) -> None:
    """What runs at the moment, on a line that the next text replaces; only for a terminal."""
    if sys.stdout.isatty():
        print(f"\r\033[K{text}", end="", flush=True)


def run(chosen: argparse.Namespace, names: list[str], results: dict[str, dict[str, Measured]]) -> None:
    targets = GOALS[chosen.goal]
    print(report.heading())
    for workload in choose(chosen.full, chosen.only):
        base = base_of(workload.name, targets)
        results[workload.name] = measure(
            workload, names, chosen.effort, tick, BY_NAME[base] if base else None
        )
        show(workload.name, results, targets)
    if servers.OURS in names and selected(COLD_START, chosen.only):
        with tempfile.TemporaryDirectory(prefix="xend-bench-", dir=servers.SCRATCH) as scratch:
            add(cold.measure_cold_start(COLD_RUNS, Path(scratch)), results, targets)
    for nodes in sizes(chosen.full, chosen.only) if servers.OURS in names else []:
        tick(f"{RECOVERY[nodes]} and what belongs to it")
        add(restart.measure_restarts(nodes, chosen.effort.runs), results, targets)
    for clients, size in writers(chosen.only) if servers.OURS in names else []:
        tick(JOURNAL[clients, size])
        add(
            growth.measure_growth(clients, size, chosen.effort.runs, 2 * chosen.effort.seconds),
            results,
            targets,
        )


def writers(pattern: str | None) -> list[tuple[int, int]]:
    """Under which loads the journal is looked at."""
    return [each for each in WRITERS if selected(JOURNAL[each], pattern)]


def sizes(full: bool, pattern: str | None) -> list[int]:
    """How large the stores are that end and go on."""
    rows = {
        nodes: (RECOVERY[nodes], IMAGE[nodes], LIVE_UPDATE[nodes])
        for nodes in SIZES
        if full or pattern or nodes < 1_000_000
    }
    return [nodes for nodes, names in rows.items() if any(selected(name, pattern) for name in names)]


def add(
    rows: dict[str, dict[str, Measured]], results: dict[str, dict[str, Measured]], targets: Targets
) -> None:
    results.update(rows)
    for name in rows:
        show(name, results, targets)


def show(name: str, results: dict[str, dict[str, Measured]], targets: Targets) -> None:
    tick("")
    print(report.line(name, results, targets), flush=True)
    for problem in report.problems(name, results[name]):
        print(problem, flush=True)


def of_xend(chosen: argparse.Namespace) -> bool:
    """What domains and their devices cost, if that was asked for; False: it could not be measured."""
    many = ALL_DOMAINS if chosen.full else SOME_DOMAINS
    words = [f"--domains={many}"]
    failed = 0
    if selected(DOMAINS, chosen.only):
        print()
        failed |= domains.run(many, many, None, words)
    if selected(DEVICES, chosen.only):
        print()
        failed |= devices.run(many, None, words)
    return not failed


def main(words: list[str]) -> int:
    chosen = arguments(words)
    if chosen.list:
        print("\n".join(w.name + ("" if w.quick else "  (--full)") for w in WORKLOADS))
        print("\n".join(OTHER_ROWS))
        print(DOMAINS, DEVICES, sep="\n")
        return 0
    try:
        program("load"), program("null"), program("awake")
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 2
    raise_file_limit()
    if not servers.can_pin():
        print(
            "not pinned: server and load generator share cores here, which makes the figures worse and uneven"
        )
    began, origin = time.monotonic(), report.Origin.of(shlex.join(["python", "-m", "tests.bench", *words]))
    results: dict[str, dict[str, Measured]] = {}
    try:
        with servers.awake_cores():
            run(chosen, present(chosen.against), results)
    finally:  # also what there is when somebody has had enough
        files = report.write(results, GOALS[chosen.goal], origin, BUILD)
    print(f"\n{time.monotonic() - began:.0f} s; wrote {', '.join(str(file) for file in files)}")
    if servers.OURS in chosen.against and not of_xend(chosen):
        return 1
    wrong = [name for name, m in results.items() if servers.OURS in m and m[servers.OURS].failed]
    if wrong:
        print(f"our xenstored failed in: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
