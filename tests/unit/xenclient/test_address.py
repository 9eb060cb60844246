"""Where the socket is, and what is said when it cannot be used."""

import errno
import os
import socket
import tempfile
from pathlib import Path

import pytest

from xenclient.store import blocking
from xenclient.store.address import socket_path
from xenclient.store.errors import ConnectError

PATHS = [
    ({}, "/var/run/xenstored/socket"),
    ({"XENSTORED_RUNDIR": "/r"}, "/r/socket"),
    ({"XENSTORED_PATH": "/p"}, "/p"),
    ({"XENSTORED_PATH": "/p", "XENSTORED_RUNDIR": "/r"}, "/p"),
    ({"XENSTORED_PATH": "", "XENSTORED_RUNDIR": ""}, "/var/run/xenstored/socket"),
]


@pytest.mark.parametrize(("environment", "path"), PATHS)
def test_path(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], path: str) -> None:
    for name in ("XENSTORED_PATH", "XENSTORED_RUNDIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert socket_path() == path


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match=f"no socket at {tmp_path}/socket: start xenstored") as caught:
        blocking.Client(f"{tmp_path}/socket")
    assert caught.value.errno == errno.ENOENT


def test_nobody_listens(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
    with pytest.raises(ConnectError, match=f"nobody listens on {path}: xenstored is gone") as caught:
        blocking.Client(path)
    assert caught.value.errno == errno.ECONNREFUSED


def test_no_permission() -> None:
    nobody = 65534
    # Not tmp_path: pytest keeps other users out of the directories above it.
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as sock:
        path = f"{directory}/socket"
        os.chmod(directory, 0o755)
        sock.bind(path)
        sock.listen()
        os.chmod(path, 0)
        root = os.geteuid() == 0
        if root:
            os.seteuid(nobody)
        try:
            with pytest.raises(ConnectError, match=f"no permission to connect to {path}: run as root"):
                blocking.Client(path)
        finally:
            if root:
                os.seteuid(0)


def test_a_path_too_long_for_a_socket() -> None:
    with pytest.raises(ConnectError, match=r"cannot connect to /x+: .*too long"):
        blocking.Client("/" + "x" * 200)
