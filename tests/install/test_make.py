"""`make install`, under both kinds of make."""

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.install.site import PATIENCE_SECONDS, TREE
from tests.peers.daemons import need


@pytest.mark.parametrize("make", ["make", "bmake"])
def test_its_variables_reach_the_installer(make: str) -> None:
    need(Path(make))
    given = {"DESTDIR": "/d", "PREFIX": "/p", "SYSCONFDIR": "/s", "VARBASE": "/v", "PYTHON": "/y/python3"}
    argv = [make, "-n", "install", *(f"{name}={value}" for name, value in given.items())]
    done = subprocess.run(argv, cwd=TREE, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert (done.returncode, done.stderr) == (0, ""), done
    words = shlex.split(done.stdout)
    begin = words.index("contrib.install")
    for name, value in given.items():
        assert words[words.index(f"--{name.lower()}", begin) + 1] == value
    assert "pip" not in done.stdout
