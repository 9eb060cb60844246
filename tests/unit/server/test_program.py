"""xenstored as a process: starting, telling its caller, serving, and leaving nothing behind."""

import fcntl
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.server.program import NOBODY, Place, as_root, ended
from xenstore._pump import pollers
from xenstore.wire import MessageType, pack

pytestmark = pytest.mark.from_nothing


def test_the_caller_returns_when_all_is_up(place: Place) -> None:
    place.start()
    assert place.answers()
    assert stat.S_IMODE(place.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.rundir.stat().st_mode) == 0o755
    assert stat.S_IMODE(place.pid_file.stat().st_mode) == 0o600
    place.stop()
    assert place.left() == ["journal"]
    assert not place.pid_file.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_with_clients(place: Place, number: int) -> None:
    place.start()
    clients = [place.connect() for _ in range(20)]
    place.stop(number)
    assert all(ended(client) for client in clients)
    assert place.left() == ["journal"]
    place.start()
    assert place.answers()


def test_a_daemon_keeps_nothing_of_its_caller(place: Place) -> None:
    with open(place.directory / "kept", "w") as kept:
        fcntl.fcntl(kept, fcntl.F_SETFD, 0)
        high = fcntl.fcntl(kept, fcntl.F_DUPFD, 900)
        pid = place.start(pass_fds=(kept.fileno(), high), cwd=place.directory)
        os.close(high)
    if not os.path.isdir(f"/proc/{pid}/fd"):
        pytest.skip("needs /proc to look into another process")
    targets = {int(fd): os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    assert [targets[fd] for fd in (0, 1, 2)] == ["/dev/null"] * 3
    rest = {target.split(":")[0] for fd, target in targets.items() if fd > 2}
    lock = str(place.socket) + ".lock"
    ours = {name for name in rest if name.startswith(str(place.rundir / "journal"))}
    assert rest <= {"socket", "anon_inode", "pipe", str(place.pid_file), lock, *ours}, targets
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.getsid(pid) != os.getsid(0)
    parent = Path(f"/proc/{pid}/status").read_text().split("PPid:")[1].split()[0]
    assert int(parent) != os.getpid()


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_it_starts_with_standard_descriptors_closed(place: Place, closed: tuple[int, ...]) -> None:
    def close() -> None:
        for fd in closed:
            os.close(fd)

    arguments = place.arguments("-F", str(place.pid_file))
    done = subprocess.run(arguments, env=place.environment, preexec_fn=close, timeout=60, check=False)
    assert done.returncode == 0
    place.pids.append(int(place.pid_file.read_text()))
    assert place.answers()


def test_the_output_pid_option(place: Place) -> None:
    done = place.run("-F", str(place.pid_file), "-P")
    assert done.stdout == place.pid_file.read_text()


def test_descriptors_are_raised_to_the_hard_limit(place: Place) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    pid = place.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard)))
    if not hasattr(resource, "prlimit"):
        pytest.skip("needs prlimit(2) to ask another process")
    assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (hard, hard)


