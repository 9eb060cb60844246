"""How the tests are told apart, and what is told of them."""

import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from tests.suites import Times

ROOT = Path(__file__).parents[2]
#: A test that starts a process by way of a nursery, one that a mark leaves out, and one that is quick.
SAMPLES = """
import subprocess
import pytest
import trio

@pytest.mark.trio
async def test_starts_a_process():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.run_process, ["true"])

@pytest.mark.slow
def test_slow():
    subprocess.run(["true"])

def test_quick():
    pass
"""


class Lines:
    """What is written to the terminal."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def section(self, title: str) -> None:
        self.lines.append(title)

    write_line = section


def report(nodeid: str, when: str, duration: float) -> pytest.TestReport:
    return pytest.TestReport(nodeid, ("", 0, ""), {}, "passed", None, cast(Any, when), duration=duration)


def test_the_time_of_each_suite_is_told_longest_first() -> None:
    times, terminal = Times(), Lines()
    for nodeid in ("tests/unit/xend/test_a.py::test_a", "tests/unit/test_b.py::test_b[x/y]"):
        times.pytest_runtest_logreport(report(nodeid, "setup", 0.25))
        times.pytest_runtest_logreport(report(nodeid, "call", 0.5))
    times.pytest_runtest_logreport(report("tests/sim/test_c.py::test_c", "call", 12.0))
    times.pytest_terminal_summary(cast(Any, terminal))
    assert [line.split() for line in terminal.lines[1:]] == [
        ["12.0", "s", "1", "sim"],
        ["1.5", "s", "2", "unit"],
    ]


def test_one_suite_alone_is_told_by_pytest() -> None:
    times, terminal = Times(), Lines()
    times.pytest_runtest_logreport(report("tests/sim/test_c.py::test_c", "call", 12.0))
    times.pytest_terminal_summary(cast(Any, terminal))
    assert terminal.lines == []


def test_what_is_quick(tmp_path: Path) -> None:
    """As it is run: a test that starts a process is skipped, whatever becomes of the exception."""
    (tmp_path / "unit").mkdir()
    (tmp_path / "unit/test_samples.py").write_text(SAMPLES)
    (tmp_path / "peers").mkdir()
    (tmp_path / "peers/test_peers.py").write_text("def test_of_a_peer(): raise AssertionError")
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    argv = [sys.executable, "-m", "pytest", "--quick", "-rs", "-c", str(ROOT / "pyproject.toml")]
    done = subprocess.run(
        [*argv, "--rootdir", str(tmp_path.parent), str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed, 1 skipped, 2 deselected" in done.stdout
    assert "starts a process" in done.stdout
