"""A store that ends and goes on: how long recovery takes and what it needs, and what clients notice.

For each size a store is filled once and killed.  Each run recovers it, beside an empty start, then looks at
what a client that reads one node after another notices of the image that every recovered journal begins
with, and of a live update.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.measure import MIB, Failed, Figures, GaveUp, Measured, load
from tests.bench.servers import OURS, SCRATCH, SERVER_CORE, on_core
from tests.bench.workloads import IMAGE, LIVE_UPDATE, RECOVERY, Workload
from tests.peers.daemons import Daemon, start_ours
from tests.peers.wire import Wire
from xenstore.wire import MessageType

READ = Workload("read", "read clients=1")
PROGRAM = Path(sys.executable).with_name("xenstored")
#: How long a client reads while an image is written: a second and a half more for every million nodes.
READ_SECONDS = 1.0
BEFORE_UPDATE_SECONDS = 0.3


def measure_restarts(nodes: int, runs: int) -> dict[str, dict[str, Measured]]:
    """The rows of one size; of each, the figures of every run.

    recovery: ms (from executing the program to its first answer), rss_mb (then), and the same less those of
    an empty start: extra_ms, extra_mb; image: max_us of a read; live update: pause_ms of a reader.
    """
    rows = {name: {OURS: Measured()} for name in (RECOVERY[nodes], IMAGE[nodes], LIVE_UPDATE[nodes])}
    with tempfile.TemporaryDirectory(prefix="xend-bench-", dir=SCRATCH) as scratch:
        try:
            _fill(Path(scratch, "full"), nodes)
            for _ in range(runs):
                for name, figures in zip(rows, _run(Path(scratch), nodes), strict=True):
                    rows[name][OURS].runs.append(figures)
        except (Failed, GaveUp, RuntimeError, OSError) as error:
            for row in rows.values():
                row[OURS].problem, row[OURS].failed = str(error), True
    return rows


def _fill(rundir: Path, nodes: int) -> None:
    with killed(rundir) as (daemon, _):
        load(daemon, Workload("", f"hold nodes={nodes}"), 1)


def _run(scratch: Path, nodes: int) -> tuple[Figures, Figures, Figures]:
    shutil.rmtree(scratch / "empty", ignore_errors=True)
    with killed(scratch / "empty") as (daemon, took):
        empty = {"ms": took, "rss_mb": daemon.rss / MIB}
    with killed(scratch / "full") as (daemon, took):
        full = {"ms": took, "rss_mb": daemon.rss / MIB}
        seconds = READ_SECONDS * (1 + 1.5 * nodes / 1e6)
        beside_image = load(daemon, READ, seconds)
        updated = load(daemon, READ, BEFORE_UPDATE_SECONDS + 2 * seconds, lambda: live_update(daemon))
    extra = {"extra_ms": full["ms"] - empty["ms"], "extra_mb": full["rss_mb"] - empty["rss_mb"]}
    updated["pause_ms"] = updated["max_us"] / 1000
    return full | extra, beside_image, updated


@contextmanager
def killed(rundir: Path) -> Iterator[tuple[Daemon, float]]:
    """Ours, started, and the milliseconds until it answered; it is killed at the end."""
    began = time.perf_counter()
    with on_core(SERVER_CORE):
        daemon = start_ours(rundir)
    try:
        yield daemon, (time.perf_counter() - began) * 1000
    finally:
        daemon.kill()


def live_update(daemon: Daemon) -> None:
    """Have a server replaced by the same program; returns when the new one has answered.

    Raises:
        Failed: it goes on as it was.
    """
    time.sleep(BEFORE_UPDATE_SECONDS)
    with Wire(daemon.socket) as wire:
        for words in (f"-f\0{PROGRAM}", "-s"):
            reply = wire.request(MessageType.CONTROL, f"live-update\0{words}\0".encode())
            if reply.payload != b"OK\0":
                raise Failed(f"live update: {reply.payload!r}")
