"""The interpreter that will run the programs, asked by running it."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contrib.install import InstallError

_QUESTION = """
import json, site, sys, sysconfig
from importlib import metadata
def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
print(json.dumps({
    "path": sys.executable,
    "version": sys.version_info[:2],
    "suffix": sysconfig.get_config_var("EXT_SUFFIX"),
    "directories": site.getsitepackages(),
    "versions": {name: version(name) for name in sys.argv[1:]},
}))
"""
_LEAST = (3, 11)
#: Of an interpreter's path on the first line of a program; Linux reads 127 bytes of that.
_PATH_MAX = 120


@dataclass(frozen=True)
class Target:
    """An interpreter.

    Attributes:
        path: absolute, as it will stand behind `#!`: what it says itself, so no shim of a version manager's,
            and no link's target, which an upgrade may remove.
        suffix: of compiled modules.
        directories: where it looks for modules, best first.
        versions: of the distributions asked for; None: it has none.
    """

    path: str
    suffix: str
    directories: Sequence[str]
    versions: dict[str, str | None]

    @classmethod
    def ask(cls, name: str, distributions: Sequence[str] = ()) -> "Target":
        """The interpreter with a name or path, and which versions of some distributions it has.

        Raises:
            InstallError: there is none, it does not run, or is too old.
        """
        found = shutil.which(name)
        if found is None:
            raise InstallError(f"PYTHON={name}: there is no such program; give the interpreter's path")
        told = _ask(os.path.abspath(found), distributions)
        version, path = tuple(told["version"]), told["path"]
        if version < _LEAST:
            raise InstallError(
                f"PYTHON={path} is {'.'.join(map(str, version))}; 3.11 is the oldest that serves"
            )
        if len(path) > _PATH_MAX or len(path.split()) != 1:
            raise InstallError(
                f"PYTHON={path}: behind #! only a path without spaces, of {_PATH_MAX} bytes at most, works"
            )
        return cls(path, told["suffix"], told["directories"], told["versions"])

    def module_directory(self, prefix: str) -> str:
        """Where modules go below a prefix.

        Raises:
            InstallError: this interpreter looks nowhere below it.
        """
        for directory in self.directories:
            if directory.startswith(os.path.join(prefix, "lib")):
                return directory
        raise InstallError(
            f"PREFIX={prefix}: {self.path} looks for modules in {' and '.join(self.directories)} only; "
            f"choose a PREFIX above one of these, or an interpreter of that prefix (python3 -m venv "
            f"{prefix}; PYTHON={prefix}/bin/python)"
        )

    def lacking(self, required: dict[str, str]) -> list[str]:
        """What it lacks of {distribution: least version}, which it was asked for; one phrase each."""
        phrases = []
        for name, least in required.items():
            found = self.versions.get(name)
            if found is None:
                phrases.append(f"{name}>={least}")
            elif _numbers(found) < _numbers(least):
                phrases.append(f"{name}>={least} (it has {found})")
        return phrases


def _ask(path: str, distributions: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run([path, "-c", _QUESTION, *distributions], capture_output=True, text=True, cwd="/")
    try:
        told: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip() or "no output").splitlines()[-1]
        raise InstallError(f"PYTHON={path} does not work: {last}") from None
    return told


def _numbers(version: str) -> list[int]:
    leading = []
    for word in version.split("."):
        digits = word[: len(word) - len(word.lstrip("0123456789"))]
        if not digits:
            break
        leading.append(int(digits))
    return leading
