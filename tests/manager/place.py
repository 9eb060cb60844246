"""A simulated host of its own for a test: a directory, the real xend in it, and the command lines.

Readiness is the daemon's own word: the process that started it ends.  An end is seen by what ends with a
process: its connections and the lock on its pid file.
"""

import fcntl
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.peers.process import Watchdog
from xenclient.store.blocking import Client as StoreClient
from xenclient.xend.blocking import Client
from xenclient.xend.errors import BusError
from xend.demo.__main__ import furnish, options
from xend.simulator.__main__ import PID_FILE
from xenstore.errors import ENOENT

BIN = Path(sys.executable).parent
XEND = [sys.executable, "-m", "xend"]
PATIENCE_SECONDS = 60.0

DOMAIN = """
name = "{name}"
kernel = "/netbsd-XEN3_DOMU.gz"
memory = 32
disk = [ 'file:/n0/xen/foo-wd0,0x0,w' ]
vif = [ 'bridge=bridge0' ]
"""
#: Backends of such a domain, below /local/domain/0/backend.
BACKENDS = ("vbd/{domid}/0", "vif/{domid}/0")
#: Directories of all domains' nodes, which stay when the last one goes, as they do with libxl.
TOPS = {"/vm", "/libxl", "/local/domain/0/backend"} | {
    f"/local/domain/0/backend/{kind}" for kind in ("vif", "vbd", "console")
}


