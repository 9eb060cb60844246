"""`python -m contrib.install.plist > pkgsrc/PLIST`: what pkgsrc is to know of what is installed."""

import contextlib
import io
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from contrib.install.__main__ import main as install
from contrib.install.target import Target
from contrib.install.wheel import OPTIONAL

PREFIX = "/usr/pkg"
SITELIB = f"{PREFIX}/lib/python/site-packages"
#: As pkgsrc/Makefile has them; the service scripts are pkgsrc's own to register.
OPTIONS = ["--no-config", "--no-rc", "--systemd-dir", "-", "--mandir", f"{PREFIX}/man", "--sitelib", SITELIB]
HEADER = "@comment $NetBSD$\n"


def generate(wheel: Path | None = None) -> str:
    """The file's text, from an installation that is made for it.

    wheel: what is installed; None: one that is made of the tree.

    Raises:
        RuntimeError: it failed; why is on standard error.
    """
    with tempfile.TemporaryDirectory(prefix="xend-plist-") as directory:
        with contextlib.redirect_stdout(io.StringIO()):
            words = ["--destdir", directory, "--prefix", PREFIX, "--python", sys.executable, *OPTIONS]
            words += ["--wheel", str(wheel)] if wheel else []
            if install(words) != 0:
                raise RuntimeError("nothing was installed")
        suffix = Target.ask(sys.executable).suffix
        found = sorted(set(entries(Path(directory + PREFIX), suffix)) | set(map(_optional, OPTIONAL)))
        return HEADER + "".join(f"{entry}\n" for entry in found if f"${{PLIST.xen}}{entry}" not in found)


def entries(top: Path, suffix: str) -> Iterator[str]:
    """The entries of all files below a prefix.

    suffix: of compiled modules, which in pkgsrc have a plain one.
    """
    for path in top.rglob("*"):
        if not path.is_dir():
            yield _entry(str(path.relative_to(top)), suffix)


def _optional(module: str) -> str:
    """The entry of a compiled module that some installations lack, whether this one has it or not."""
    return f"${{PLIST.xen}}${{PYSITELIB}}/{module.replace('.', '/')}.so"


def _entry(name: str, suffix: str) -> str:
    name = name.replace(SITELIB.removeprefix(f"{PREFIX}/"), "${PYSITELIB}")
    name = re.sub(r"/xend-[^/]*\.dist-info/", "/${WHEEL_INFODIR}/", name)
    if name.endswith(suffix):
        return name.removesuffix(suffix) + ".so"
    name = re.sub(r"__pycache__/(.*)\.cpython-\d+\.opt-1\.pyc$", r"\1.pyo", name)
    return re.sub(r"__pycache__/(.*)\.cpython-\d+\.pyc$", r"\1.pyc", name)


if __name__ == "__main__":
    sys.stdout.write(generate())
