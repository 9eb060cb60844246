"""xenbackendd as a program."""

import os
import select
import signal
import subprocess
from pathlib import Path

import pytest

from tests.peers.daemons import Daemon
from tests.snapshot import snapshot
from tests.starter import interpreter

PROGRAM = ["-m", "xend.backendd"]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([interpreter(), *PROGRAM, *words], capture_output=True, text=True, timeout=60)


def test_it_serves_in_the_background_until_it_is_told_to_stop(our_xenstored: Daemon, tmp_path: Path) -> None:
    pid_file, log = tmp_path / "pid", tmp_path / "log"
    done = run("-p", str(pid_file), "-l", str(log), f"--store={our_xenstored.socket}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    pid = int(pid_file.read_text())
    before = snapshot(tmp_path)
    again = run("-p", str(pid_file), "-l", str(log), f"--store={our_xenstored.socket}")
    assert again.returncode == 1
    assert again.stderr == f"xenbackendd: pid file {pid_file} is held by a running daemon (pid {pid})\n"
    assert snapshot(tmp_path) == before
    descriptor = os.pidfd_open(pid)
    os.kill(pid, signal.SIGTERM)
    assert select.select([descriptor], [], [], 30)[0]
    os.close(descriptor)
    assert not pid_file.exists()
    assert f"serving the backends of {our_xenstored.socket}" in log.read_text()


REFUSALS = [
    (["--nosuch"], 2, "unrecognized arguments: --nosuch; xenbackendd --help lists the options"),
    (["-l", "/proc/nosuch/log"], 1, "No such file or directory"),
    (["-l", "/proc"], 1, "xenbackendd: /proc: Is a directory"),
    (["--store=/nosuch/socket"], 1, "/nosuch/socket"),
]


@pytest.mark.parametrize(("words", "status", "text"), REFUSALS)
def test_what_keeps_it_from_starting_is_one_line(
    words: list[str], status: int, text: str, tmp_path: Path
) -> None:
    done = run("-f", "-l", str(tmp_path / "log"), *words)
    assert done.returncode == status
    lines = [line for line in done.stderr.splitlines() if line.startswith("xenbackendd: ")]
    assert len(lines) == 1
    assert text in lines[0]
