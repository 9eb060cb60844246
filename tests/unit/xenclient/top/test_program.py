"""xentop and xl top as programs: options, ends, and a terminal."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.manager.terminal import Terminal
from tests.unit.xenclient.top.answers import answer, domain
from tests.unit.xenclient.xl.bus import Bus
from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend
from xenclient.cli.top import program
from xenclient.xend.errors import BusError

Program = Callable[..., tuple[int, str, str]]
SCRIPT = "import sys; from xenclient.cli.top import main; sys.argv[0] = 'xentop'; sys.exit(main())"
FIRST = answer(10, domain(0, "Domain-0", cpu_time_ns=0), domain(1, "web", cpu_time_ns=0))
LATER = answer(11, domain(0, "Domain-0", cpu_time_ns=10**8), domain(1, "web", cpu_time_ns=5 * 10**8))


@pytest.fixture
def xend() -> FakeXend:
    made = FakeXend()
    made.stats = [FIRST, LATER]
    return made


@pytest.fixture
def xl(xend: FakeXend, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Xl:
    from tests.unit.xenclient.xl.conftest import xl_with_all

    return xl_with_all(xend, monkeypatch, capfdbinary)


@pytest.fixture
def xentop(xl: Xl, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Program:
    monkeypatch.setattr("time.sleep", lambda seconds: None)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["xentop", *words])
        status = program.main()
        captured = capfdbinary.readouterr()
        return status, captured.out.decode(), captured.err.decode()

    return run


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    "words", [["-bi2"], ["-b", "-i", "2", "-d", "1"], ["--batch", "--iter=2", "--delay=0.5"]]
)
def test_lines(xentop: Program, words: list[str]) -> None:
    status, out, errors = xentop(*words)
    assert (status, errors) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert [row[0] for row in rows] == ["NAME", "Domain-0", "web"] * 2
    assert [row[3] for row in rows if row[0] == "web"] == ["0.0", "50.0"]


def test_xl_top_is_the_same(xentop: Program, xl: Xl, xend: FakeXend) -> None:
    status, out, _ = xl("top", "-bfi2d1")
    xend.stats = [FIRST, LATER]
    assert (status, out) == xentop("-bfi2d1")[:2]


def test_vcpus_are_asked_for_only_where_they_are_shown(xl: Xl, xend: FakeXend) -> None:
    asked = []
    answered = xend.call

    def call(method: str, **parameters: Any) -> object:
        asked.append(parameters)
        return answered(method, **parameters)

    xend.call = call  # type: ignore[method-assign, assignment]
    xl("top", "-b", "-i1")
    xl("top", "-b", "-i1", "-v")
    assert asked == [{"vcpus": False, "cpus": None}, {"vcpus": True, "cpus": None}]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["-b", "-d", "0"], "xentop: delay '0', expected seconds, 0.1 to 86400\n"),
        (["-d", "often"], "xentop: delay 'often', expected seconds, 0.1 to 86400\n"),
        (["-d", "nan"], "xentop: delay 'nan', expected seconds, 0.1 to 86400\n"),
        (["-b", "-i", "-1"], "xentop: iterations '-1', expected a number\n"),
        (["-b", "-i"], "xentop: option requires an argument -- 'i' (xentop -h)\n"),
        (["--nosuch"], "xentop: unrecognized option '--nosuch' (xentop -h)\n"),
        (["web"], "xentop: 'web' is too much: it takes options only (xentop -h)\n"),
        ([], "xentop: it needs a terminal (-b prints lines, for programs)\n"),
    ],
)
def test_what_is_wrong(xentop: Program, words: list[str], error: str) -> None:
    assert xentop(*words) == (1, "", error)


def test_the_hosts_cpus_stand_below_all_domains(xentop: Program, xend: FakeXend) -> None:
    xend.stats = [{**each, "idle_ns": [number * 10**9, 0]} for number, each in ((1, FIRST), (2, LATER))]
    status, out, _ = xentop("-bp", "-i2", "-d1")
    looks = out.split("| 0     |")
    assert (status, len(looks)) == (0, 3)
    assert out.endswith("| 0     |   0.0% |\n| 1     | 100.0% |\n+-------+--------+\n")
    assert "web" in looks[0]


def test_help_and_version(xentop: Program) -> None:
    assert xentop("-V") == (0, "xentop 1.0 (xend's)\n", "")
    status, out, _ = xentop("--help")
    assert status == 0
    for spelled in (
        "-d, --delay SECONDS",
        "-n, --networks",
        "-x, --vbds",
        "-z, --dom0-first",
        "-V, --version",
    ):
        assert spelled in out


def test_what_xend_refuses(xentop: Program, xend: FakeXend) -> None:
    xend.fails["stats.list"] = BusError(
        "store_failed", "cannot read the counters", {"hint": "is it running?"}
    )
    assert xentop("-b") == (1, "", "xentop: cannot read the counters (is it running?)\n")


@pytest.fixture
def environment(tmp_path: Path, xend: FakeXend) -> Iterator[dict[str, str]]:
    """Of programs that find the fake xend."""
    bus = Bus(tmp_path / "socket", xend)
    yield {
        "XEND_SOCKET": str(tmp_path / "socket"), "TERM": "xterm", "LC_ALL": "C.UTF-8",
        "PATH": os.environ["PATH"], "LINES": "24", "COLUMNS": "100",
    }  # fmt: skip
    bus.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(environment: dict[str, str], number: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "-b"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.send_signal(number)
        assert (running.wait(60), running.stderr.read()) == (0, b"")


def test_nobody_reads_its_lines(environment: dict[str, str]) -> None:
    command = '"$0" -c "$1" -b -d 0.1 | head -n 1; exit "${PIPESTATUS[0]}"'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, SCRIPT], env=environment, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (141, b"")


def test_on_a_terminal(environment: dict[str, str], xend: FakeXend, tmp_path: Path) -> None:
    xend.stats = [FIRST, answer(11, *FIRST["domains"], domain(2, "newcomer"))]
    with Terminal([sys.executable, "-c", SCRIPT, "-d", "600"], environment, tmp_path) as terminal:
        terminal.until(b"2 domains: 0 running, 2 blocked")
        terminal.until(b"web")
        terminal.until(b"uit")
        terminal.type(b"d")
        terminal.until(b"now 600:")
        terminal.type(b"0.1\r")  # so that the next look comes soon
        terminal.until(b"newcomer")
        terminal.type(b"\x0c")  # ^L: all of it anew
        terminal.until(b"3 domains: 0 running, 3 blocked")
        terminal.type(b"q")
        status, rest = terminal.end()
        assert status == 0
        assert b"\x1b[?1049l" in rest  # the screen is as it was


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_terminal_is_as_before_when_it_is_ended(
    environment: dict[str, str], tmp_path: Path, number: int
) -> None:
    with Terminal([sys.executable, "-c", SCRIPT], environment, tmp_path) as terminal:
        terminal.until(b"uit")
        terminal.signal(number)
        status, rest = terminal.end()
        assert (status, b"\x1b[?1049l" in rest, b"Traceback" in rest) == (0, True, False)


@pytest.mark.parametrize("term", ["vt100", "vt52"])
def test_a_serial_terminal_that_cannot_hide_its_cursor(
    environment: dict[str, str], tmp_path: Path, term: str
) -> None:
    argv = [sys.executable, "-c", SCRIPT]
    with Terminal(argv, {**environment, "TERM": term}, tmp_path) as terminal:
        terminal.until(b"2 domains:")
        terminal.type(b"q")
        assert terminal.end()[0] == 0


@pytest.mark.parametrize("term", ["dumb", "nosuchterminal"])
def test_a_terminal_that_cannot_be_drawn_on(environment: dict[str, str], tmp_path: Path, term: str) -> None:
    argv = [sys.executable, "-c", SCRIPT]
    with Terminal(argv, {**environment, "TERM": term}, tmp_path) as terminal:
        status, said = terminal.end()
        assert (status, said.count(b"\n")) == (1, 1)
        assert said.startswith(b"xentop: the terminal ")


def test_xend_that_is_away_is_told_at_once(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "-b"],
        env={"XEND_SOCKET": str(tmp_path / "none"), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"xentop: no socket at {tmp_path}")
