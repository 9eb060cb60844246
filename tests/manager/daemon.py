"""A daemon in the background.

Readiness is its own word: the process that started it ends.  An end is seen by what ends with a process: its
connections and the lock on its pid file.
"""

import fcntl
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.peers.process import Watchdog

PATIENCE_SECONDS = 180.0


class Daemon:
    """One that serves a socket and holds a pid file; ends with the tests, however they end.

    Attributes:
        argv: what starts it.
        pid: None: it does not run.
    """

    def __init__(
        self, argv: Sequence[str], socket_path: Path, pid_file: Path, environment: Mapping[str, str]
    ) -> None:
        self.argv = argv
        self.socket = socket_path
        self.pid_file = pid_file
        self.pid: int | None = None
        self._environment = environment
        self._watchdog: Watchdog | None = None

    def run(
        self, *more: str, argv: Sequence[str] | None = None, **how: Any
    ) -> subprocess.CompletedProcess[str]:
        """Runs it until its caller's process ends: at once, unless it stays in the foreground."""
        extra = how.pop("env", {})
        done = subprocess.run(
            [*(argv or self.argv), *more],
            env={**self._environment, **extra},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            **how,
        )
        self.adopt()
        return done

    def start(self, *more: str, **how: Any) -> int:
        """One that answers; returns its process id."""
        done = self.run(*more, **how)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done
        assert self.pid is not None
        return self.pid

    def adopt(self) -> int | None:
        """Know the one that runs, whoever started it; its process id."""
        try:
            pid = int(self.pid_file.read_text())
        except (OSError, ValueError):
            return None
        if self.pid is None and _is_alive(pid):
            self.pid = pid
            self._watchdog = Watchdog(pid)
        return self.pid

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Send a signal and wait for the end."""
        assert self.pid is not None
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)
        self.await_end()

    def kill(self) -> None:
        """End it as a crash would."""
        self.stop(signal.SIGKILL)

    def await_end(self) -> None:
        """Returns once it has ended, whatever ended it."""
        await_release(self.socket, self.pid_file)
        if self._watchdog is not None:
            self._watchdog.dismiss()
        self.pid = self._watchdog = None

    def clean_up(self, number: int = signal.SIGKILL) -> None:
        """End it if it runs."""
        if self.adopt() is not None:
            self.stop(number)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


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
