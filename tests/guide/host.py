"""A host of the guide: a system as it was installed, with nothing of Xen's, on a simulated machine."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from tests.guide.book import Block
from tests.manager.terminal import Terminal
from tests.peers.daemons import need
from tests.rcd.host import ROOT, Dom0
from tests.starter import Starter

STANDINS = Path(__file__).with_name("standins")
#: What stands in for the rest of a machine: its programs' files, and what they change.
MACHINE = "/machine"
HOME = "/root"
#: What xend needs, and what that needs.
PACKAGES = {
    "trio": ("trio", "outcome", "sniffio", "idna"),
    "msgpack": ("msgpack",),
    "sortedcontainers": ("sortedcontainers",),
    "attrs": ("attrs",),
}


class Host(Dom0):
    """Nothing is installed yet; the guide's commands do that.

    wheel: what `make install` installs, in place of one that it would make of the tree.
    """

    #: Root's.
    path_of_root: str

    def __init__(self, wheel: Path, starter: Starter) -> None:
        need(Path("dash"), Path("nsenter"), Path("setsid"))
        self._wheel = wheel
        super().__init__("/usr/bin/dash", starter)

    # --- what there is before ---------------------------------------------------------------------------

    def _install(self) -> None:
        self._environment |= {"PATH": self.path_of_root, "HOME": HOME}
        self.write(f"{MACHINE}/directory", f"{HOME}\n")
        self.write(f"{MACHINE}/tree", f"{ROOT}\n")
        shutil.copy(self._wheel, self.path(MACHINE))
        for package, distributions in PACKAGES.items():
            for file, source in _files(distributions):
                to = self.path(f"{MACHINE}/packages/{package}/{file}")
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, to)
        self.path(f"{HOME}/xend").mkdir()
        self.path(f"{HOME}/xend/Makefile").symlink_to(ROOT / "Makefile")
        self.prepare()

    def prepare(self) -> None:
        """What makes it this system."""
        raise AssertionError("each system has its own")

    def stand_in(self, name: str, programs: Iterable[tuple[str, str]]) -> None:
        """Has a stand-in take the place of programs: (directory, name)."""
        self.write(f"{MACHINE}/standin", (STANDINS / name).read_text(), 0o755)
        for directory, program in programs:
            path = self.path(f"{directory}/{program}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.symlink_to(f"{MACHINE}/standin")

    # --- what is done -----------------------------------------------------------------------------------

    def put(self, path: str, text: str) -> None:
        """A file as the guide shows it; with "+" before its path, lines at its end."""
        if path.startswith("+"):
            self.write(path[1:], self.path(path[1:]).read_text() + text)
        else:
            self.write(path, text)

    def typed(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Runs root's command line, in the directory in which the last one ended; its output and complaints
        are one stream."""
        where = f"{MACHINE}/directory"
        ends = f"status=$?; pwd >{where}; exit $status"
        return self.run("sh", "-c", f'cd "$(cat {where})"; exec 2>&1\n{command}\n{ends}')

    def follow(self, block: Block) -> None:
        """Do what stands in a block, without looking at what is printed."""
        if block.kind == "conf":
            self.put(block.path, block.text)
            return
        for command, _ in block.commands():
            done = self.typed(command)
            assert done.returncode == 0, (f"line {block.line}: {command}", done.stdout)

    def terminal(self, command: str) -> Terminal:
        """Runs it on a terminal."""
        return Terminal(self.argv("setsid", "-cw", "sh", "-c", command), self._environment, Path("/"))


def _files(distributions: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Files of installed distributions: where they go, and where they are."""
    for name in distributions:
        for file in metadata.distribution(name).files or ():
            if ".." not in file.parts:
                yield str(file), os.fspath(file.locate())
