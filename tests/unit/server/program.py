"""xenstored as a process, in a run directory of its own."""

import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.server.clients import read_request
from xenstore.wire import HEADER, HEADER_SIZE, MessageType

PROGRAM = ["-m", "xenstore.server"]
NOBODY = 65534
#: Runs as NOBODY from the moment everything is imported: the interpreter may lie where only root can read.
PROGRAM_AS_NOBODY = [
    "-c",
    "import os, sys, xenstore.server.background, xenstore.server.main as program; "
    f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY}); sys.exit(program.main(sys.argv[1:]))",
]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")


class Place:
    """A run directory, and the daemons started in it."""

    def __init__(self, directory: Path, python: str) -> None:
        self.python = python
        self.directory = directory
        self.rundir = directory / "r"
        self.socket = self.rundir / "socket"
        self.pid_file = directory / "pid"
        self.trace = directory / "trace"
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("XENSTORED_")}
        self.pids: list[int] = []

    def arguments(self, *more: str, as_nobody: bool = False) -> list[str]:
        program = PROGRAM_AS_NOBODY if as_nobody else PROGRAM
        return [self.python, *program, "--rundir", str(self.rundir), *more]

    def run(self, *more: str, as_nobody: bool = False, **how: Any) -> subprocess.CompletedProcess[str]:
        """Runs the program until its caller's process ends: at once, unless it stays in the foreground."""
        done = subprocess.run(
            self.arguments(*more, as_nobody=as_nobody),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            **how,
        )
        if done.returncode == 0 and self.pid_file.exists():
            self.pids.append(int(self.pid_file.read_text()))
        return done

    def start(self, *more: str, **how: Any) -> int:
        """A daemon; returns its process id."""
        done = self.run("-F", str(self.pid_file), *more, **how)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        return self.pids[-1]

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Sends a signal and waits for the end, which closes the connection."""
        with self.connect() as client:
            os.kill(self.pids.pop(), number)
            assert ended(client)

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(30)
        client.connect(str(self.socket))
        return client

    def ask(self, message: bytes) -> tuple[int, bytes]:
        """(type, payload) of the reply to one request."""
        with self.connect() as client:
            client.sendall(message)
            header = client.recv(HEADER_SIZE, socket.MSG_WAITALL)
            type, _, _, size = HEADER.unpack(header)
            return type, client.recv(size, socket.MSG_WAITALL) if size else b""

    def answers(self) -> bool:
        return self.ask(read_request())[0] == MessageType.READ

    def left(self) -> list[str]:
        """What is in the run directory, its lock aside."""
        return sorted(set(os.listdir(self.rundir)) - {"socket.lock"})


def ended(client: socket.socket) -> bool:
    """Waits for the other end to close; a reset means that it had not read, or accepted, everything."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True
