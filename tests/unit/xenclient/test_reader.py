"""That nobody reads standard output any more is noticed, whatever it is."""

import os
import pty
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from xenclient.cli.reader import Reader
from xenclient.cli.streams import ReaderGone


@pytest.fixture
def source() -> Iterator[tuple[int, int]]:
    """What is waited for: to be read, and to be written into."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def pipe(tmp_path: Path) -> tuple[int, int]:
    return os.pipe()


def sockets(tmp_path: Path) -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


def fifo(tmp_path: Path) -> tuple[int, int]:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    return reading, os.open(path, os.O_WRONLY)


def terminal(tmp_path: Path) -> tuple[int, int]:
    return pty.openpty()


@pytest.mark.parametrize("make", [pipe, sockets, fifo, terminal])
def test_the_other_end_goes(
    tmp_path: Path, source: tuple[int, int], make: Callable[[Path], tuple[int, int]]
) -> None:
    reads, writes = make(tmp_path)
    reader = Reader(writes)
    os.write(source[1], b"x")
    assert reader.wait([source[0]]) == {source[0]}
    os.read(source[0], 1)
    assert reader.wait([source[0]], 0) == set()
    os.close(reads)
    with pytest.raises(ReaderGone):
        reader.wait([source[0]])
    os.write(source[1], b"x")
    with pytest.raises(ReaderGone):
        reader.wait([source[0]])
    os.close(writes)


@pytest.mark.parametrize("make", [sockets, terminal])
def test_what_comes_back_is_not_waited_for(
    tmp_path: Path, source: tuple[int, int], make: Callable[[Path], tuple[int, int]]
) -> None:
    reads, writes = make(tmp_path)
    os.write(reads, b"typed\n")
    assert Reader(writes).wait([source[0]], 0) == set()
    for descriptor in (reads, writes):
        os.close(descriptor)


def test_a_pipe_that_is_open_for_both(tmp_path: Path, source: tuple[int, int]) -> None:
    os.mkfifo(tmp_path / "fifo")
    both = os.open(tmp_path / "fifo", os.O_RDWR)
    reader = Reader(both)
    os.write(both, b"x")
    assert reader.wait([source[0]], 0) == set()
    os.write(source[1], b"x")
    assert reader.wait([source[0]]) == {source[0]}
    os.close(both)


@pytest.mark.parametrize("path", ["/dev/null", "file"])
def test_a_file_is_always_there(tmp_path: Path, source: tuple[int, int], path: str) -> None:
    descriptor = os.open(tmp_path / path, os.O_WRONLY | os.O_CREAT)
    assert Reader(descriptor).wait([source[0]], 0) == set()
    os.close(descriptor)


def test_the_end_of_what_is_waited_for() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    reading, writing = os.pipe()
    assert Reader(writing).wait([ours.fileno()]) == {ours.fileno()}
    ours.close()
    for descriptor in (reading, writing):
        os.close(descriptor)
