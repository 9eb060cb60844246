"""The scripts as text: templates that leave nothing open, shell that every POSIX shell takes."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.peers.daemons import need
from tests.rcd.conftest import SHELLS
from tests.rcd.host import HERE, SCRIPTS, SHARED, TEMPLATES, VARIABLES, substituted

NAMES = (*SCRIPTS, SHARED)
STAND_INS = sorted((HERE / "etc").iterdir())


@pytest.fixture
def installed(tmp_path: Path) -> list[Path]:
    """All of it, as files."""
    for name in NAMES:
        (tmp_path / name).write_text(substituted(TEMPLATES / f"{name}.in", "/bin/sh"))
    return [tmp_path / name for name in NAMES]


def test_these_are_all_templates() -> None:
    assert {path.name for path in TEMPLATES.iterdir()} == {f"{name}.in" for name in NAMES} | {"README"}


@pytest.mark.parametrize("name", NAMES)
def test_only_known_variables_are_left_to_substitute(name: str) -> None:
    found = set(re.findall(r"@(\w+)@", (TEMPLATES / f"{name}.in").read_text()))
    assert found <= {*VARIABLES, "RCD_SCRIPTS_SHELL", "PYTHONBIN"}


def test_shellcheck_has_nothing_to_say(installed: list[Path]) -> None:
    need(Path("shellcheck"))
    options = ["-s", "sh", "-e", "SC1091"]  # what they source is not where they say, here
    argv = ["shellcheck", *options, *map(str, (*installed, *STAND_INS))]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_can_read_them(installed: list[Path], shell: str) -> None:
    need(Path(shell))
    for path in [*installed, *STAND_INS]:
        done = subprocess.run(
            [shutil.which(shell) or shell, "-n", path], capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), path
