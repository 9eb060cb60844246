"""What somebody else prepared: as it is for root, and for an ordinary user below a sticky directory."""

import os
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from xenstore.daemon.trusted import (
    Untrusted,
    check_directory,
    check_files,
    make_directory,
    open_file,
    open_log,
)

#: An ordinary user, and somebody else.
USER, STRANGER = 1234, 4321
APPENDING = os.O_WRONLY | os.O_CREAT | os.O_APPEND

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be two users")


@pytest.fixture
def top() -> Iterator[Path]:
    """A directory as /tmp is."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o1777)
        yield Path(directory)


def as_user(act: Callable[[], object], user: int) -> str:
    """What `act` is refused with, or "", where it is done by a user."""
    if user == os.geteuid():
        return refusal(act)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        os.write(writer, refusal(act).encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as file:
        said = file.read()
    assert os.waitpid(pid, 0)[1] == 0
    return said


def opened(path: Path, flags: int) -> None:
    os.close(open_file(path, flags))


def refusal(act: Callable[[], object]) -> str:
    try:
        act()
    except Untrusted as error:
        return str(error)
    except OSError as error:
        return f"system: {error}"
    return ""


def made(path: Path, owner: int, mode: int = 0o755) -> Path:
    path.mkdir()
    os.chown(path, owner, owner)
    path.chmod(mode)
    return path


def written(path: Path, owner: int, mode: int = 0o600) -> Path:
    path.write_bytes(b"here before")
    os.chown(path, owner, owner)
    path.chmod(mode)
    return path


#: What is there of a directory, who comes, and what he is told.
DIRECTORIES: list[tuple[int, int, int, str]] = [
    (0, 0o755, 0, ""),
    (0, 0o700, 0, ""),
    (0, 0o755, USER, ""),
    (USER, 0o755, USER, ""),
    (USER, 0o775, USER, ""),  # his own group
    (USER, 0o755, 0, f"belongs to user {USER}, mode 0755, where root is expected"),
    (STRANGER, 0o755, USER, f"belongs to user {STRANGER}, mode 0755"),
    (STRANGER, 0o700, 0, f"belongs to user {STRANGER}, mode 0700"),
    (0, 0o777, 0, "mode 0777: anybody may write to it: chmod o-w "),
    (0, 0o1777, 0, "mode 1777: anybody may write to it: chmod o-w "),
    (USER, 0o757, USER, "mode 0757: anybody may write to it: chmod o-w "),
]


@as_root
@pytest.mark.parametrize(("owner", "mode", "user", "said"), DIRECTORIES)
def test_a_directory(top: Path, owner: int, mode: int, user: int, said: str) -> None:
    path = made(top / "d", owner, mode)
    for act in (lambda: make_directory(path, 0o700), lambda: check_directory(path)):
        told = as_user(act, user)
        assert said in told
        assert "\n" not in told
        assert told.startswith(f"{path}: ") if said else told == ""


@as_root
def test_a_directory_of_a_group_of_others(top: Path) -> None:
    path = made(top / "d", 0, 0o775)
    os.chown(path, 0, STRANGER)
    assert "may write to it: chmod g-w " in as_user(lambda: check_directory(path), 0)
    # The administrator's choice, for what lies in it.
    inside = made(path / "inside", 0)
    assert as_user(lambda: check_directory(inside), 0) == ""


@as_root
@pytest.mark.parametrize(
    ("owner", "mode", "said"),
    [
        (STRANGER, 0o755, f"belongs to user {STRANGER}"),
        (STRANGER, 0o1777, f"belongs to user {STRANGER}"),
        (0, 0o777, "anybody may write to it"),
        (0, 0o1777, ""),
    ],
)
def test_what_is_above_a_directory_counts_too(top: Path, owner: int, mode: int, said: str) -> None:
    """Whoever can write there puts another in its place."""
    above = made(top / "above", owner, mode)
    for user in (0, USER):
        path = made(above / f"d{user}", user)
        told = as_user(partial(check_directory, path), user)
        assert (said in told) if said else told == ""
        if said:
            assert told.startswith(f"{above}: ")
            assert as_user(partial(make_directory, above / f"new{user}"), user) == told
            assert not (above / f"new{user}").exists()


@as_root
def test_links_on_the_way(top: Path) -> None:
    target = made(top / "target", 0)
    for owner in (0, STRANGER):
        link = top / f"link{owner}"
        link.symlink_to(target)
        os.chown(link, owner, owner, follow_symlinks=False)
    assert as_user(lambda: check_directory(top / "link0"), 0) == ""
    told = as_user(lambda: check_directory(top / f"link{STRANGER}"), 0)
    assert told.startswith(f"{top}/link{STRANGER}: is a link that belongs to user {STRANGER}")
    # Where it leads counts as well, and all above that.
    (top / "away").symlink_to(made(top / "strange", STRANGER) / "d")
    made(top / "strange/d", 0)
    assert f"{top}/strange: belongs to user {STRANGER}" in as_user(lambda: check_directory(top / "away"), 0)
    (top / "loop").symlink_to("loop")
    assert "Too many levels" in as_user(lambda: check_directory(top / "loop"), 0)
    (top / "up").symlink_to("target/../target")
    assert as_user(lambda: check_directory(top / "up"), 0) == ""


#: What is there of a file, who comes, and what he is told.
FILES: list[tuple[int, int, int, str]] = [
    (0, 0o600, 0, ""),
    (0, 0o644, 0, ""),
    (USER, 0o664, USER, ""),
    (USER, 0o600, 0, f"belongs to user {USER}, mode 0600"),
    (STRANGER, 0o644, 0, f"belongs to user {STRANGER}, mode 0644"),
    (STRANGER, 0o666, USER, f"belongs to user {STRANGER}, mode 0666"),
    (0, 0o666, 0, "mode 0666: anybody may write to it: chmod o-w "),
    (USER, 0o666, USER, "mode 0666: anybody may write to it: chmod o-w "),
]


@as_root
@pytest.mark.parametrize(("owner", "mode", "user", "said"), FILES)
def test_a_file(top: Path, owner: int, mode: int, user: int, said: str) -> None:
    """It is neither read, nor written, nor truncated."""
    path = written(top / "f", owner, mode)
    for flags in (os.O_RDONLY, os.O_RDWR | os.O_CREAT, APPENDING, os.O_WRONLY | os.O_CREAT | os.O_TRUNC):
        told = as_user(partial(opened, path, flags), user)
        assert (said in told and told.startswith(f"{path}: ")) if said else told == ""
        assert path.read_bytes() == (b"" if flags & os.O_TRUNC and not said else b"here before")
    told = as_user(lambda: os.close(open_log(os.fspath(path))), user)
    assert said in told


@as_root
@pytest.mark.parametrize("user", [0, USER])
def test_a_file_that_is_a_link(top: Path, user: int) -> None:
    """Even one's own: logs are where they are said to be."""
    target = written(top / "precious", user)
    link = top / "log"
    link.symlink_to(target)
    os.chown(link, user, user, follow_symlinks=False)
    dangling = top / "dangling"
    dangling.symlink_to(top / "made")
    for path in (link, dangling):
        told = as_user(partial(open_log, os.fspath(path)), user)
        assert told == f"{path}: is a link, and none is followed here: name what it leads to, or remove it"
    assert not (top / "made").exists()


