"""Puts files where a Layout says; what is there already is replaced, configuration excepted."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from contrib.install import InstallError
from contrib.install.layout import Layout
from contrib.install.wheel import Wheel

_PROGRAM = """\
#!{python} -P
import sys

from {module} import {function}

sys.exit({function}())
"""
#: How the names of files end that service scripts source.
_SHARED = ".subr"


class Placing:
    """One installation.

    Attributes:
        kept: paths of the administrator's files that differ from ours and were left as they are.
    """

    def __init__(self, layout: Layout, tree: Path) -> None:
        self._layout = layout
        self._tree = tree
        self.kept: list[str] = []

    # --- the package --------------------------------------------------------------------------------------

    def package(self, wheel: Wheel) -> None:
        """Modules, their bytecode, programs."""
        directory = self._layout.staged(self._layout.sitelib)
        directory.mkdir(parents=True, exist_ok=True)
        wheel.unpack(directory)
        programs = [self._program(name, entry) for name, entry in wheel.programs.items()]
        packages = [directory / name for name in wheel.packages()]
        self._compile(packages)
        bytecode = [path for package in packages for path in package.rglob("*.pyc")]
        wheel.record(directory, [*programs, *bytecode])

    def _program(self, name: str, entry: str) -> Path:
        module, _, function = entry.partition(":")
        text = _PROGRAM.format(python=self._layout.python, module=module, function=function)
        return self._write(self._layout.program(name), text, 0o755)

    def _compile(self, packages: list[Path]) -> None:
        """As pkgsrc and others have it: for plain runs and for -O."""
        compiler = [self._layout.python, "-m", "compileall", "-q", "-o", "0", "-o", "1"]
        staged = ["-s", self._layout.destdir, "-p", "/"] if self._layout.destdir else []
        done = subprocess.run([*compiler, *staged, *packages], capture_output=True, text=True, cwd="/")
        if done.returncode != 0:
            raise InstallError(f"{self._layout.python} cannot compile the modules: {done.stdout.strip()}")

    # --- what lies beside it --------------------------------------------------------------------------------

    def manual(self) -> None:
        """The manual pages."""
        for page in sorted((self._tree / "docs/man").iterdir()):
            self._copy(page, f"{self._layout.mandir}/man{page.suffix[1:]}/{page.name}")

    def completion(self) -> None:
        """What shells need to complete command lines of xl and xm, where each of them looks for it."""
        for name, path in (
            ("xl.bash", "bash-completion/completions/xl"),
            ("xl.bash", "bash-completion/completions/xm"),
            ("_xl", "zsh/site-functions/_xl"),
            ("xl.fish", "fish/vendor_completions.d/xl.fish"),
        ):
            self._copy(self._tree / "contrib/completion" / name, f"{self._layout.prefix}/share/{path}")

    def documents(self) -> None:
        """What is to be read."""
        for page in [
            self._tree / "README.md",
            self._tree / "CHANGELOG.md",
            *(self._tree / "docs").glob("*.md"),
        ]:
            self._copy(page, f"{self._layout.documents}/{page.name}")

    def examples(self) -> None:
        """Domains' configurations and hotplug scripts."""
        for example in sorted((self._tree / "contrib/examples").iterdir()):
            self._copy(example, f"{self._layout.examples}/{example.name}")
        for script in self._scripts():
            self._copy(script, f"{self._layout.examples}/scripts/{script.name}")

    def services(self, *, rc: bool) -> None:
        """Service scripts, as examples, where wanted; units, where there is a directory for them.

        What service scripts share is a file of its own, below libexec.
        """
        scripts = self._templates("rc.d")
        for template in [each for each in scripts if each.stem.endswith(_SHARED)]:
            self._write(f"{self._layout.helpers}/{template.stem}", self._layout.fill(template), 0o644)
        if rc:
            for template in [each for each in scripts if not each.stem.endswith(_SHARED)]:
                self._write(f"{self._layout.rc_examples}/{template.stem}", self._layout.fill(template), 0o755)
        if self._layout.systemd is not None:
            for template in self._templates("contrib/systemd"):
                self._write(f"{self._layout.systemd}/{template.stem}", self._layout.fill(template), 0o644)

    def configuration(self) -> None:
        """Hotplug scripts where there are none, or those of the last installation, as its examples show; and
        the directory of domains that start with the host.  Before `examples`."""
        for script in self._scripts():
            path = f"{self._layout.sysconfdir}/scripts/{script.name}"
            there = self._layout.staged(path)
            example = self._layout.staged(f"{self._layout.examples}/scripts/{script.name}")
            if not there.exists() or (example.exists() and there.read_bytes() == example.read_bytes()):
                self._copy(script, path)
            elif there.read_bytes() != script.read_bytes():
                self.kept.append(path)
        self._layout.staged(f"{self._layout.sysconfdir}/auto").mkdir(parents=True, exist_ok=True)

    def _templates(self, directory: str) -> Iterable[Path]:
        return sorted((self._tree / directory).glob("*.in"))

    def _scripts(self) -> Iterable[Path]:
        return sorted(path for path in (self._tree / "xend/scripts").iterdir() if path.is_file())

    # --- files ----------------------------------------------------------------------------------------------

    def _write(self, path: str, text: str, mode: int) -> Path:
        to = self._make_room(path)
        to.write_text(text)
        to.chmod(mode)
        return to

    def _copy(self, source: Path, path: str) -> None:
        to = self._make_room(path)
        shutil.copyfile(source, to)
        to.chmod(0o755 if os.access(source, os.X_OK) else 0o644)

    def _make_room(self, path: str) -> Path:
        """Where a new file goes; one that is there makes way, so that whoever runs it has the old one."""
        to = self._layout.staged(path)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.unlink(missing_ok=True)
        return to
