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


def environment(directory: Path) -> dict[str, str]:
    return {"LC_ALL": "C", "XEND_SOCKET": str(directory / "socket"), "PATH": os.environ["PATH"]}


@pytest.fixture
def bus(xend: FakeXend, tmp_path: Path) -> Iterator[Bus]:
    bus = Bus(tmp_path / "socket", xend)
    yield bus
    bus.close()


@pytest.fixture
def process(bus: Bus, tmp_path: Path) -> Process:
    def run(
        *words: str, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", SCRIPT, *words],
            env=environment(tmp_path),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )

    return run


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


#: Its output is more than nothing; none of them changes anything.
PRINTING = [
    ["list"], ["list", "--json"], ["list", "-l"], ["list", "--columns=name"], ["info"], ["dmesg"],
    ["vm-list"], ["uptime"], ["help"], ["help", "--long"], ["create", "-h"], ["domid", "d1"],
    ["-N", "destroy", "d1"],
]  # fmt: skip


@pytest.mark.parametrize("words", [*PRINTING, ["events"]], ids=" ".join)
def test_a_reader_that_goes_away(process: Process, words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = process(*words, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_a_full_disk(process: Process, words: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = process(*words, stdout=full.fileno())
    assert (done.returncode, done.stderr) == (1, "xl: standard output: No space left on device\n")


@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_standard_output_that_is_closed(bus: Bus, tmp_path: Path, words: list[str]) -> None:
    """It would be the number of the next file, which is the bus."""
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-c", SCRIPT, *words],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert (done.returncode, done.stderr) == (1, "xl: standard output: Bad file descriptor\n")


@pytest.mark.parametrize(
    "words", [["list", "nosuch"], ["list", "nosuch", "--json"], ["nosuch"], []], ids=" ".join
)
def test_nobody_hears_what_is_wrong(process: Process, words: list[str]) -> None:
    """Nor reads it; the status says so all the same."""
    reading, writing = os.pipe()
    os.close(reading)
    assert process(*words, stdout=writing, stderr=writing).returncode == 1
    os.close(writing)


def test_events_end_with_their_reader_though_nothing_happens(
    xend: FakeXend, bus: Bus, tmp_path: Path
) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "events"],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert program.stdout is not None
    bus.await_listener()
    bus.tell({"kind": "domain", "what": "created", "domid": 1, "name": "d1"})
    assert program.stdout.readline() == b"1 domain created d1 (1)\n"
    program.stdout.close()
    assert program.stderr is not None
    assert (program.stderr.read(), program.wait()) == (b"", 141)
    program.stderr.close()


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
