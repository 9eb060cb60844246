"""Measuring: one run of one workload on one server, then alternating runs and their medians."""

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.programs import program
from tests.bench.servers import BARE, BASE, LOAD_CORE, NULL, OURS, SCRATCH, on_core, start
from tests.bench.workloads import Workload
from tests.peers.daemons import Daemon

#: A megabyte of memory.
MIB = 1 << 20
#: What a server may need to get ready for a workload before it counts as giving up, in seconds.
SETUP_SECONDS = 30

Figures = dict[str, float]


class Failed(Exception):
    """A run ended in an error: a wrong reply, a dead server."""


class GaveUp(Exception):
    """A server was too slow to get ready for the workload."""


@dataclass
class Measured:
    """A server's runs of one workload, `seconds` in all; `problem` says why they ended early, if they did."""

    runs: list[Figures] = field(default_factory=list)
    problem: str = ""
    failed: bool = False
    seconds: float = 0.0

    @property
    def medians(self) -> Figures:
        """The median of every figure; empty without a run."""
        names = self.runs[0] if self.runs else {}
        return {name: statistics.median(run[name] for run in self.runs) for name in names}


@dataclass(frozen=True)
class Effort:
    """How much is done for each workload and server: up to `runs` runs of `seconds`, within `budget` seconds.

    The budget counts starting and setting up: where a server needs long for these, fewer runs must do.
    """

    runs: int
    seconds: float
    budget: float


def measure(
    workload: Workload,
    servers: Sequence[str],
    effort: Effort,
    tick: Callable[[str], None],
    base: Workload | None = None,
) -> dict[str, Measured]:
    """Rounds over `servers`, one run each, so that what disturbs this machine disturbs all alike.

    base: the workload that ours is compared with, run in the same rounds, right after ours, as server BASE.
    A server that fails or gives up is not tried again.  `tick` is told what runs at the moment.
    """
    runs: dict[str, tuple[str, Workload]] = {}
    for name in servers:
        if suits(workload, name):
            runs[name] = name, workload
        if name == OURS and base is not None:
            runs[BASE] = OURS, base
    measured = {name: Measured() for name in runs}
    for number in range(effort.runs):
        for name, so_far in measured.items():
            if not so_far.problem and so_far.seconds < effort.budget:
                tick(f"{workload.name}: run {number + 1} of {effort.runs}, {name}")
                _add_run(so_far, *runs[name], effort.seconds)
    return measured


def suits(workload: Workload, server: str) -> bool:
    """Whether a server runs a workload."""
    if workload.journal:
        return server in (OURS, BARE)
    return server != BARE and (server != NULL or workload.null)


def _add_run(so_far: Measured, name: str, workload: Workload, seconds: float) -> None:
    began = time.monotonic()
    try:
        so_far.runs.append(run_once(name, workload, seconds))
    except GaveUp as error:
        so_far.problem = str(error)
    except (Failed, RuntimeError) as error:
        so_far.problem, so_far.failed = str(error), True
    so_far.seconds += time.monotonic() - began


def run_once(name: str, workload: Workload, seconds: float) -> Figures:
    """Start a server, put the workload on it, stop it.

    Returns the load generator's figures and rss_mb, grown_mb (in units of 2**20 bytes; from before the load
    until after it, with its connections still open) and, where nodes, watches or idle connections are held,
    bytes_each: what the server has grown by, divided by their number.

    Raises:
        Failed, GaveUp.
    """
    with tempfile.TemporaryDirectory(prefix="xend-bench-", dir=SCRATCH) as scratch:
        daemon = start(name, Path(scratch), workload)
        with daemon:
            return load(daemon, workload, seconds)


def load(
    daemon: Daemon, workload: Workload, seconds: float, ready: Callable[[], None] | None = None
) -> Figures:
    """Put a workload on a server that runs; `ready` is called once the load has been started."""
    before = daemon.rss
    command = [
        str(program("load")), str(daemon.socket), *workload.arguments.split(),
        f"ms={max(1, round(seconds * 1000))}", f"pid={daemon.pid}", f"limit_s={SETUP_SECONDS}",
    ]  # fmt: skip
    with on_core(LOAD_CORE):
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    # The generator bounds itself in time; it holds its connections until its input ends.
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stderr is not None
        if ready is not None:
            ready()
        line = process.stdout.readline()
        after = daemon.rss if daemon.alive else before
        process.stdin.close()
        complaint = process.stderr.read().strip()
    if process.returncode != 0:
        death = "" if daemon.alive else f"; the server has died: {daemon.stderr()[-500:]}"
        raise Failed((complaint or f"the load generator ended with status {process.returncode}") + death)
    return _figures(json.loads(line), workload, before, after)


def _figures(answer: dict[str, float | str], workload: Workload, before: int, after: int) -> Figures:
    if "gave_up" in answer:
        raise GaveUp(str(answer["gave_up"]))
    figures = {name: float(value) for name, value in answer.items()}
    if figures.get("ops_per_s"):
        figures["us_per_op"] = 1e6 / figures["ops_per_s"]
    figures["rss_mb"] = after / MIB
    figures["grown_mb"] = (after - before) / MIB
    held = sum(workload.number(name, 0) for name in ("nodes", "watches", "idle"))
    if held:
        figures["bytes_each"] = (after - before) / held
    return figures
