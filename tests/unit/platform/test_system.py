"""The system calls of this machine's kernel, as the platforms make them, and event channels over them."""

import errno
import fcntl
import os
import struct
import termios
from collections.abc import Iterator

import pytest

from xenstore._channels import DeviceChannels
from xenstore._system import System


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    yield ends
    for fd in ends:
        os.close(fd)


def test_reading_and_writing(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    system = System()
    with pytest.raises(BlockingIOError):
        system.read(reader, 10)
    assert system.write(writer, b"a" * 5000) == 5000
    assert system.read(reader, 10) == b"a" * 10
    assert system.read(reader, 10_000) == b"a" * 4096
    with pytest.raises(OSError, match="Bad file") as caught:
        system.write(reader, b"b")
    assert caught.value.errno == errno.EBADF


def test_an_ioctl_changes_its_argument(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, b"abc")
    argument = bytearray(4)
    assert System().ioctl(reader, termios.FIONREAD, argument) == 0
    assert struct.unpack("=i", argument) == (3,)
    with pytest.raises(OSError, match="Inappropriate ioctl"):
        System().ioctl(reader, termios.TIOCGWINSZ, bytearray(8))


def test_event_channels_read_write_and_notify_with_a_port(pipe: tuple[int, int]) -> None:
    """A pipe gives back what was written, and FIONBIO, like a notification, takes a number."""
    reader, writer = pipe
    os.set_blocking(writer, True)
    channels = DeviceChannels(System(), reader, termios.FIONBIO, termios.FIONBIO)
    assert channels.pending() == []
    DeviceChannels(System(), writer, 0, 0).unmask([3, 70_000])
    assert channels.pending() == [3, 70_000]
    for port in (0, 7):
        channels.notify(port)
        assert bool(fcntl.fcntl(reader, fcntl.F_GETFL) & os.O_NONBLOCK) is bool(port)
