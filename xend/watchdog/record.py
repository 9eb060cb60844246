"""Which timer is armed, for the daemon that comes after one that was killed."""

import os
from contextlib import suppress
from pathlib import Path

from xenstore.daemon import trusted

_SIZE = 16


class Record:
    """A file with the number of the armed timer, in a directory that a reboot empties."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def read(self) -> int | None:
        """The number; None: no timer was left armed."""
        try:
            with open(trusted.open_file(self._path, os.O_RDONLY), "rb") as file:
                return int(file.read(_SIZE))
        except (OSError, ValueError):
            return None

    def write(self, timer: int) -> None:
        """Keep a number.

        Raises:
            OSError: it cannot be written.
        """
        fd = trusted.open_file(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        with open(fd, "wb") as file:
            file.write(b"%d\n" % timer)

    def remove(self) -> None:
        """No timer is armed."""
        with suppress(OSError):
            self._path.unlink()