class Place:
    """A host's directory.

    Attributes:
        environment: of every program that is run here.
        pid: of the xend that runs in the background; None: none does.
    """

    def __init__(self, top: Path) -> None:
        self.top = top
        self.socket = top / "socket"
        self.store_socket = top / "xenstored/socket"
        self.pid_file = top / "pid"
        self.log_file = top / "log/xend.log"
        self.scripts = top / "etc/scripts"
        self.pid: int | None = None
        self._watchdogs: dict[int, Watchdog] = {}
        furnish(top, BIN)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XEN", "NOTIFY_"))}
        self.environment = kept | {
            "LC_ALL": "C",
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "XEND_SOCKET": str(self.socket),
            "XEND_CONFIG_DIR": str(top / "etc"),
            "XENSTORED_PATH": str(self.store_socket),
        }

    # --- xend -----------------------------------------------------------------------------------------

    def command(self, *more: str) -> list[str]:
        """argv of xend here; options given again win."""
        return [*XEND, *options(self.top), "--pid-file", str(self.pid_file), *more]

    def run(self, *more: str, failpoint: str | None = None, **how: Any) -> subprocess.CompletedProcess[str]:
        """Runs xend until its caller's process ends: at once, unless it stays in the foreground."""
        extra = {} if failpoint is None else {"XEND_FAILPOINT": failpoint}
        argv = how.pop("argv", None) or self.command(*more)
        done = subprocess.run(
            argv,
            env=self.environment | extra,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            **how,
        )
        self._guard_host()
        if done.returncode == 0 and self.pid_file.exists():
            self.pid = int(self.pid_file.read_text())
            self._guard(self.pid)
        return done

    def start(self, *more: str, failpoint: str | None = None, **how: Any) -> int:
        """A xend that answers; returns its process id."""
        done = self.run(*more, failpoint=failpoint, **how)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert self.pid is not None
        return self.pid

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Send xend a signal and wait for its end."""
        assert self.pid is not None
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)
        self.await_end()

    def await_end(self) -> None:
        """Returns once xend has ended, whatever ended it."""
        assert self.pid is not None
        await_release(self.socket, self.pid_file)
        self._dismiss(self.pid)
        self.pid = None

    def kill(self) -> None:
        """End xend as a crash would."""
        self.stop(signal.SIGKILL)

    def log(self) -> str:
        """What xend has logged."""
        return self.log_file.read_text()

    def clean_up(self) -> None:
        """End xend, and the simulated host with all its domains."""
        if self.pid is not None:
            self.kill()
        self.power_off()

    def power_off(self) -> None:
        """End the simulated host, if it runs."""
        pid_file, pid = self.top / "sim" / PID_FILE, self.host_pid()
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            await_release(self.top / "sim/host.socket", pid_file)
        for pid in list(self._watchdogs):
            self._dismiss(pid)

    def host_pid(self) -> int | None:
        """Process id of the simulated host; None: it does not run."""
        try:
            return int((self.top / "sim" / PID_FILE).read_text())
        except (FileNotFoundError, ValueError):
            return None

    def _guard_host(self) -> None:
        pid = self.host_pid()
        if pid is not None:
            self._guard(pid)

    def _guard(self, pid: int) -> None:
        if pid not in self._watchdogs:
            self._watchdogs[pid] = Watchdog(pid)

    def _dismiss(self, pid: int) -> None:
        if pid in self._watchdogs:
            self._watchdogs.pop(pid).dismiss()

    # --- its clients ----------------------------------------------------------------------------------

    def client(self) -> Client:
        """A connection to xend."""
        return Client(str(self.socket), timeout=PATIENCE_SECONDS)

    def store(self) -> StoreClient:
        """A connection to the store."""
        return StoreClient(str(self.store_socket), timeout=PATIENCE_SECONDS)

    def tool(self, *argv: str, **how: Any) -> subprocess.CompletedProcess[str]:
        """Runs a command line of this project's: xl, xenstore-ls."""
        return subprocess.run(
            [str(BIN / argv[0]), *argv[1:]],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            cwd=self.top,
            **how,
        )

    def said(self, *argv: str) -> str:
        """What a command line prints that succeeds without a complaint."""
        done = self.tool(*argv)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    # --- domains --------------------------------------------------------------------------------------

    def create(self, name: str, *extra: str) -> int:
        """The domid of a new domain whose devices are connected."""
        with self.client() as client:
            domid: int = client.create(DOMAIN.format(name=name), extra=extra)["domid"]
        self.await_connected(domid)
        return domid

    def await_connected(self, domid: int) -> None:
        """Returns once the devices of such a domain are connected."""
        for backend in BACKENDS:
            self.await_node(f"/local/domain/0/backend/{backend.format(domid=domid)}/state", b"4")

    def await_node(self, path: str, *wanted: bytes | None) -> None:
        """Returns once a node of the store has one of these values; None: once it is not there."""
        with self.store() as store, store.watch(path) as watch:
            while read(store, path) not in wanted:
                assert watch.next(PATIENCE_SECONDS)

    def nodes(self) -> list[str]:
        """Everything in the store, as xenstore-ls -f prints it; less the directories of TOPS."""
        return [
            line for line in self.said("xenstore-ls", "-f").splitlines() if line.split(" =")[0] not in TOPS
        ]

    def domains(self) -> list[tuple[object, ...]]:
        """What stays the same of each domain, as long as nothing happens to it."""
        with self.client() as client:
            return [
                (each["domid"], each["name"], each["uuid"], each["state"], each["start_time"], each["devices"])
                for each in client.domains()
            ]

    def files(self) -> list[str]:
        """xend's files of domains."""
        return sorted(os.listdir(self.top / "domains"))

    def free_kib(self) -> int:
        """Memory of the host that no domain has."""
        with self.client() as client:
            free: int = client.host_info()["free_memory_kib"]
            return free

    def snapshot(self) -> tuple[object, ...]:
        """Everything that a domain could leave behind."""
        return self.nodes(), self.domains(), self.files(), self.free_kib()

    def settle(self) -> None:
        """Returns once no operation runs; each is waited for, whatever becomes of it."""
        with self.client() as client:
            while running := [each for each in client.operations() if each["state"] in ("running", "undoing")]:
                for each in running:
                    outcome(client, each["operation"])


def outcome(client: Client, operation: str) -> str:
    """The state in which an operation ends."""
    with suppress(BusError):
        client.operation_wait(operation)
    state: str = client.operation(operation)["state"]
    return state


def read(store: StoreClient, path: str) -> bytes | None:
    """A node's value; None: it is not there."""
    try:
        return store.read(path)
    except ENOENT:
        return None


def await_release(path: Path, pid_file: Path) -> None:
    """Returns once nobody serves a socket and the process that held a pid file has ended."""
    try:
        held = os.open(pid_file, os.O_RDWR)
    except FileNotFoundError:
        return
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(PATIENCE_SECONDS)
            with suppress(ConnectionRefusedError, FileNotFoundError, ConnectionResetError):
                probe.connect(str(path))
                assert probe.recv(1) == b"", "it said something"
        fcntl.lockf(held, fcntl.LOCK_EX)
    finally:
        os.close(held)
