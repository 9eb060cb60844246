"""An installation: an interpreter of its own, which has what xend needs and knows nothing of this tree."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from contrib.install.wheel import Wheel
from tests.manager.place import clean_environment

TREE = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 300.0


class Site:
    """What lies below a directory: prefix/, etc/ for configuration, var/, and stage/, where it was put first.

    Attributes:
        environment: of every program that is run here; nothing in it leads to the tree.
    """

    def __init__(self, top: Path) -> None:
        self.top = top
        self.prefix = top / "p"
        self.etc = top / "etc"
        self.var = top / "var"
        self.stage = top / "stage"
        self.python = self.prefix / "bin/python"
        self.environment = clean_environment() | {
            "PATH": f"{self.prefix}/bin:{self.prefix}/sbin:/usr/bin:/bin:/usr/sbin:/sbin"
        }
        for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
            self.environment.pop(name, None)
        make = [sys.executable, "-m", "venv", "--without-pip", str(self.prefix)]
        subprocess.run(make, check=True, timeout=PATIENCE_SECONDS)

    @property
    def modules(self) -> Path:
        """Where its interpreter looks for them."""
        (found,) = self.prefix.glob("lib/python3*/site-packages")
        return found

    def options(self) -> list[str]:
        """Of the installer; nothing outside this directory is written."""
        where = {
            "--prefix": self.prefix,
            "--sysconfdir": self.etc,
            "--varbase": self.var,
            "--python": self.python,
            "--destdir": self.stage,
        }
        return [str(word) for pair in where.items() for word in pair]

    def install(self, *more: str) -> "subprocess.CompletedProcess[str]":
        """Runs the installer, as `make install` does."""
        argv = [sys.executable, "-m", "contrib.install", *self.options(), *more]
        return subprocess.run(argv, cwd=TREE, capture_output=True, text=True, timeout=PATIENCE_SECONDS)

    def unpack(self) -> None:
        """As a package manager does with what was staged."""
        shutil.copytree(self.stage, "/", dirs_exist_ok=True)

    def provide(self, wheel: Wheel) -> None:
        """What xend needs, copied from the interpreter that runs the tests."""
        for name in sorted(set(_required(list(wheel.required)))):
            for file in metadata.distribution(name).files or ():
                if ".." not in file.parts:
                    to = self.modules / file
                    to.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(str(file.locate()), to)

    def run(self, *argv: str | Path, hidden: Sequence[str] = ()) -> "subprocess.CompletedProcess[str]":
        """Runs a program of the installation, elsewhere.  hidden: what hides the tree from it."""
        return subprocess.run(
            [*hidden, *map(str, argv)],
            cwd="/",
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )


def _required(names: list[str]) -> Iterator[str]:
    """The distributions, and what they need themselves."""
    for name in names:
        yield name
        for line in metadata.requires(name) or ():
            if ";" not in line:
                yield from _required([line.split("<")[0].split(">")[0].split("=")[0].split("!")[0].strip()])
