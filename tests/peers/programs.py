"""Run a command line of Debian's or ours, the same way, so that what they do can be compared."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.peers.daemons import C_XENSTORED, need
from tests.peers.debian import XEN_BIN

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
    prefix = os.fsencode(path.parent) + b"/"
    return Run(result.returncode, result.stdout, result.stderr.replace(prefix, b""))
