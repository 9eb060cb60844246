"""A program that is forked (tests/starter) is like one of an interpreter's own, as far as it can see."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.starter import Starter, fork

LOOK = """
import json, os, signal, sys
status = open("/proc/self/status").read()
print(json.dumps([
    sys.argv, sys.path[0], sys.orig_argv[1:], sorted(os.environ.items()), os.getcwd(), os.umask(0),
    sorted(int(fd) for fd in os.listdir("/proc/self/fd")), sys.stdin.read(), os.read(GIVEN, 9).decode(),
    open("/proc/self/cmdline").read().split(chr(0))[1:],
    sorted(open("/proc/self/environ").read().split(chr(0))),
    [str(signal.getsignal(each)) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE)],
    [line for line in status.splitlines() if line.startswith("SigBlk")],
    sys.stdout.errors, sys.flags.utf8_mode, os.getuid(), os.path.realpath("/proc/self/exe"),
]))
"""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux has what it needs")
#: Code, and how it ends.
ENDS = {
    "well": ("", 0, ""),
    "status": ("import sys; sys.exit(3)", 3, ""),
    "words": ("import sys; sys.exit('bye')", 1, "bye"),
    "error": ("1 / 0", 1, "ZeroDivisionError: division by zero"),
    "signal": ("import os; os.kill(os.getpid(), 9)", -9, ""),
    "daemon": ("import os, sys; os.fork() and sys.exit(5); os.close(1); os.close(2)", 5, ""),
}


def look(python: str, directory: Path) -> list[object]:
    """What a program sees that has a working directory, descriptors and variables of its own."""
    reader, writer = os.pipe()
    os.write(writer, b"given")
    os.close(writer)
    given = fcntl.fcntl(reader, fcntl.F_DUPFD, 100)  # one that nobody else in this process has
    try:
        done = subprocess.run(
            [python, "-c", LOOK.replace("GIVEN", str(given)), "a", "", "b c"],
            cwd=directory,
            env={"LC_ALL": "C", "A": "1", "B": "two words"},
            input="typed",
            pass_fds=[given],
            umask=0o027,
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        os.close(reader)
        os.close(given)
    seen: list[object] = json.loads(done.stdout)
    return seen


def test_what_it_sees(starter: Starter, tmp_path: Path) -> None:
    assert look(str(starter.python), tmp_path) == look(sys.executable, tmp_path)


@pytest.mark.parametrize(("code", "status", "said"), ENDS.values(), ids=ENDS)
def test_how_it_ends(starter: Starter, code: str, status: int, said: str) -> None:
    with open(os.devnull, "wb") as nowhere:
        assert fork(["-c", code], output=nowhere.fileno()).wait(60) == status
    for python in (str(starter.python), sys.executable):
        done = subprocess.run([python, "-c", code], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (status, "")
        assert (done.stderr.splitlines() or [""])[-1] == said


def test_a_forked_one_is_known_by_its_own_process_id(tmp_path: Path) -> None:
    code = "import os, signal; print(os.getpid(), os.environ['A'], flush=True); signal.pause()"
    with open(tmp_path / "said", "w+b", buffering=0) as said:
        process = fork(["-c", code], {"A": "b"}, said.fileno())
        while not (text := (tmp_path / "said").read_text()).endswith("\n"):
            assert process.poll() is None
        assert text == f"{process.pid} b\n"
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.001)
    process.send_signal(signal.SIGTERM)
    assert (process.wait(60), process.poll()) == (-signal.SIGTERM, -signal.SIGTERM)
    process.kill()  # nobody's process any more


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_reaches_it(starter: Starter, number: int) -> None:
    code = "import signal; print('up', flush=True); signal.pause()"
    with subprocess.Popen(
        [starter.python, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.send_signal(number)
        assert process.stdout.read() == b""  # it has ended, too
    assert process.returncode == -number
