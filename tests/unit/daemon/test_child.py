"""What daemons start imports nothing from the directory that whoever started them was in."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.manager.place import clean_environment
from xend.hypervisor import host_process
from xenstore.daemon import child

ROOT = Path(__file__).parents[3]
#: What our programs import; somebody else's of the same name tells of itself, and ends the program.
PLANTED = ("xenstore", "xend", "xenclient", "msgpack", "trio", "attrs", "sortedcontainers", "argparse")
DYING = """#!/bin/sh
case "$*" in
*--help*) echo xenstored --check-state;;
*--check-state*) ;;
*) exit 1;;
esac
"""
TRAP = "import os\nos.write(2, b'TRAPPED')\nos._exit(77)\n"


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A directory with modules that stand in the way of ours."""
    directory = tmp_path / "cwd"
    for name in PLANTED:
        (directory / name).mkdir(parents=True)
        (directory / name / "__init__.py").write_text(TRAP)
    return directory


def environment() -> dict[str, str]:
    return {name: value for name, value in clean_environment().items() if name != "PYTHONSAFEPATH"}


def test_the_trap_works(planted: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "xend.simulator", "h"], cwd=planted, env=environment(), capture_output=True
    )
    assert (done.returncode, done.stderr) == (77, b"TRAPPED")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "host"
    yield directory
    host_process.end(os.fspath(directory))


def test_the_simulated_host(planted: Path, host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a PYTHONPATH, too, that has the current directory in it."""
    monkeypatch.chdir(planted)
    monkeypatch.setenv("PYTHONPATH", f":{os.environ.get('PYTHONPATH', '')}:.:")
    with host_process.running(os.fspath(host), None):
        assert (host / "host.socket").exists()


def test_the_store_that_goes_on_after_a_failed_live_update(planted: Path, tmp_path: Path) -> None:
    """The guardian runs it again, by interpreter and program as before; options may have been relative."""
    rundir = planted / "r"
    program = tmp_path / "dies"
    program.write_text(DYING)
    program.chmod(0o755)
    words = ["-N", "--rundir", "r", "--platform", "none", "-F", "pid"]
    daemon = subprocess.Popen(
        [sys.executable, "-P", "-m", "xenstore.server", *words],
        cwd=planted,
        env={**environment(), "NOTIFY_SOCKET": ""},
        stderr=subprocess.PIPE,
    )
    assert daemon.stderr is not None
    line = b""
    while not line.startswith(b"xenstored: serving "):
        line = daemon.stderr.readline()
        assert line
    control = Path(sys.executable).parent / "xenstore-control"
    done = subprocess.run(
        [control, "live-update", program],
        env={**environment(), "XENSTORED_PATH": str(rundir / "socket")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    pid = int((rundir / "socket.lock").read_text())
    try:
        assert "died before it had taken over" in done.stdout + done.stderr
        assert pid != daemon.pid
        command = Path(f"/proc/{pid}/cmdline")
        if command.exists():
            assert command.read_bytes().split(b"\0")[1:4] == [b"-P", b"-m", b"xenstore.server"]
            assert os.readlink(f"/proc/{pid}/cwd") == "/"
    finally:
        os.kill(pid, signal.SIGTERM)
        rest = daemon.stderr.read()
        daemon.stderr.close()
        daemon.wait()
    assert b"TRAPPED" not in rest


@pytest.mark.parametrize(
    ("given", "kept"),
    [("/a:/b", "/a:/b"), (":/a:", "/a"), (".:lib:/a", "/a"), ("", None), (".", None)],
)
def test_what_is_kept_of_the_environment(given: str, kept: str | None) -> None:
    before = {"PYTHONPATH": given, "HOME": "/root"}
    expected = {"HOME": "/root"} if kept is None else {"HOME": "/root", "PYTHONPATH": kept}
    assert child.environment(before) == expected


def test_there_is_one_place_that_starts_a_python() -> None:
    """Where programs lie beside the interpreter is no start of one."""
    starts = re.compile(r"sys\.executable(?!\)\.parent)|sys\.orig_argv|[\"']python[\d.]*[\"']")
    for package in ("xenstore", "xend", "clients"):
        for path in (ROOT / package).rglob("*.py"):
            if path != ROOT / "xenstore/daemon/child.py":
                found = starts.search(path.read_text())
                assert found is None, f"{path} starts a Python by itself: {found}"


def test_installed_programs_do_not_look_beside_themselves() -> None:
    text = (ROOT / "contrib/install/placing.py").read_text()
    assert '_PROGRAM = """\\\n#!{python} -P\n' in text
