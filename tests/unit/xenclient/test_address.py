"""Where the socket is, and what is said when it cannot be used."""

import errno
import os
import socket
import tempfile
from pathlib import Path

import pytest

from xenclient.cli import xenstore
from xenclient.store import address, blocking
from xenclient.store.address import Address, socket_path
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


@pytest.fixture
def default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the socket is looked for in `run`, the device in `dev` or `proc`, when nothing else is said."""
    monkeypatch.delenv("XENSTORED_PATH", raising=False)
    monkeypatch.setenv("XENSTORED_RUNDIR", str(tmp_path / "run"))
    devices = (str(tmp_path / "dev"), str(tmp_path / "proc"))
    monkeypatch.setattr(address, "device_paths", lambda: devices)
    return tmp_path


def test_the_socket_comes_before_the_devices(default: Path) -> None:
    (default / "proc").touch()
    assert Address().where == f"{default}/proc"
    (default / "dev").touch()
    assert Address().where == f"{default}/dev"
    (default / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"{default}/run/socket")
        assert Address().where == f"{default}/run/socket"


def test_a_socket_that_cannot_be_looked_at_is_not_passed_over(default: Path) -> None:
    (default / "dev").touch()
    (default / "run").symlink_to("run")
    with pytest.raises(ConnectError, match=f"cannot connect to {default}/run/socket"):
        Address().open()


@pytest.mark.parametrize("named", ["argument", "environment"])
def test_a_path_that_is_named_is_the_only_one(
    default: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    (default / "dev").touch()
    path = f"{default}/other"
    if named == "environment":
        monkeypatch.setenv("XENSTORED_PATH", path)
    assert Address(path if named == "argument" else None).tried == (path,)


def test_a_socket_that_goes_away_is_not_replaced_by_the_device(default: Path) -> None:
    (default / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"{default}/run/socket")
        place = Address()
    (default / "run/socket").unlink()
    (default / "dev").touch()
    with pytest.raises(ConnectError, match=f"no socket at {default}/run/socket"):
        place.open()


def test_neither_is_there(
    default: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A program prints Xen's line, then one that names all that was tried, unless only the socket was."""
    line = "xenstore-read: xs_open: No such file or directory\n"
    monkeypatch.setattr("sys.argv", ["xenstore-read", "/a"])
    assert xenstore.read() == 1
    missing = f"no socket at {default}/run/socket, no device at {default}/dev or {default}/proc"
    assert capfd.readouterr().err.startswith(f"{line}xenstore-read: {missing}: start xenstored, or")
    (default / "dev").touch()
    monkeypatch.setattr("sys.argv", ["xenstore-read", "-s", "/a"])
    assert xenstore.read() == 1
    assert capfd.readouterr().err == line
