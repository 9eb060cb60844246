"""sysfs of Linux, by which devices are taken from drivers and given to others."""

import os
import re

__all__ = ["DRIVER_NAME", "write_file"]

#: The name of a driver, which is that of a directory there: nothing that leads anywhere else.
DRIVER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)


def write_file(path: str | os.PathLike[str], text: str) -> None:
    """One write to a file that is there; the kernel may take its time.

    Raises:
        OSError: it is not there, or the kernel refuses.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
