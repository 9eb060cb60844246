"""Compiles the pump a second time as NetBSD would: over kqueue and getpeereid(3), both faked on Linux."""

import importlib.machinery
import importlib.util
import shlex
import subprocess
import sysconfig
from pathlib import Path
from types import ModuleType

_HERE = Path(__file__).parent
_CYTHON = _HERE.parents[2] / "cython" / "xenstore"
_FAKES = [f"-I{_HERE / 'fake_bsd'}", "-DPOLLER_KQUEUE", "-DSOCKET_GETPEEREID"]


def compiler() -> list[str]:
    """The C compiler this Python was built with, and where Python.h is."""
    return [
        *shlex.split(sysconfig.get_config_var("CC")),
        f"-I{sysconfig.get_path('include')}",
        f"-I{_CYTHON}",
    ]


def build(directory: Path) -> ModuleType:
    """The module `xenstore._pump` of that build; needs the C file that building the project leaves."""
    library = directory / f"_pump{sysconfig.get_config_var('EXT_SUFFIX')}"
    flags = ["-O1", "-fPIC", "-shared", "-Wno-unused-function", *_FAKES, "-include", "getpeereid.h"]
    subprocess.run([*compiler(), *flags, str(_CYTHON / "_pump.c"), "-o", str(library)], check=True)
    loader = importlib.machinery.ExtensionFileLoader("xenstore._pump", str(library))
    spec = importlib.util.spec_from_file_location("xenstore._pump", library, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def check_header(*defines: str) -> None:
    """Compiles `_poller.h` alone, with every warning an error; raises subprocess.CalledProcessError."""
    flags = ["-Wall", "-Wextra", "-Werror", "-fsyntax-only", *_FAKES, *[f"-D{name}" for name in defines]]
    subprocess.run([*compiler(), *flags, "-xc", "-"], input=_USES_ALL, text=True, check=True)


_USES_ALL = """
#include <_poller.h>
int main(void)
{
    struct poller p;
    struct poller_event events[POLLER_PLACES];
    int n = poller_open(&p, 0) + poller_set(&p, 0, 0, POLLER_READ) + poller_wait(&p, events, 0);
    n += poller_add_beside(&p, 0);
    poller_remove_beside(&p, 0);
    poller_close(&p);
    return n;
}
"""
