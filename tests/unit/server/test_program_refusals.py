"""When xenstored must not start: one clear line, status not 0, nothing left behind; and when it must."""

import os
import signal
import socket
import subprocess

import pytest

from tests.unit.server.program import PROGRAM, Place, as_root, ended
from xenstore import stream
from xenstore.daemon.locks import SOCKET_PATH_MAX
from xenstore.image import capture
from xenstore.store import Store


def refused(done: subprocess.CompletedProcess[str], line: str, status: int = 1) -> None:
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("xenstored: ")
    assert line in done.stderr
    assert done.stdout == ""
    assert done.returncode == status


@pytest.mark.parametrize("foreground", [(), ("-N",)], ids=["daemon", "foreground"])
def test_a_second_instance(place: Place, foreground: tuple[str, ...]) -> None:
    pid = place.start()
    refused(place.run(*foreground), f"{place.socket} is served by another xenstored (pid {pid})")
    assert place.answers()


def test_a_second_instance_by_its_pid_file(place: Place) -> None:
    pid = place.start()
    done = subprocess.run(
        [place.python, *PROGRAM, "--rundir", str(place.directory / "o"), "-F", str(place.pid_file)],
        env=place.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    refused(done, f"pid file {place.pid_file} is held by a running daemon (pid {pid})")
    assert place.pid_file.read_text() == f"{pid}\n"
    assert place.answers()


def test_another_kind_of_xenstored_on_the_socket(place: Place) -> None:
    place.rundir.mkdir()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(place.socket))
        other.listen(1)
        refused(place.run(), f"{place.socket} is served by another daemon")
        with place.connect():
            pass


def test_nothing_to_take_over(place: Place) -> None:
    place.rundir.mkdir()
    state = place.rundir / "state_dump"
    refused(place.run("-N", "-U"), f"no state to go on from: {state}: No such file")
    state.write_bytes(b"xenstore" + bytes(30))
    refused(place.run("-N", "-U"), f"{state} is no state to go on from: at byte 8: version 0")
    assert place.left() == ["state_dump"]


def test_a_descriptor_that_is_not_open_is_not_taken_over(place: Place) -> None:
    place.rundir.mkdir()
    state = place.rundir / "state_dump"
    store = Store()
    state.write_bytes(b"".join(stream.write(capture(store, socket_fd=997), store)))
    refused(place.run("-N", "-U"), f"{state}: descriptor 997: Bad file descriptor")
    assert state.exists()


def test_whether_a_state_could_be_gone_on_from(place: Place) -> None:
    state, store = place.directory / "state", Store()
    state.write_bytes(b"".join(stream.write(capture(store), store)))
    done = place.run("--check-state", str(state))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    state.write_bytes(state.read_bytes()[:-1])
    refused(place.run("--check-state", str(state)), "is no state to go on from: at byte")
    refused(place.run("--check-state", "/dev/zero"), "/dev/zero: is a device, where a file is expected")
    refused(place.run("--check-state", "/"), "/: is a directory, where a file is expected")
    assert not place.rundir.exists()


def test_something_that_is_no_socket(place: Place) -> None:
    place.rundir.mkdir()
    place.socket.write_text("precious")
    refused(place.run(), f"{place.socket} exists and is not a socket")
    assert place.socket.read_text() == "precious"


def test_a_run_directory_below_a_file(place: Place) -> None:
    place.rundir.write_text("")
    refused(place.run(), f"{place.rundir}")


@as_root
def test_a_run_directory_that_cannot_be_made(place: Place) -> None:
    done = place.run(as_nobody=True)
    refused(done, f"run directory {place.rundir}: Permission denied")


@as_root
def test_a_run_directory_that_cannot_be_written(place: Place) -> None:
    place.rundir.mkdir()
    done = place.run(as_nobody=True)
    refused(done, f"{place.rundir}/socket.lock: Permission denied")


def test_a_run_directory_of_too_long_a_name(place: Place) -> None:
    longest = SOCKET_PATH_MAX - len(os.fsencode(str(place.directory))) - len("//socket")
    place.rundir = place.directory / ("x" * (longest + 1))
    refused(place.run(), f"{SOCKET_PATH_MAX + 1} bytes; the path of a socket holds {SOCKET_PATH_MAX}")
    assert not place.rundir.exists()
    place.rundir = place.directory / ("x" * longest)
    place.socket = place.rundir / "socket"
    place.start()
    assert place.answers()


def test_a_pid_file_that_cannot_be_written(place: Place) -> None:
    done = place.run("-F", str(place.directory / "none" / "pid"))
    refused(done, f"{place.directory}/none/pid: No such file or directory")
    assert place.left() == []


def test_a_trace_file_that_cannot_be_written(place: Place) -> None:
    done = place.run("-F", str(place.pid_file), "-T", str(place.directory))
    refused(done, f"trace file {place.directory}: Is a directory")
    assert place.left() == []
    assert not place.pid_file.exists()


@pytest.mark.parametrize("arguments", [["-Z"], ["-E", "x"], ["start"]])
def test_bad_usage(place: Place, arguments: list[str]) -> None:
    refused(place.run(*arguments), "xenstored: ", status=2)
    assert not place.rundir.exists()


def test_a_stale_socket_is_replaced(place: Place) -> None:
    place.start()
    with place.connect() as client:
        os.kill(place.pids.pop(), signal.SIGKILL)
        assert ended(client)
    assert place.left() == ["journal", "socket"]
    place.start()
    assert place.answers()


def test_of_many_started_at_once_one_serves(place: Place) -> None:
    place.start()
    with place.connect() as client:  # leaves a stale socket for them to fight over
        os.kill(place.pids.pop(), signal.SIGKILL)
        assert ended(client)
    arguments = [place.arguments("-F", str(place.directory / f"pid{number}")) for number in range(6)]
    processes = [
        subprocess.Popen(words, env=place.environment, stderr=subprocess.PIPE) for words in arguments
    ]
    lines = [process.communicate()[1] for process in processes]
    statuses = sorted(process.returncode for process in processes)
    (winner,) = place.directory.glob("pid?")
    place.pids.append(int(winner.read_text()))
    assert statuses == [0, 1, 1, 1, 1, 1]
    assert sum(b"is served by another xenstored" in line for line in lines) == 5
    assert place.answers()


def test_a_pid_file_left_by_a_crash_is_taken_over(place: Place) -> None:
    place.pid_file.write_text("1234567890 and more\n")
    pid = place.start()
    assert place.pid_file.read_text() == f"{pid}\n"


def test_a_socket_that_is_no_longer_its_own_is_left_alone(place: Place) -> None:
    place.start()
    client = place.connect()
    place.socket.unlink()
    place.socket.write_text("somebody else's")
    os.kill(place.pids.pop(), signal.SIGTERM)
    assert ended(client)
    client.close()
    assert place.socket.read_text() == "somebody else's"
