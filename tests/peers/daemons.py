"""Start and stop xenstored: this project's, Debian's C xenstored, Debian's oxenstored.

Debian's two run without a hypervisor, thanks to `preload.c`; their request path is their own.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

import pytest

from tests.peers.debian import SYSTEM_PACKAGE, XEN_BIN
from tests.peers.process import Watchdog, cpu_seconds, rss_bytes
from tests.peers.wire import Closed, Wire
from tests.starter import fork
from tests.starter.forked import Forked

ROOT = Path(__file__).parents[2]
C_XENSTORED = XEN_BIN / "xenstored"
O_XENSTORED = XEN_BIN / "oxenstored"

START_SECONDS = 60.0
STOP_SECONDS = 60.0


def need(*programs: Path) -> None:
    """Skip the calling test when a program is missing here, or fail it when XEND_REQUIRE_PEERS=1."""
    missing = [str(program) for program in programs if not shutil.which(program)]
    if missing:
        lacking(
            f"not installed: {', '.join(missing)} (Debian: {SYSTEM_PACKAGE}, xenstore-utils, gcc, util-linux)"
        )


def lacking(reason: str) -> NoReturn:
    """Skip the calling test for a reason, or fail it when XEND_REQUIRE_PEERS=1."""
    if os.environ.get("XEND_REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


class Daemon:
    """A running xenstored; a context manager that stops it.

    Attributes:
        name: "ours", "c" or "o".
        socket: what clients connect to.
        rundir: its run directory; standard error is in `rundir/stderr`.
        guests: where the guests have their pages, see `ring.py`.
        pid: process id.
    """

    def __init__(
        self,
        name: str,
        rundir: Path,
        command: Sequence[str | Path],
        environment: Mapping[str, str] = MappingProxyType({}),
        is_forked: bool = False,
    ) -> None:
        self.name = name
        self.rundir = rundir
        self.socket = rundir / "socket"
        self.guests = rundir / "guests"
        self.guests.mkdir(exist_ok=True)
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("XENSTORED_")}
        variables = {**inherited, **environment, "XENSTORED_GUESTS": str(self.guests)}
        self._process: subprocess.Popen[bytes] | Forked
        with open(rundir / "stderr", "ab") as errors:
            if is_forked:
                self._process = fork(command[1:], variables, errors.fileno())
            else:
                self._process = subprocess.Popen(
                    command,
                    env=variables,
                    stdin=subprocess.DEVNULL,
                    stdout=errors,
                    stderr=errors,
                )
        self.pid = self._process.pid
        self._watchdog = Watchdog(self.pid)
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.kill()
            raise

    @property
    def rss(self) -> int:
        """Resident memory in bytes."""
        return rss_bytes(self.pid)

    @property
    def cpu(self) -> float:
        """CPU time used so far, in seconds."""
        return cpu_seconds(self.pid)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def stderr(self) -> str:
        """All that the daemon has printed."""
        return (self.rundir / "stderr").read_text(errors="replace")

    def stop(self) -> int:
        """End it by SIGTERM, or SIGKILL if it takes too long; returns its exit status (-9 for SIGKILL)."""
        self._watchdog.dismiss()
        self._process.terminate()
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would."""
        self._watchdog.dismiss()
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self.alive and time.monotonic() < deadline:
            with contextlib.suppress(OSError, Closed), Wire(self.socket) as wire:
                wire.drain()
                return
            time.sleep(0.01)
        state = "does not answer" if self.alive else f"ended with status {self._process.returncode}"
        raise RuntimeError(f"{self.name}: xenstored on {self.rundir} {state}:\n{self.stderr()}")


def start_ours(rundir: Path, *options: str, is_forked: bool = False) -> Daemon:
    """This project's xenstored on `rundir`, created if need be.

    is_forked: started by tests/starter, which costs little; for tests that do not look at the start.
    """
    rundir.mkdir(parents=True, exist_ok=True)
    rundir = rundir.absolute()
    command: list[str | Path] = [sys.executable, "-m", "xenstore.server", "--no-fork", "--rundir", rundir]
    command += ["--platform", f"sim:{rundir / 'guests'}", *options]
    return Daemon("ours", rundir, command, is_forked=is_forked)