class TestForeground:
    @pytest.fixture
    def daemon(self, place: Place) -> Iterator[Callable[..., subprocess.Popen[str]]]:
        running = []

        def start(*more: str, **how: Any) -> subprocess.Popen[str]:
            arguments = place.arguments("-N", "--banner", *more)
            process = subprocess.Popen(
                arguments,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=place.environment,
                **how,
            )
            running.append(process)
            assert process.stdout is not None
            banner = [process.stdout.readline() for _ in range(8)]
            assert "In another terminal" in banner[0]
            assert f"    export XENSTORED_PATH={place.socket}\n" in banner
            return process

        yield start
        for process in running:
            process.kill()
            process.communicate()

    def test_it_says_once_that_there_is_no_xen(
        self, place: Place, daemon: Callable[..., subprocess.Popen[str]]
    ) -> None:
        process = daemon()
        assert place.answers()
        process.terminate()
        errors = process.communicate(timeout=60)[1]
        assert process.returncode == 0
        if os.path.exists("/proc/xen") or os.path.exists("/kern/xen"):
            pytest.skip("this machine has Xen")
        lines = errors.splitlines()
        assert lines[0].startswith(f"xenstored: serving {place.socket} only: no Xen here")
        assert lines[1:] == ["xenstored: SIGTERM: stopping"]

    def test_it_keeps_the_descriptors_it_was_given(
        self, place: Place, daemon: Callable[..., subprocess.Popen[str]]
    ) -> None:
        with open(place.directory / "kept", "w") as kept:
            process = daemon(pass_fds=(kept.fileno(),))
            fd = f"/proc/{process.pid}/fd/{kept.fileno()}"
            if not os.path.isdir(os.path.dirname(fd)):
                pytest.skip("needs /proc to look into another process")
            assert os.readlink(fd) == str(place.directory / "kept")

    def test_a_supervisor_is_notified(
        self, place: Place, daemon: Callable[..., subprocess.Popen[str]]
    ) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.settimeout(30)
            supervisor.bind(str(place.directory / "n"))
            place.environment["NOTIFY_SOCKET"] = str(place.directory / "n")
            process = daemon()
            assert supervisor.recv(100) == b"READY=1\nMAINPID=%d" % process.pid
            process.terminate()
            assert supervisor.recv(100) == b"STOPPING=1"

    @as_root
    def test_strangers_are_turned_away_even_if_the_socket_lets_them(
        self, place: Place, daemon: Callable[..., subprocess.Popen[str]]
    ) -> None:
        process = daemon()
        place.socket.chmod(0o666)
        assert self.answers_to(NOBODY, place) == "no"
        assert place.answers()
        process.terminate()
        assert f"a client of user {NOBODY} was turned away" in process.communicate()[1]

    @as_root
    def test_another_user_may_serve_itself_and_root(self, place: Place) -> None:
        place.directory.chmod(0o1777)
        place.start(as_nobody=True)
        assert place.answers()
        assert self.answers_to(NOBODY, place) == "yes"

    def answers_to(self, user: int, place: Place) -> str:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(_VISITOR), str(place.socket), str(user)],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()


_VISITOR = """
    import os, socket, sys
    os.setuid(int(sys.argv[2]))
    client = socket.socket(socket.AF_UNIX)
    client.connect(sys.argv[1])
    try:
        client.send(bytes(16))
        print("yes" if client.recv(1) else "no")
    except (ConnectionResetError, BrokenPipeError):
        print("no")
"""


def test_hangup_reopens_the_trace_file(place: Place) -> None:
    pid = place.start("-T", str(place.trace))
    assert place.answers()
    rotated = place.trace.with_suffix(".0")
    place.trace.rename(rotated)
    os.kill(pid, signal.SIGHUP)
    while not place.trace.exists():
        assert place.answers()  # each request passes through the daemon's loop
    assert place.answers()
    assert "READ (/ )" in rotated.read_text()
    assert "READ (/ )" in place.trace.read_text()
    place.stop()


def test_hangup_without_a_trace_file_is_nothing(place: Place) -> None:
    pid = place.start()
    os.kill(pid, signal.SIGHUP)
    assert place.answers()
    place.stop()


def test_control_reaches_the_trace_and_the_quotas(place: Place) -> None:
    place.start("-E", "77")
    assert place.ask(pack(MessageType.CONTROL, b"quota\0"))[1].startswith(
        b"Quota settings:\nnodes            :       77 "
    )
    assert place.ask(pack(MessageType.CONTROL, b"logfile\0" + os.fsencode(place.trace) + b"\0"))[1] == b"OK\0"
    assert "CONTROL (OK )" in place.trace.read_text()
    assert place.ask(pack(MessageType.CONTROL, b"nonsense\0")) == (MessageType.ERROR, b"EINVAL\0")


@pytest.mark.parametrize(
    "command",
    ["check", "log", "memreport /dev/null", "print x", "quota", "quota 0", "quota max", "quota-soft"],
)
def test_each_command_is_answered(place: Place, command: str) -> None:
    place.start()
    payload = b"".join(os.fsencode(word) + b"\0" for word in command.split())
    assert place.ask(pack(MessageType.CONTROL, payload))[0] == MessageType.CONTROL


@pytest.mark.parametrize("poller", ["epoll", "kqueue", "poll"])
def test_it_runs_on_each_poller(place: Place, poller: str) -> None:
    if poller not in pollers():
        pytest.skip(f"{poller} is not a poller of this system")
    place.start("--poller", poller)
    assert place.answers()
    place.stop()


def test_help_goes_to_standard_output(place: Place) -> None:
    done = place.run("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "--trace-control" in done.stdout
