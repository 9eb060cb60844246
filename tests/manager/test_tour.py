"""The tour of README.md, section xend: `make run` in one terminal, its commands in another."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.manager.daemon import PATIENCE_SECONDS, Daemon
from tests.manager.place import Place, await_node, clean_environment, settle
from tests.manager.terminal import Terminal
from tests.snapshot import snapshot
from tests.unit.server.program import as_root
from xenclient.store.blocking import Client as StoreClient
from xenclient.xend.blocking import Client
from xenstore.daemon.locks import holding

README = Path(__file__).parents[2] / "README.md"


def tour() -> tuple[list[str], list[str]]:
    """The section's commands, without their remarks: those that set variables, and the others."""
    section = README.read_text().split("\n## xend\n")[1].split("\n## ")[0]
    block = re.search(r"(?:^    \S.*\n)+", section, re.MULTILINE)
    assert block is not None
    lines = [line.split(" #")[0].strip() for line in block[0].splitlines()]
    exports = [line for line in lines if line.startswith("export ")]
    return exports, [line for line in lines if not line.startswith("export ")]


class Demo:
    """`python -m xend.demo run`, as make runs it, in a directory of its own."""

    def __init__(self, top: Path, programs: Path) -> None:
        self.top = top
        self.programs = programs
        self.run = top / "run"
        self.environment = clean_environment()
        self.host = Daemon([], self.run / "sim/host.socket", self.run / "sim/host.pid", self.environment)
        self.process = subprocess.Popen(
            [programs / "python3", "-m", "xend.demo", "run"],
            cwd=top,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.banner = ""
        while "Stop with Ctrl-C" not in self.banner:
            line = self.process.stdout.readline()
            assert line, self.process.communicate()
            self.banner += line
        assert self.host.adopt() is not None

    def end(self, number: int) -> tuple[int, str]:
        """Its exit status, and what it said on standard error, which is xend's log."""
        self.process.send_signal(number)
        errors = self.process.communicate(timeout=PATIENCE_SECONDS)[1]
        return self.process.returncode, errors

    def clean_up(self) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGTERM)
        self.host.clean_up()

    def argv(self, command: str) -> list[str]:
        """For a shell, in which the README's variables are set."""
        exports = [line.replace("$PWD/.venv/bin", str(self.programs)) for line in tour()[0]]
        return ["sh", "-c", "\n".join([*exports, f"exec {command}"])]

    def said(self, command: str) -> str:
        """What a command prints, that succeeds."""
        done = subprocess.run(
            self.argv(command),
            cwd=self.top,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == 0, done
        usual = ("", f"Parsing config from {self.run}/etc/foo\n", "Shutting down domain 1\n")
        assert done.stderr in usual, done
        return done.stdout

    def terminal(self, command: str) -> Terminal:
        return Terminal(self.argv(command), self.environment, self.top)


@pytest.fixture
def demo(programs: Path) -> Iterator[Demo]:
    top = Path(tempfile.mkdtemp(prefix="xend-"))
    made = Demo(top, programs)
    try:
        yield made
    finally:
        made.clean_up()
        shutil.rmtree(top)


def domains(listed: str) -> list[list[str]]:
    """Name, domid, memory and VCPUs of each row of xl list."""
    header, *rows = listed.splitlines()
    assert header.split() == ["Name", "ID", "Mem", "VCPUs", "State", "Time(s)"]
    return [row.split()[:4] for row in rows]


def log_in(terminal: Terminal, domid: int) -> None:
    """Sees foo come up, and logs in."""
    terminal.until(b"Simulated kernel, 1 vCPUs, 262144 KiB of memory\r\n")
    terminal.until(b"Domain %d, foo, /vm/" % domid)
    terminal.until(b"foo login: ")
    terminal.type(b"me\r")
    terminal.until(b"Welcome, me; try `help`.\r\n$ ")


def console(demo: Demo, command: str) -> None:
    with demo.terminal(command) as terminal:
        log_in(terminal, 2)
        for typed, answer in (
            (b"ls", rb"bin  dev  etc  home  proc  root  tmp  usr  var\r\n"),
            (b"ps", rb"  PID TTY      COMMAND\r\n(.+\r\n){3}"),
            (b"uptime", rb"up 0:\d\d:\d\d, 262144 KiB of memory\r\n"),
            (b"xenstore-read name", rb"foo\r\n"),
        ):
            terminal.type(typed + b"\r")
            shown = terminal.until(b"$ ")
            assert re.fullmatch(re.escape(typed) + rb"\r\n" + answer + rb"\$ ", shown), shown
        terminal.type(b"\x1d")
        status, rest = terminal.end()
        assert (status, rest.strip()) == (0, b"")


def create_with_console(demo: Demo, command: str) -> None:
    with demo.terminal(command) as terminal:
        terminal.until(b"Parsing config from %s/etc/foo\r\n" % bytes(demo.run))
        log_in(terminal, 3)
        for device in (b"vbd 0", b"vbd 1", b"vif 0"):
            assert device in terminal.shown
        terminal.type(b"poweroff\r")
        terminal.until(b"The system is going down\r\n")
        assert terminal.end()[0] == 0


def shut_down(demo: Demo, command: str) -> None:
    """The command only asks; the domain and its nodes go soon after."""
    demo.said(command)
    with StoreClient(str(demo.run / "xenstored/socket")) as store:
        await_node(store, "/local/domain/1", None)


def prints(pattern: str) -> Callable[[Demo, str], None]:
    """The check that a command prints this, a regular expression, somewhere."""

    def check(demo: Demo, command: str) -> None:
        said = demo.said(command)
        assert re.search(pattern, said, re.MULTILINE), said

    return check


def lists(*rows: list[str]) -> Callable[[Demo, str], None]:
    """The check that these domains are listed, once all operations have ended."""

    def check(demo: Demo, command: str) -> None:
        with Client(str(demo.run / "socket")) as client:
            settle(client)
        assert domains(demo.said(command)) == [["Domain-0", "0", "512", "4"], *rows]

    return check


EXAMPLE = ["example", "1", "128", "1"]
#: For each command of the tour, in its order.
TOUR: list[tuple[str, Callable[[Demo, str], None]]] = [
    ("xl dmesg", prints(r"^\(XEN\) .*Simulated hypervisor, speaking as Xen 4\.17")),
    ("xl info", prints(r"^xen_version +: 4\.17")),
    ("xl list", lists(EXAMPLE)),
    ("xl create foo", prints(r"\A\Z")),
    ("xl console foo", console),
    ("xl destroy foo", prints(r"\A\Z")),
    ("xl create -c foo", create_with_console),
    ("xl shutdown example", shut_down),
    ("xl list", lists()),
    ("xenstore-ls -f", prints(r"^/local/domain/0/name = \"Domain-0\"$")),
]


@pytest.mark.from_nothing
def test_the_tour(demo: Demo) -> None:
    assert tour()[1] == [command for command, _ in TOUR]
    for command, check in TOUR:
        check(demo, command)
    assert "/local/domain/1" not in demo.said("xenstore-ls -f")
    log = (demo.run / "log/console/foo.log").read_bytes()
    assert log.count(b"Simulated kernel") == 2
    assert "internal error" not in (demo.run / "log/xend.log").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_of_it(demo: Demo, number: int) -> None:
    assert "export XEND_SOCKET=" in demo.banner
    assert [row[0] for row in domains(demo.said("xl list"))] == ["Domain-0", "example"]
    status, errors = demo.end(number)
    assert status == 0
    assert errors.splitlines()[-1].endswith("SIGTERM: stopping; domains go on")
    assert sorted(path.name for path in demo.run.iterdir()) == [
        "etc",
        "log",
        "root",
        "socket.lock",
    ]


def test_a_second_one_leaves_the_first_alone(demo: Demo) -> None:
    done = subprocess.run(
        [demo.programs / "python3", "-m", "xend.demo", str(demo.run)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    pid = (demo.run / "socket.lock").read_text().strip()
    assert done.stderr == f"xend.demo: {demo.run}/socket is served by another xend (pid {pid})\n"
    assert [row[0] for row in domains(demo.said("xl list"))] == ["Domain-0", "example"]


def test_a_second_one_while_the_first_is_starting(place: Place) -> None:
    """It has no socket yet, so nobody answers; what is there is somebody's all the same."""
    run = place.top / "run"
    with holding(str(run / "socket"), "xend"):
        (run / "domains").mkdir()
        before = snapshot(run)
        done = subprocess.run(
            [place.python, "-m", "xend.demo", str(run)], capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"xend.demo: {run}/socket is served by another xend (pid ")
        assert snapshot(run) == before


@as_root
@pytest.mark.parametrize("what", ["", "etc", "root/n0"])
def test_a_directory_of_somebody_elses(what: str, place: Place) -> None:
    path = place.top / "run" / what
    path.mkdir(parents=True)
    os.chown(path, 4321, 4321)
    (path / "README").symlink_to(place.top / "written")
    done = subprocess.run(
        [place.python, "-m", "xend.demo", str(place.top / "run")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{path}: belongs to user 4321, mode 0755, where root is expected" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (place.top / "written").exists()


def test_what_it_cannot_do_is_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "xend.demo", "/dev/null/run"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "xend.demo: run directory /dev/null/run: Not a directory\n"
