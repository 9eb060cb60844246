"""The wheel: made of the tree as `make` left it, without compiling; and what it is unpacked to."""

import base64
import configparser
import hashlib
import os
import runpy
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from email import message_from_string
from pathlib import Path

from contrib.install import InstallError

#: Compiled modules that are made only where the libraries are that they need (setup.py says which).
OPTIONAL = frozenset({"xend._guest"})
_SETUP = [sys.executable, "-W", "ignore", "setup.py", "-q"]


def make(tree: Path, scratch: Path, suffix: str) -> Path:
    """A wheel of the tree, with the compiled modules that lie in it.

    suffix: of compiled modules, as the interpreter wants them that will run it.

    Raises:
        InstallError: one was not built, or before its source was changed; no setuptools or Cython.
    """
    modules = list(_modules(tree, suffix))
    programs = list(_programs(tree))
    library = scratch / "lib"
    metadata = ["egg_info", "--egg-base", str(scratch)]
    setup(tree, *metadata, "build_py", "--build-lib", str(library))
    for name, built in modules:
        shutil.copy2(built, library / Path(*name.split(".")).with_name(built.name))
    for place, built in programs:
        (library / place).parent.mkdir(exist_ok=True)
        shutil.copy2(built, library / place)
    build = ["build", "--build-base", str(scratch / "build"), "--build-lib", str(library)]
    wheel = ["bdist_wheel", "--skip-build", "--bdist-dir", str(scratch / "w"), "--dist-dir", str(scratch)]
    setup(tree, *metadata, *build, *wheel)
    (made,) = scratch.glob("*.whl")
    return made


def _programs(tree: Path) -> Iterator[tuple[Path, Path]]:
    """Where compiled programs belong below the packages, and where they lie."""
    try:
        setup = runpy.run_path(str(tree / "setup.py"))
    except ImportError as error:
        raise InstallError(f"{sys.executable} cannot make a wheel: {error}") from error
    source: Path = setup["SOURCE"]
    for name in setup["PROGRAMS"]:
        built = tree / "clients" / setup["PROGRAMS_IN"] / name
        if not built.exists():
            raise InstallError(f"{built} is missing: `make` builds it")
        if (tree / source).stat().st_mtime > built.stat().st_mtime:
            raise InstallError(f"{built} is older than {source}: `make` builds it anew")
        yield setup["PROGRAMS_IN"] / name, built


def _modules(tree: Path, suffix: str) -> Iterator[tuple[str, Path]]:
    """Names of compiled modules, and where they lie."""
    for source in sorted((tree / "cython").glob("*/*.pyx")):
        name = f"{source.parent.name}.{source.stem}"
        built = tree / source.parent.name / f"{source.stem}{suffix}"
        if not built.exists():
            if name in OPTIONAL:
                continue
            raise InstallError(
                f"{built} is missing: `make` builds it (for another interpreter: make PYTHON=...)"
            )
        for part in sorted(compiled_from(source)):
            if part.stat().st_mtime > built.stat().st_mtime:
                raise InstallError(f"{built} is older than {part.relative_to(tree)}: `make` builds it anew")
        yield name, built


def compiled_from(source: Path) -> set[Path]:
    """A module's source, and the .pxd and .h files of ours that it depends on, as Cython finds them.

    Raises:
        InstallError: there is no Cython.
    """
    try:
        from Cython.Build.Dependencies import create_dependency_tree
    except ImportError as error:
        raise InstallError(f"{sys.executable} has no Cython, which tells whether `make` is needed") from error
    finder = create_dependency_tree(quiet=True)  # type: ignore[no-untyped-call]
    headers = finder.distutils_info(str(source)).values.get("depends", [])
    folder = source.parent.parent
    found = {Path(os.path.abspath(name)) for name in (*finder.all_dependencies(str(source)), *headers)}
    return {path for path in found if path.is_relative_to(folder) and path.exists()}


def setup(tree: Path, *words: str) -> None:
    """Run setuptools' commands in a tree.

    Raises:
        InstallError: one failed, or there is no setuptools.
    """
    done = subprocess.run([*_SETUP, *words], cwd=tree, capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip() or "no output").splitlines()[-1]
        raise InstallError(f"no wheel could be made with setuptools of {sys.executable}: {last}")


class Wheel:
    """A wheel's file, read.

    Attributes:
        name: of the distribution, with its version, as in its metadata's directory.
        programs: {name: "module:function"}.
        required: {distribution: least version}, without the extras.

    Raises:
        InstallError: it is no wheel.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._archive = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise InstallError(f"{path} is no wheel: {error}") from error
        (self._info,) = {name.split("/")[0] for name in self._archive.namelist() if ".dist-info/" in name}
        self.name = self._info.removesuffix(".dist-info")
        parser = configparser.ConfigParser()
        parser.read_string(self._read("entry_points.txt"))
        self.programs = dict(parser["console_scripts"])
        self.required = dict(self._required())

    def _read(self, name: str) -> str:
        return self._archive.read(f"{self._info}/{name}").decode()

    def _required(self) -> Iterator[tuple[str, str]]:
        for line in message_from_string(self._read("METADATA")).get_all("Requires-Dist", []):
            if "extra ==" not in line:
                name, _, least = line.partition(">=")
                yield name.strip(), least.strip()

    def packages(self) -> list[str]:
        """The top-level packages in it."""
        return sorted({name.split("/")[0] for name in self._archive.namelist()} - {self._info})

    def unpack(self, directory: Path) -> list[Path]:
        """Put its files below a directory, in place of another version's; returns where they are."""
        for package in self.packages():
            shutil.rmtree(directory / package, ignore_errors=True)
        for old in directory.glob(f"{self.name.partition('-')[0]}-*.dist-info"):
            shutil.rmtree(old)
        self._archive.extractall(directory)
        files = [directory / name for name in self._archive.namelist()]
        for file in files:
            file.chmod(
                0o755 if _is_executable(self._archive.getinfo(str(file.relative_to(directory)))) else 0o644
            )
        return files

    def record(self, directory: Path, more: list[Path]) -> None:
        """Write down all that belongs to it: what was unpacked, and `more`, of programs and bytecode."""
        info = directory / self._info
        (info / "INSTALLER").write_text("make install\n")
        record = info / "RECORD"
        unpacked = [directory / name for name in self._archive.namelist()]
        lines = [_line(path, directory) for path in sorted({*unpacked, info / "INSTALLER", *more} - {record})]
        record.write_text("\n".join([*lines, f"{self._info}/RECORD,,"]) + "\n")


def _is_executable(info: zipfile.ZipInfo) -> bool:
    return bool(info.external_attr >> 16 & 0o100)


def _line(path: Path, directory: Path) -> str:
    data = path.read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{os.path.relpath(path, directory)},sha256={digest},{len(data)}"
