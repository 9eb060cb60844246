"""What a cold xenstore-read costs: hotplug scripts call it five times per event."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.measure import Measured
from tests.bench.servers import start
from tests.bench.workloads import WORKLOADS

PATH = "/tool"


def commands() -> dict[str, list[str]]:
    """What is compared: bare Python, our xenstore-read, Debian's where it is installed."""
    found = {
        "python": [sys.executable, "-c", "pass"],
        "ours": [str(Path(sys.executable).with_name("xenstore-read")), PATH],
    }
    debian = shutil.which("xenstore-read", path="/usr/bin:/usr/sbin:/bin:/sbin")
    if debian:
        found["c"] = [debian, PATH]
    return found


def measure_cold_start(runs: int, rundir: Path) -> dict[str, Measured]:
    """Figure `ms`: the wall time of each command against our xenstored, alternating, one run each."""
    measured = {name: Measured() for name in commands()}
    with start("ours", rundir, WORKLOADS[0]) as daemon:
        for _ in range(runs):
            for name, command in commands().items():
                _time(measured[name], command, str(daemon.socket))
    return measured


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
