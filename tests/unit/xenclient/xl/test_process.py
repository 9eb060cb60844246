"""xl as a process, with the real client, on a socket."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.unit.xenclient.xl.bus import Bus
from tests.unit.xenclient.xl.fake_xend import FakeXend, domain
from tests.unit.xenclient.xl.process import SCRIPT
from tests.unit.xenclient.xl.test_progress import OPERATION, SECOND
from xenclient.cli.xl.progress import ERASE_LINE

Process = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def process(xend: FakeXend, tmp_path: Path) -> Iterator[Process]:
    path = tmp_path / "socket"
    bus = Bus(path, xend)

    def run(*words: str, stderr: int = subprocess.PIPE) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", SCRIPT, *words],
            env={"LC_ALL": "C", "XEND_SOCKET": str(path), "PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    yield run
    bus.close()


def test_a_thousand_domains(process: Process, xend: FakeXend) -> None:
    xend.domains[1:] = [domain(number, f"guest{number}") for number in range(1, 1001)]
    done = process("list")
    rows = done.stdout.splitlines()
    assert (done.returncode, done.stderr, len(rows)) == (0, "", 1002)
    assert rows[-1].split()[:2] == ["guest1000", "1000"]


def test_a_refusal(process: Process) -> None:
    done = process("list", "NOSUCH")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "xl: no domain NOSUCH (xl list shows those there are)\n"


def test_messages_that_are_no_text(process: Process) -> None:
    assert set(json.loads(process("dmesg", "--json").stdout)["text"]) == {"base64"}


def test_a_change_on_a_pipe(process: Process, xend: FakeXend) -> None:
    xend.steps = [OPERATION, SECOND]
    done = process("destroy", "d1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_progress_on_a_terminal(process: Process, xend: FakeXend) -> None:
    xend.steps = [OPERATION, SECOND]
    screen, terminal = pty.openpty()
    done = process("destroy", "d1", stderr=terminal)
    os.set_blocking(screen, False)  # the program has ended: all it wrote is there, in pieces perhaps
    printed = b""
    with suppress(BlockingIOError, OSError):
        while piece := os.read(screen, 4096):
            printed += piece
    shown = printed.decode()
    os.close(screen)
    os.close(terminal)
    assert (done.returncode, done.stdout) == (0, "")
    assert shown.startswith(f"{ERASE_LINE}destroy d1, 1 of 2: close vif 0{ERASE_LINE}")
    assert shown.endswith(ERASE_LINE)
