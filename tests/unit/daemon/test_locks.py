"""Locks of daemons: who waits for one, and how long."""

import fcntl
import os
import time
from pathlib import Path

import pytest

from xenstore.daemon import locks
from xenstore.daemon.start import StartError


def taken(path: Path) -> int:
    """The descriptor of somebody who has the lock of the service at `path`."""
    fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    os.write(fd, b"12\n")
    return fd


def test_one_that_a_killed_daemon_has_for_a_moment_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "socket"
    owner = taken(path)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            os.close(owner)

    monkeypatch.setattr(time, "sleep", wait)
    with locks.holding(os.fspath(path), "xenstored"):
        assert Path(f"{path}.lock").read_text() == f"{os.getpid()}\n"
    assert waits == [locks.LOOK_SECONDS] * 3


def test_one_that_is_kept_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "socket"
    owner = taken(path)
    monkeypatch.setattr(locks, "PATIENCE_SECONDS", 0.0)
    refusal = rf"^{path} is served by another xenstored \(pid 12\)$"
    with pytest.raises(StartError, match=refusal), locks.holding(os.fspath(path), "xenstored"):
        pass
    os.close(owner)
