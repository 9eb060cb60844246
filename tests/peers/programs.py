"""Run a command line of Debian's or ours, the same way, so that what they do can be compared."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.peers.daemons import C_XENSTORED, need
from tests.peers.debian import XEN_BIN

ROOT = Path(__file__).parents[2]
PROGRAM_SECONDS = 60
THEIRS = Path("/usr/bin")
OURS = Path(sys.executable).parent
NAMES = ("ls", "read", "write", "rm", "list", "exists", "chmod", "watch")


class Run(NamedTuple):
    """What a program did."""

    status: int
    output: bytes
    errors: bytes


def need_programs() -> None:
    """Skip, or fail if peers are required, without Debian's programs."""
    need(C_XENSTORED, XEN_BIN / "xenstore-control", *(THEIRS / f"xenstore-{name}" for name in NAMES))


def program(side: Path, name: str) -> Path:
    """Where the program is; /usr/bin/xenstore-control is a wrapper that refuses to run without Xen."""
    theirs = XEN_BIN if side == THEIRS and name == "control" else side
    return theirs / f"xenstore-{name}"


def environment(socket: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name == "LD_PRELOAD"}
    return inherited | {"XENSTORED_PATH": str(socket), "LC_ALL": "C"}


def run(side: Path, socket: Path, name: str, *arguments: str | bytes, **extra: str) -> Run:
    """Run a program of theirs or ours; in what it prints, its path is cut down to its name."""
    path = program(side, name)
    result = subprocess.run(
        [path, *arguments],
        env=environment(socket) | extra,
        capture_output=True,
        timeout=PROGRAM_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    return _seen(path, result.returncode, result.stdout, result.stderr)


def _seen(path: Path, status: int, output: bytes, errors: bytes) -> Run:
    return Run(status, output, errors.replace(os.fsencode(path.parent) + b"/", b""))


class Forked:
    """Runs our programs as `run` does, as forks of a process that has them imported: each in its own process,
    with its own environment, descriptors and exit status."""

    def __init__(self, server: subprocess.Popen[str], directory: Path) -> None:
        self._server = server
        self._output = directory / "output"
        self._errors = directory / "errors"

    def run(self, socket: Path, name: str, *arguments: str | bytes) -> Run:
        path = program(OURS, name)
        for file in (self._output, self._errors):
            file.write_bytes(b"")
        order = {
            "name": name,
            "argv": [str(path), *map(os.fsdecode, arguments)],
            "environment": environment(socket),
            "output": str(self._output),
            "errors": str(self._errors),
        }
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        status = int(self._server.stdout.readline())
        return _seen(path, status, self._output.read_bytes(), self._errors.read_bytes())


@contextmanager
def forked(directory: Path) -> Iterator[Forked]:
    """Our programs, as long as they are needed; `directory` is for what they print."""
    argv = [sys.executable, "-m", "tests.peers.forked"]
    with subprocess.Popen(
        argv,
        cwd=ROOT,
        env=environment(directory) | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        yield Forked(server, directory)
