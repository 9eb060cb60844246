"""The program xenwatchdogd on a simulated host that is a process."""

import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.manager.daemon import await_release
from tests.snapshot import snapshot
from tests.starter import interpreter
from tests.unit.xend.simulator.process import ANSWER_SECONDS, HostProcess

#: No test takes so long.
LONG = ("3000", "1")


class Site:
    """A host's directory, and the program's files.

    notices: what a supervisor is told.
    """

    def __init__(self, directory: Path, notices: socket.socket) -> None:
        self.host = HostProcess(directory / "h")
        self.pid_file = directory / "w.pid"
        self.record = directory / "w.timer"
        self.notices = notices
        self._started: list[subprocess.Popen[str]] = []
        self._environment = {**os.environ, "NOTIFY_SOCKET": notices.getsockname()}

    def argv(self, *words: str) -> list[str]:
        host = ["--hypervisor", f"sim:{self.host.directory}"]
        return [interpreter(), "-m", "xend.watchdog", "--pid-file", str(self.pid_file), *host, *words]

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Until its caller's process ends: at once, but in the foreground."""
        return subprocess.run(self.argv(*words), capture_output=True, text=True, timeout=ANSWER_SECONDS)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """One in the foreground that is ready."""
        process = subprocess.Popen(
            self.argv("--foreground", *words), stderr=subprocess.PIPE, text=True, env=self._environment
        )
        self._started.append(process)
        assert self.notices.recv(100) == f"READY=1\nMAINPID={self.pid_file.read_text()}".strip().encode()
        return process

    def clean_up(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate(timeout=ANSWER_SECONDS)
        self.host.clean_up()


@pytest.fixture
def site() -> Iterator[Site]:
    with (
        tempfile.TemporaryDirectory(prefix="w") as directory,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices,
    ):
        notices.bind(f"{directory}/notices")
        notices.settimeout(ANSWER_SECONDS)
        made = Site(Path(directory), notices)
        made.host.start()
        yield made
        made.clean_up()


@pytest.mark.parametrize(
    ("number", "options", "end"),
    [
        (signal.SIGUSR1, (), "is disarmed"),
        (signal.SIGTERM, (), "stays armed: the host is reset in 3000 s unless"),
        (signal.SIGINT, (), "stays armed: the host is reset in 3000 s unless"),
        (signal.SIGTERM, ("--safe-exit",), "is disarmed"),
        (signal.SIGINT, ("--safe-exit",), "is disarmed"),
    ],
)
def test_ends(site: Site, number: signal.Signals, options: tuple[str, ...], end: str) -> None:
    process = site.start(*LONG, *options)
    assert site.record.read_text() == "1\n"
    process.send_signal(number)
    _, said = process.communicate(timeout=ANSWER_SECONDS)
    assert process.returncode == 0
    lines = said.splitlines()
    assert lines[-2] == f"xenwatchdogd: {number.name}: stopping"
    assert end in lines[-1]
    assert site.notices.recv(100) == b"STOPPING=1"
    assert not site.pid_file.exists()
    assert site.record.exists() == ("armed" in end and "disarmed" not in end)


def test_killed_and_started_again(site: Site) -> None:
    process = site.start(*LONG)
    process.kill()
    process.communicate(timeout=ANSWER_SECONDS)
    process = site.start(*LONG)
    process.send_signal(signal.SIGUSR1)
    _, said = process.communicate(timeout=ANSWER_SECONDS)
    assert "watchdog timer 1, left armed by the daemon before," in said


def test_killed_for_good(site: Site) -> None:
    process = site.start("2")
    process.kill()
    assert site.host.wait() == 1


def test_how_it_stands(site: Site) -> None:
    process = site.start(*LONG)
    process.send_signal(signal.SIGHUP)
    assert process.stderr is not None
    lines = [process.stderr.readline() for _ in range(2)]
    assert "watchdog timer 1 was set " in lines[1]


def test_in_the_background(site: Site) -> None:
    done = site.run(*LONG)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert site.record.read_text() == "1\n"
    before = snapshot(site.pid_file.parent)
    again = site.run(*LONG)
    assert again.returncode == 1
    assert snapshot(site.pid_file.parent) == before
    pid = int(site.pid_file.read_text())
    assert again.stderr == f"xenwatchdogd: pid file {site.pid_file} is held by a running daemon (pid {pid})\n"
    os.kill(pid, signal.SIGUSR1)
    await_release(site.pid_file, site.pid_file)
    assert not site.record.exists()


@pytest.mark.parametrize("foreground", [(), ("--foreground",)])
def test_a_host_that_is_not_there(site: Site, foreground: tuple[str, ...]) -> None:
    site.host.end()
    done = site.run(*LONG, *foreground)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"no simulated host answers at {site.host.socket}" in done.stderr


def test_a_host_that_goes_away(site: Site) -> None:
    process = site.start("2")
    site.host.end(signal.SIGKILL)
    _, said = process.communicate(timeout=ANSWER_SECONDS)
    assert process.returncode == 1
    last = said.splitlines()[-1]
    assert last.startswith("xenwatchdogd: watchdog timer 1 could not be set for 2 s: ")


def test_usage(site: Site) -> None:
    done = site.run("30", "40")
    assert done.returncode == 2
    assert done.stderr.startswith("xenwatchdogd: SLEEP 40: 1 to 29 seconds were expected")
    assert done.stderr.count("\n") == 1
