"""The simulated host as a process, and xenstored beside it."""

import os
import select
import signal
import subprocess
from pathlib import Path

from tests.starter import fork
from tests.starter.forked import Forked

ANSWER_SECONDS = 60


class Process:
    """A program in the foreground, killed at the end if it still runs."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = ["-m", *arguments]
        self._process: Forked | subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, socket: Path) -> None:
        """Returns once its socket is there."""
        self._process = fork(self._arguments)
        _await_socket(socket, self._process)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; returns how it ended."""
        assert self._process is not None
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Returns how it ended."""
        assert self._process is not None
        status = self._process.wait(ANSWER_SECONDS)
        self._process = None
        return status

    def clean_up(self) -> None:
        if self._process is not None:
            self.end(signal.SIGKILL)


class HostProcess(Process):
    """A host in a directory."""

    def __init__(self, directory: Path, *options: str) -> None:
        super().__init__("xend.simulator", str(directory), "--no-fork", "--seed", "1", *options)
        self.directory = directory
        self.socket = directory / "host.socket"

    def start(self, socket: Path | None = None) -> None:
        super().start(socket or self.socket)


class StoreProcess(Process):
    """xenstored for the domains of such a host."""

    def __init__(self, rundir: Path, host: Path) -> None:
        super().__init__("xenstore.server", "--no-fork", "--rundir", str(rundir), "--platform", f"sim:{host}")
        self.socket = rundir / "socket"

    def start(self, socket: Path | None = None) -> None:
        super().start(socket or self.socket)


def _await_socket(path: Path, process: "Forked | subprocess.Popen[bytes]") -> None:
    """Waits until somebody listens there: a look every few milliseconds, as long as the process lives."""
    import socket as sockets
    import time

    end = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, "it ended as it started"
        with sockets.socket(sockets.AF_UNIX) as probe:
            if probe.connect_ex(os.fspath(path)) == 0:
                return
        select.select([], [], [], 0.005)
    raise AssertionError(f"nobody listens at {path}")
