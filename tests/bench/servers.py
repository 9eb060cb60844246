"""The servers that are compared, each started fresh for a run, and the cores they and their load run on."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench.programs import program
from tests.bench.workloads import Workload
from tests.peers.daemons import C_XENSTORED, O_XENSTORED, Daemon, start_c, start_o, start_ours
from tests.peers.debian import SYSTEM_PACKAGE, VERSION

OURS, NULL, BARE = "ours", "null", "no-journal"
#: Not a server of its own: ours with the workload that a row is compared with.
BASE = "base"
#: oxenstored is clearly slower with its access log, which Debian's start script leaves on: both count.
PEERS = ("c", "o", "o-nolog")
NAMES = {
    "ours": "xenstored of this project",
    "c": f"C xenstored {VERSION}",
    "o": f"oxenstored {VERSION}, access log on",
    "o-nolog": f"oxenstored {VERSION}, access log off",
    "null": "null server",
    "no-journal": "xenstored of this project, --no-journal",
}

#: Where run directories are made: in memory, as /var/run mostly is; None: wherever temporary files are.
MEMORY = Path("/dev/shm")
SCRATCH = MEMORY if os.access(MEMORY, os.W_OK) else None

SERVER_CORE, LOAD_CORE = 0, 1
#: How long a server is left alone before its load: ours answers before it has imported all of itself.  What a
#: client notices of that belongs to the rows of recovery.
SETTLING_SECONDS = 0.5


def missing() -> dict[str, str]:
    """Peers that cannot run here, each with what to install."""
    absent: dict[str, str] = {}
    if not C_XENSTORED.exists():
        absent["c"] = f"{C_XENSTORED} is not there: install Debian's {SYSTEM_PACKAGE}"
    if not O_XENSTORED.exists() or not shutil.which("unshare"):
        reason = f"{O_XENSTORED} or unshare is not there: install Debian's {SYSTEM_PACKAGE} and util-linux"
        absent["o"] = absent["o-nolog"] = reason
    return absent


def start(name: str, rundir: Path, workload: Workload) -> Daemon:
    """One of NAMES, running and at rest on `rundir`, pinned where the system allows it."""
    starters: dict[str, Callable[[], Daemon]] = {
        "ours": lambda: start_ours(rundir),
        "c": lambda: start_c(rundir),
        "o": lambda: start_o(rundir, access_log=True),
        "o-nolog": lambda: start_o(rundir, access_log=False),
        "null": lambda: start_null(rundir, workload),
        "no-journal": lambda: start_ours(rundir, "--no-journal"),
    }
    with on_core(SERVER_CORE):
        daemon = starters[name]()
    time.sleep(SETTLING_SECONDS)
    return daemon


def start_null(rundir: Path, workload: Workload) -> Daemon:
    """The null server, with the replies that the workload expects."""
    rundir.mkdir(parents=True, exist_ok=True)
    listing = sum(len(str(i)) + 1 for i in range(workload.number("children", 10)))
    fan_out = ["fanout"] if workload.kind == "fanout" else []
    command = [str(program("null")), str(rundir / "socket"), str(min(listing, 4096)), *fan_out]
    return Daemon(NULL, rundir, command)


def can_pin() -> bool:
    """Whether server and load generator can be kept on cores of their own here."""
    return hasattr(os, "sched_setaffinity") and {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0)


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started inside inherits this core; nothing happens where pinning is not possible."""
    if not can_pin():
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def awake_cores() -> Iterator[None]:
    """Both cores never sleep inside: else a virtual machine's figures are those of its host's waking them.

    A program of the lowest priority spins on each.  Nothing happens where the system has no such priority.
    """
    with contextlib.ExitStack() as stack:
        if can_pin() and hasattr(os, "SCHED_IDLE"):
            for core in (SERVER_CORE, LOAD_CORE):
                with on_core(core):
                    spinning = stack.enter_context(
                        subprocess.Popen([program("awake")], stdin=subprocess.PIPE)
                    )
                os.sched_setscheduler(spinning.pid, os.SCHED_IDLE, os.sched_param(0))
        yield