@as_root
def test_another_name_of_a_precious_file(top: Path) -> None:
    """Not every system keeps others from giving root's files names in /tmp."""
    precious = written(made(top / "etc", 0) / "precious", 0)
    os.link(precious, top / "log")
    told = as_user(lambda: os.close(open_log(os.fspath(top / "log"))), 0)
    assert told == f"{top}/log: has 2 names, which anybody could give it: remove it"
    os.link(precious, top / "etc/again")
    assert as_user(lambda: os.close(open_log(os.fspath(top / "etc/again"))), 0) == ""


def test_a_new_file_and_its_directories(top: Path) -> None:
    before = os.umask(0)
    try:
        os.close(open_log(os.fspath(top / "a/b/log"), 0o640))
        make_directory(top / "c/d", 0o700)
    finally:
        os.umask(before)
    modes = {str(path.relative_to(top)): stat.S_IMODE(path.stat().st_mode) for path in top.rglob("*")}
    assert modes == {"a": 0o755, "a/b": 0o755, "a/b/log": 0o640, "c": 0o755, "c/d": 0o700}


def test_a_device_and_a_pipe(top: Path) -> None:
    os.close(open_file(os.devnull, APPENDING))
    os.mkfifo(top / "pipe")
    assert "system" in refusal(lambda: open_log(os.fspath(top / "pipe")))  # nobody reads: it does not wait


@as_root
def test_everything_in_a_directory(top: Path) -> None:
    directory = made(top / "d", 0)
    for name in ("one", "two"):
        written(directory / name, 0)
    check_files(directory)
    os.chown(directory / "two", STRANGER, STRANGER)
    assert f"{directory}/two: belongs to user {STRANGER}" in refusal(lambda: check_files(directory))
    (directory / "two").unlink()
    (directory / "two").symlink_to("one")
    assert "two: is a link" in refusal(lambda: check_files(directory))


@pytest.mark.parametrize("kind", ["pipe", "directory", "socket", pytest.param("device", marks=as_root)])
def test_what_is_no_file_among_files(kind: str, top: Path) -> None:
    """Who opens a pipe waits for its other end."""
    directory = top / "d"
    make_directory(directory, 0o700)
    path = directory / "it"
    with socket.socket(socket.AF_UNIX) as listener:
        match kind:
            case "pipe":
                os.mkfifo(path)
            case "directory":
                path.mkdir()
            case "socket":
                listener.bind(os.fspath(path))
            case "device":
                os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    told = f"{path}: is a {kind}, where a file is expected: remove it, or choose another place"
    assert refusal(lambda: check_files(directory)) == told
    if kind == "directory":
        check_files(directory, but_directories=True)
    else:
        assert refusal(lambda: check_files(directory, but_directories=True)) == told
    if kind != "socket":  # which nobody can open
        assert refusal(lambda: opened(path, os.O_RDONLY)) == told
