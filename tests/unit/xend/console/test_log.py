"""A log is bounded, private, and no reason for a console to stop."""

import os
import resource
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from xend.console.log import ConsoleLog, log_path
from xend.errors import XendError


@pytest.mark.parametrize("name", ["foo", "foo-1", "a b", "übung", "foo..bar", "--incoming", "x" * 240])
def test_names_that_are_file_names(name: str) -> None:
    assert log_path("/logs", name) == f"/logs/{name}.log"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../up", "a/b", "/etc/passwd", ".hidden", "a\0b", "a\nb", "a\x7f", "x" * 241]
)
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(XendError) as caught:
        log_path("/logs", name)
    assert caught.value.code == "bad_config"


def contents(path: Path) -> list[bytes]:
    """The log, newest file first."""
    files = [path, *(Path(f"{path}.{number}") for number in range(1, 10))]
    return [file.read_bytes() for file in files if file.exists()]


def test_it_is_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "foo.log"
    log = ConsoleLog(str(path), print)
    log.write(b"hello\x1b[0m")
    log.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == b"hello\x1b[0m"


def test_it_is_bounded_and_the_newest_is_kept(tmp_path: Path) -> None:
    log = ConsoleLog(str(tmp_path / "foo.log"), print, size_limit=100, kept=2)
    data = b"".join(b"%09d\n" % number for number in range(200))
    for start in range(0, len(data), 30):
        log.write(data[start : start + 30])
        assert all(len(each) <= 100 for each in contents(tmp_path / "foo.log"))
    kept = contents(tmp_path / "foo.log")
    assert len(kept) == 3
    assert len(os.listdir(tmp_path)) == 3
    assert data.endswith(b"".join(reversed(kept)))


def test_a_write_larger_than_the_bound_is_cut_over_files(tmp_path: Path) -> None:
    log = ConsoleLog(str(tmp_path / "foo.log"), print, size_limit=100, kept=2)
    log.write(b"a" * 100 + b"b" * 100 + b"c" * 50)
    assert contents(tmp_path / "foo.log") == [b"c" * 50, b"b" * 100, b"a" * 100]


def test_it_goes_on_in_the_file_that_is_there(tmp_path: Path) -> None:
    for part in (b"one ", b"two "):
        log = ConsoleLog(str(tmp_path / "foo.log"), print, size_limit=10)
        log.write(part)
        log.close()
    log.write(b"three")
    assert contents(tmp_path / "foo.log") == [b"three", b"one two "]


def test_reopening_follows_who_moved_it(tmp_path: Path) -> None:
    log = ConsoleLog(str(tmp_path / "foo.log"), print)
    log.write(b"old")
    (tmp_path / "foo.log").rename(tmp_path / "moved")
    log.write(b" words")
    log.reopen()
    log.write(b"new")
    assert (tmp_path / "moved").read_bytes() == b"old words"
    assert (tmp_path / "foo.log").read_bytes() == b"new"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    lines: list[str] = []
    (tmp_path / "victim").write_bytes(b"")
    (tmp_path / "foo.log").symlink_to(tmp_path / "victim")
    ConsoleLog(str(tmp_path / "foo.log"), lines.append).write(b"guest's words")
    assert (tmp_path / "victim").read_bytes() == b""
    assert len(lines) == 1


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_said_once(tmp_path: Path, make: "os.PathLike[str]") -> None:
    lines: list[str] = []
    path = tmp_path / "foo.log"
    make(path)  # type: ignore[operator]
    log = ConsoleLog(str(path), lines.append)
    for _ in range(3):
        log.write(b"words")
    assert len(lines) == 1
    assert str(path) in lines[0]


@contextmanager
def small_disk() -> Iterator[None]:
    """No file may grow over 64 bytes: EFBIG, as a full disk is ENOSPC.

    Not pytest's own output either: nothing may be printed meanwhile.
    """
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)


def test_a_full_disk_is_said_once_and_once_when_it_is_over(tmp_path: Path) -> None:
    lines: list[str] = []
    path = tmp_path / "foo.log"
    log = ConsoleLog(str(path), lines.append)
    with small_disk():
        for _ in range(5):
            log.write(b"x" * 30)
    assert len(lines) == 1
    assert path.read_bytes() == b"x" * 64
    os.truncate(path, 0)
    log.write(b"again")
    assert len(lines) == 2
    assert "86 bytes are missing" in lines[1]
    assert path.read_bytes() == b"again"
    log.write(b"!")
    assert len(lines) == 2


def test_a_directory_that_comes_back_is_written_to(tmp_path: Path) -> None:
    lines: list[str] = []
    (tmp_path / "logs").write_bytes(b"a file in the way")
    log = ConsoleLog(str(tmp_path / "logs" / "foo.log"), lines.append)
    log.write(b"lost")
    (tmp_path / "logs").unlink()
    log.write(b"kept")
    assert (tmp_path / "logs" / "foo.log").read_bytes() == b"kept"
    assert len(lines) == 2