def start_c(rundir: Path, *options: str) -> Daemon:
    """Debian's C xenstored on `rundir`, created if need be."""
    need(C_XENSTORED, Path("cc"))
    (rundir / "lib").mkdir(parents=True, exist_ok=True)
    rundir = rundir.absolute()
    command: list[str | Path] = [C_XENSTORED, "-N", "-F", rundir / "pid", *options]
    paths = {"XENSTORED_RUNDIR": str(rundir), "XENSTORED_ROOTDIR": str(rundir / "lib")}
    return Daemon("c", rundir, command, {"LD_PRELOAD": preloaded(), **paths})


#: Its socket is compiled in as /var/run/xenstored/socket.  A tmpfs of its own over /run (where /var/run
#: points) leaves the host's untouched and vanishes with the process; the run directory is the working
#: directory, so that one below /run is still reached.
_O_MOUNTS = """
cd "$1" && mount -t tmpfs tmpfs /run && mkdir -p /var/run/xenstored /var/run/xen &&
mount --bind . /var/run/xenstored &&
export LD_PRELOAD="$2" && shift 2 && exec "$@"
"""


def start_o(rundir: Path, access_log: bool = False, settings: Mapping[str, object] | None = None) -> Daemon:
    """Debian's oxenstored on `rundir`; `settings` overrule those of oxenstored.conf.

    It is clearly faster without its access log, which Debian's start script leaves on.
    """
    need(O_XENSTORED, Path("cc"), Path("unshare"))
    rundir.mkdir(parents=True, exist_ok=True)
    rundir = rundir.absolute()
    config = (
        _O_CONFIG
        | dict(settings or {})
        | {
            "pid-file": rundir / "pid",
            "xenstored-log-file": rundir / "log",
            "access-log-file": rundir / "access.log",
        }
    )
    path = rundir / "oxenstored.conf"
    path.write_text("".join(f"{key} = {value}\n" for key, value in config.items()))
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    log = [] if access_log else ["--no-access-log"]
    daemon: list[str | Path] = [O_XENSTORED, "--no-fork", "--config-file", path, *log]
    command: list[str | Path] = [*unshare, "sh", "-c", _O_MOUNTS, "oxenstored", rundir, preloaded(), *daemon]
    return Daemon("o", rundir, command)


#: Debian's oxenstored.conf, less the files it names.
_O_CONFIG: dict[str, object] = {
    "test-eagain": "false",
    "merge-activate": "true",
    "perms-activate": "true",
    "perms-watch-activate": "true",
    "quota-activate": "true",
    "quota-maxentity": 1000,
    "quota-maxsize": 2048,
    "quota-maxwatch": 100,
    "quota-transaction": 10,
    "quota-maxrequests": 1024,
    "quota-path-max": 1024,
    "quota-maxoutstanding": 1024,
    "quota-maxwatchevents": 1024,
    "conflict-burst-limit": 5.0,
    "conflict-max-history-seconds": 0.05,
    "conflict-rate-limit-is-aggregate": "true",
    "persistent": "false",
    "xenstored-kva": "/proc/xen/xsd_kva",
    "xenstored-port": "/proc/xen/xsd_port",
}


def preloaded(name: str = "preload") -> str:
    """The path of a preload library of ours, compiled if it is missing or older than its source."""
    source = Path(__file__).with_name(f"{name}.c")
    library = ROOT / "build" / "peers" / f"{name}.so"
    if not library.exists() or library.stat().st_mtime < source.stat().st_mtime:
        library.parent.mkdir(parents=True, exist_ok=True)
        fresh = library.with_suffix(f".{os.getpid()}")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", fresh, source], check=True)
        fresh.replace(library)
    return str(library)
