"""`xl` starts fast: what the blocking client imports, besides msgpack and what that needs."""

import subprocess
import sys
from pathlib import Path

import msgpack

from tests.unit.xenclient.test_start_up import HEAVY, NEEDED, ROOT


def test_imports() -> None:
    code = (
        "import os, sys; sys.path[:0] = sys.argv[1:]; import msgpack; before = set(sys.modules);"
        "import xenclient.xend.blocking; print(*sorted(set(sys.modules) - before))"
    )
    paths = [str(ROOT), str(ROOT / "clients"), str(Path(msgpack.__file__).parents[1])]
    command = [sys.executable, "-I", "-S", "-c", code, *paths]
    names = set(subprocess.check_output(command, text=True).split())
    assert not names & HEAVY
    assert {name for name in names if not name.startswith("xenclient")} <= NEEDED
    assert not names & {"xenclient.xend.aio", "xenclient.xend.aio_link"}
