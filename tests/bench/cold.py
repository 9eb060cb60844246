"""What a cold xenstore-read costs, by hand and as hotplug scripts find it, several for each event."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.measure import Measured
from tests.bench.servers import start
from tests.bench.workloads import COLD_PYTHON, COLD_SCRIPT, COLD_START, WORKLOADS
from xend.device.scripts import QUICK

PATH = "/tool"


def commands() -> dict[tuple[str, str], list[str]]:
    """What is compared, by row and server: bare Python, our xenstore-read, Debian's where it is installed."""
    found = {
        (COLD_PYTHON, "ours"): [sys.executable, "-c", "pass"],
        (COLD_START, "ours"): [str(Path(sys.executable).with_name("xenstore-read")), PATH],
    }
    debian = shutil.which("xenstore-read", path="/usr/bin:/usr/sbin:/bin:/sbin")
    if debian:
        found[COLD_START, "c"] = [debian, PATH]
    # After Debian's: what follows on a start of Python finds the processor's caches full of that.
    found[COLD_SCRIPT, "ours"] = [str(Path(QUICK, "xenstore-read")), PATH]
    if debian:
        found[COLD_SCRIPT, "c"] = [debian, PATH]
    return found


def measure_cold_start(runs: int, rundir: Path) -> dict[str, dict[str, Measured]]:
    """Rows with the figure `ms`: the wall time of each command against our xenstored, alternating."""
    rows: dict[str, dict[str, Measured]] = {COLD_PYTHON: {}, COLD_START: {}, COLD_SCRIPT: {}}
    with start("ours", rundir, WORKLOADS[0]) as daemon:
        for _ in range(runs):
            for (row, server), command in commands().items():
                _time(rows[row].setdefault(server, Measured()), command, str(daemon.socket))
    return rows


def _time(measured: Measured, command: list[str], socket: str) -> None:
    if measured.problem:
        return
    began = time.perf_counter()
    done = subprocess.run(command, env={"XENSTORED_PATH": socket}, capture_output=True, text=True)
    took = time.perf_counter() - began
    if done.returncode == 0:
        measured.runs.append({"ms": took * 1000})
    else:
        measured.problem, measured.failed = (
            f"exit status {done.returncode}: {done.stderr.strip()[-300:]}",
            True,
        )
