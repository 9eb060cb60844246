"""The pseudo-terminal of a console, for Xen's own `xenconsole` and any terminal program.

`Pty` is the seam: `open_pty` makes real ones, tests have their own.  Linux and NetBSD differ in nothing here:
both have openpty(3), and on both the slave kept open means that a reader who leaves ends nothing.
"""

import errno
import fcntl
import os
import struct
import termios
import tty
from abc import ABC, abstractmethod

import trio

__all__ = ["Pty", "open_pty"]

_GONE = (errno.EIO, errno.EBADF, errno.ENXIO)


class Pty(ABC):
    """The master's side.

    Attributes:
        name: path of the slave, for the store.
    """

    name: str

    @abstractmethod
    async def receive(self, limit: int) -> bytes:
        """What was typed, at most `limit` bytes, at least one; waits for it.

        Raises:
            OSError: the pty is gone.
        """

    @abstractmethod
    async def wait_room(self) -> None:
        """Returns once `write` may have an effect."""

    @abstractmethod
    def write(self, data: bytes) -> int:
        """Show as many of these bytes as there is room for; returns how many, never waits.

        Raises:
            OSError: the pty is gone.
        """

    @abstractmethod
    def unread(self) -> int:
        """How many bytes wait on the slave's side for a reader, who loses them by `close`."""

    @abstractmethod
    def close(self) -> None:
        """Readers get an end of file; twice is once."""


class _SystemPty(Pty):
    def __init__(self, master: int, slave: int) -> None:
        self.name = os.ttyname(slave)
        self._master = master
        self._slave = slave

    async def receive(self, limit: int) -> bytes:
        while True:
            await trio.lowlevel.wait_readable(self._master)
            try:
                data = os.read(self._master, limit)
            except BlockingIOError:
                continue
            if data:
                return data
            raise OSError(errno.EIO, os.strerror(errno.EIO))  # BSD's way to say so

    async def wait_room(self) -> None:
        await trio.lowlevel.wait_writable(self._master)

    def write(self, data: bytes) -> int:
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def unread(self) -> int:
        try:
            answer = fcntl.ioctl(self._slave, termios.FIONREAD, struct.pack("i", 0))
        except OSError as error:
            if error.errno in _GONE:
                return 0
            raise
        count: int = struct.unpack("i", answer)[0]
        return count

    def close(self) -> None:
        if self._master < 0:
            return
        trio.lowlevel.notify_closing(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1


def open_pty() -> Pty:
    """A new pty: raw (no echo, no line editing, all bytes as they are), its slave for this user alone.

    Where the system gives the slave to a group (tty, for write(1) and wall(1)) it is taken away: what others
    write on a terminal would be typed into the guest.

    Raises:
        OSError: the system has none left.
    """
    master, slave = os.openpty()
    try:
        tty.setraw(slave)
        os.fchmod(slave, 0o600)
        os.set_blocking(master, False)
        return _SystemPty(master, slave)
    except BaseException:
        os.close(master)
        os.close(slave)
        raise
