"""xend as a program: starting, telling its caller, serving, ending, and what it leaves."""

import fcntl
import os
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from tests.manager.daemon import PATIENCE_SECONDS
from tests.manager.place import Place, until
from tests.snapshot import snapshot

#: The daemon that is looked at is the process that was started.
pytestmark = pytest.mark.from_nothing


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_its_caller_returns_when_it_answers(place: Place) -> None:
    pid = place.start()
    with place.client() as client:
        hello = client.hello()
    assert (hello["server"], hello["access"]) == ("xend", "operate")
    assert int(place.xend.pid_file.read_text()) == pid
    assert [mode(place.top / name) for name in ("socket", "socket_ro", "domains", "operations")] == [
        0o600,
        0o600,
        0o700,
        0o700,
    ]


def test_sigterm_ends_it_and_its_domains_go_on(place: Place) -> None:
    place.start()
    domid = place.create("one")
    before = place.domains()
    place.xend.stop()
    assert not any((place.top / name).exists() for name in ("socket", "socket_ro", "pid"))
    assert place.log().endswith("SIGTERM: stopping; domains go on\n")
    assert "internal error" not in place.log()
    place.start()
    assert place.domains() == before
    place.await_connected(domid)


def test_it_keeps_nothing_of_its_caller(place: Place) -> None:
    with open(place.top / "kept", "w") as kept:
        high = fcntl.fcntl(kept, fcntl.F_DUPFD, 900)
        pid = place.xend.start(pass_fds=(kept.fileno(), high), cwd=place.top)
        os.close(high)
    if not os.path.isdir(f"/proc/{pid}/fd"):
        pytest.skip("needs /proc to look into another process")
    host_pid = place.host.adopt()
    assert host_pid is not None
    for each in (pid, host_pid):
        targets = {int(fd): os.readlink(f"/proc/{each}/fd/{fd}") for fd in os.listdir(f"/proc/{each}/fd")}
        assert [targets[fd] for fd in (0, 1, 2)] == ["/dev/null"] * 3
        assert str(place.top / "kept") not in targets.values()
        assert os.readlink(f"/proc/{each}/cwd") == "/"
        assert os.getsid(each) not in (os.getsid(0), each)  # it cannot get a terminal again


def test_a_second_one_is_refused(place: Place) -> None:
    pid = place.start()
    before = snapshot(place.top)
    done = place.xend.run()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"xend: {place.socket} is served by another xend (pid {pid})\n"
    done = place.xend.run("--log-dir", str(place.top / "other"), "--pid-file", str(place.top / "other.pid"))
    assert done.stderr == f"xend: {place.socket} is served by another xend (pid {pid})\n"
    assert snapshot(place.top) == before
    done = place.xend.run("--rundir", str(place.top / "other"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"xend: pid file {place.xend.pid_file} is held by a running daemon (pid {pid})\n"
    assert place.said("xl", "list").count("\n") == 2
    assert int(place.xend.pid_file.read_text()) == place.xend.pid == pid


def test_sighup_reopens_the_logs(place: Place) -> None:
    pid = place.start()
    place.create("one")
    console_log = place.top / "log/console/one.log"
    with place.client() as client, client.console("one") as console:
        until(console, b"login: ")
    for path in (place.log_file, console_log):
        path.rename(f"{path}.old")
    os.kill(pid, signal.SIGHUP)
    with place.client() as client:
        while not place.log_file.exists():
            client.hello()  # each call passes through the daemon's loop
        client.pause("one")
        client.unpause("one")
        with client.console("one", history=0) as console:
            console.write(b"me\n")
            until(console, b"$ ")
    assert b"Welcome, me" in console_log.read_bytes()
    assert "domain.pause one: done" in place.log()
    assert "domain.create one: done" in Path(f"{place.log_file}.old").read_text()
    assert mode(place.log_file) == 0o640


def foreground(place: Place) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*place.xend.argv, "--no-fork"],
        env=place.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_in_the_foreground_it_tells_its_supervisor(place: Place, number: int) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.settimeout(PATIENCE_SECONDS)
        supervisor.bind(str(place.top / "n"))
        place.environment["NOTIFY_SOCKET"] = str(place.top / "n")
        process = foreground(place)
        try:
            assert supervisor.recv(100) == b"READY=1\nMAINPID=%d" % process.pid
            with place.client() as client:
                client.hello()
            process.send_signal(number)
            assert supervisor.recv(100) == b"STOPPING=1"
            said = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == 0
    assert said[0] == ""
    lines = [line[20:] for line in said[1].splitlines()]  # after the time
    assert lines[1] == f"serving {place.socket} on simulated host in {place.top}/sim"
    assert lines[-1] == f"{signal.Signals(number).name}: stopping; domains go on"
    assert place.log() == said[1]


def test_help_and_version(place: Place) -> None:
    done = place.xend.run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--hypervisor KIND" in done.stdout
    done = place.xend.run("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("xend ")
