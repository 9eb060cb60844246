"""sysfs of Linux, by which devices are taken from drivers and given to others."""

import os
import re
from collections.abc import Awaitable, Callable

import trio

__all__ = ["DRIVER_NAME", "WriteSysfs", "write_at_once", "write_in_time"]

#: The name of a driver, which is that of a directory there: nothing that leads anywhere else.
DRIVER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)
#: How long the kernel may take for a write, in seconds: a reset, or a driver that begins to work.
WRITE_SECONDS = 60.0

#: One write to a file that is there; raises OSError: it is not there, or the kernel refuses.
WriteSysfs = Callable[[str | os.PathLike[str], str], Awaitable[None]]


async def write_in_time(path: str | os.PathLike[str], text: str) -> None:
    """In a thread, as the kernel may take its time.

    Raises:
        OSError: as `WriteSysfs`; or it has not answered.
    """
    with trio.move_on_after(WRITE_SECONDS):
        await trio.to_thread.run_sync(write_at_once, path, text, abandon_on_cancel=True)
        return
    raise OSError(None, f"{path}: the kernel has not answered for {WRITE_SECONDS:g} s")


def write_at_once(path: str | os.PathLike[str], text: str) -> None:
    """By this thread.

    Raises:
        OSError: as `WriteSysfs`.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
