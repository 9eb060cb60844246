"""A command line imports next to nothing: hotplug scripts start several for each event."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

#: What must not be imported; each costs a millisecond or more of about thirteen.
HEAVY = {
    "argparse", "asyncio", "collections", "contextlib", "dataclasses", "enum", "functools", "inspect", "json",
    "random", "re", "select", "selectors", "signal", "socket", "ssl", "subprocess", "tempfile", "threading",
    "trio", "typing",
}  # fmt: skip
#: Modules of the standard library that are needed; each is one file or built in.
NEEDED = {"__future__", "_socket", "_struct", "errno", "struct", "time"}


def imported(module: str, *more: str) -> set[str]:
    """What importing the module adds to what every interpreter has (os comes with `site`).

    more: where else modules may be found.
    """
    code = (
        "import os, sys; before = set(sys.modules); sys.path[:0] = sys.argv[1:];"
        f"import {module}; print(*sorted(set(sys.modules) - before))"
    )
    command = [sys.executable, "-I", "-S", "-c", code, str(ROOT), str(ROOT / "clients"), *more]
    return set(subprocess.check_output(command, text=True).split())


@pytest.mark.parametrize(
    "module", ["xenclient.store.blocking", "xenclient.cli.xenstore", "xenclient.cli.control"]
)
def test_imports(module: str) -> None:
    names = imported(module)
    assert not names & HEAVY
    assert {name for name in names if not name.startswith(("xenclient", "xenstore"))} <= NEEDED
    assert not names & {"xenclient.store.aio", "xenclient.store.device"}


def test_the_device_needs_a_thread_but_not_the_modules_made_for_them() -> None:
    assert not imported("xenclient.store.device") & {"threading", "trio", "socket", "selectors", "typing"}
