"""The harness itself: Debian's daemons run here, answer, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.peers.daemons import ROOT, Daemon, need, start_c, start_o, start_ours
from tests.peers.ring import Guest
from tests.peers.wire import Message, Wire
from xenstore.wire import MessageType

pytestmark = pytest.mark.peer


@pytest.mark.parametrize("start", [start_c, start_o])
def test_answers_measures_stops(start: Callable[[Path], Daemon], tmp_path: Path) -> None:
    with start(tmp_path) as daemon:
        with Wire(daemon.socket) as wire:
            reply = wire.request(MessageType.WRITE, b"/a\0b", req_id=7)
            assert reply == Message(MessageType.WRITE, 7, 0, b"OK\0")
            assert wire.request(MessageType.READ, b"/a\0").payload == b"b"
            before = daemon.cpu
            for _ in range(100):
                wire.drain()
            assert before < daemon.cpu < 60
        assert 1 << 20 < daemon.rss < 1 << 30
    assert not daemon.alive


def test_the_host_does_not_see_oxenstored(tmp_path: Path) -> None:
    with start_o(tmp_path):
        assert not Path("/var/run/xenstored/oxenstored.conf").exists()
        assert str(tmp_path) not in subprocess.check_output(["mount"], text=True)


@pytest.mark.parametrize("start", ["start_c", "start_o"])
def test_a_killed_test_run_leaves_no_daemon(start: str, tmp_path: Path) -> None:
    program = (
        f"from pathlib import Path; from tests.peers.daemons import {start}; import time\n"
        f"print({start}(Path({str(tmp_path)!r})).pid, flush=True); time.sleep(600)"
    )
    run = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
    assert run.stdout is not None
    with run.stdout:
        pid = int(run.stdout.readline())
    assert is_running(pid)
    run.send_signal(signal.SIGKILL)
    run.wait()
    deadline = time.monotonic() + 20
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # An orphan that nobody waits for stays a zombie where process 1 does not reap.
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], stdout=subprocess.PIPE, text=True).stdout
    return bool(state.strip()) and not state.startswith("Z")


@pytest.mark.parametrize("start", [start_ours, start_c, start_o])
def test_a_guest_has_a_ring(start: Callable[[Path], Daemon], tmp_path: Path) -> None:
    with start(tmp_path) as daemon, Wire(daemon.socket) as dom0, Guest(daemon.guests, 7) as guest:
        assert dom0.request(MessageType.INTRODUCE, b"7\0001\0009\0").payload == b"OK\0"
        assert dom0.request(MessageType.MKDIR, b"/local/domain/7\0").payload == b"OK\0"
        assert dom0.request(MessageType.SET_PERMS, b"/local/domain/7\0n7\0").payload == b"OK\0"
        assert dom0.request(MessageType.WATCH, b"@releaseDomain\0gone\0").payload == b"OK\0"
        for n in range(20):  # more than the ring holds at a time
            value = bytes([n]) * 900
            assert guest.request(MessageType.WRITE, b"data\0" + value).payload == b"OK\0"
            assert guest.request(MessageType.READ, b"/local/domain/7/data\0").payload == value
        assert guest.request(MessageType.WRITE, b"/tool/data\0x").payload == b"EACCES\0"
        dom0.drain()
        guest.die()
        assert dom0.read().payload == b"@releaseDomain\0gone\0"
        assert dom0.request(MessageType.IS_DOMAIN_INTRODUCED, b"7\0").payload == b"F\0"


def test_stopping_what_is_dead(tmp_path: Path) -> None:
    with start_c(tmp_path) as daemon:
        daemon.kill()
        assert daemon.stop() == -signal.SIGKILL


def test_a_daemon_that_does_not_start_is_reported_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)c: xenstored on .* ended with status \d+:.*Usage"):
        start_c(tmp_path, "--help")


def test_what_is_missing_is_skipped_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XEND_REQUIRE_PEERS", "0")
    with pytest.raises(pytest.skip.Exception, match="not installed: /no/such/program"):
        need(Path("/no/such/program"), Path("sh"))
    monkeypatch.setenv("XEND_REQUIRE_PEERS", "1")
    with pytest.raises(pytest.fail.Exception, match="not installed: /no/such/program"):
        need(Path("/no/such/program"))
    need(Path("sh"))
