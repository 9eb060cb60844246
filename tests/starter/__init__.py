"""Installed programs whose starts cost little: `tests.starter.server` has them imported, and forks.

What tests see of a program is that of a process of its own.  What differs: its parent is the server, and who
started it has a process that stands for it, whose end follows the program's.
"""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.starter.forked import Forked

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SOURCE = HERE / "python.c"


class Starter:
    """A server, and the interpreter that hands over to it.

    Attributes:
        bin: the directory of the programs.
        python: the interpreter among them, to be used in the place of sys.executable.
    """

    def __init__(self) -> None:
        self._top = Path(tempfile.mkdtemp(prefix="starter-"))
        self.bin = self._top
        self.python = self.bin / "python3"
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-O1", "-Wall", "-Werror", "-o", self.python, SOURCE], check=True)
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.starter.server", socket_of(self.python)],
            cwd=ROOT,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # an interrupt typed at the tests is theirs
        )
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == b"up\n"
        for name in programs():
            path = self.bin / name
            path.write_text(script(name, str(self.python)))
            path.chmod(0o755)

    def close(self) -> None:
        """End it, and the programs that somebody waits for."""
        self._server.communicate()
        shutil.rmtree(self._top)


@functools.cache
def shared() -> Starter:
    """The one of this process, which is begun when it is first needed."""
    return Starter()


def interpreter() -> str:
    """One that hands over; where there is no server (it needs Linux), the tests' own."""
    return str(shared().python) if sys.platform == "linux" else sys.executable


def fork(
    argv: Sequence[str | Path], environment: Mapping[str, str] | None = None, output: int | None = None
) -> "Forked | subprocess.Popen[bytes]":
    """A program like `[sys.executable, *argv]`, with no input, and an output or this process's own."""
    if sys.platform != "linux":
        streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
        return subprocess.Popen([sys.executable, *argv], env=environment, **streams)
    return Forked(socket_of(shared().python), [sys.executable, *argv], environment, output)


def socket_of(python: Path) -> Path:
    """Where the server listens for an interpreter."""
    return python.with_name(f"{python.name}.socket")


def programs() -> dict[str, str]:
    """Every program by its name: the module and function that it calls."""
    table: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    return table


def script(name: str, python: str) -> str:
    """A program as an installation has it."""
    module, function = programs()[name].split(":")
    return f"#!{python} -P\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"
