"""What a console showed, in files that an administrator reads later: bounded, and nobody else's to read.

The log holds the guest's bytes as they are, escape sequences included, as Xen's does: look at it with a pager
that shows them, or have `xenconsoled --replace-escape`.  A guest can fill the log, never the disk.
"""

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress

from xend.errors import XendError
from xenstore.daemon import trusted

__all__ = ["FILES_KEPT", "SIZE_LIMIT_BYTES", "ConsoleLog", "log_path"]

SIZE_LIMIT_BYTES = 1 << 20
FILES_KEPT = 3  # besides the current one
_NAME_MAX_BYTES = 240  # of the 255 that file systems have, less ".log.3" and a prefix


def log_path(directory: str, name: str) -> str:
    """DIRECTORY/NAME.log.  Users choose the names of domains, so they are checked to be a file's.

    Raises:
        XendError: bad_config: the name would lead out of the directory, or is no file name.
    """
    encoded = os.fsencode(name)
    if not name or name.startswith(".") or any(byte < 32 or byte in b"/\x7f" for byte in encoded):
        raise XendError("bad_config", f"{name!r} cannot be the name of a console's log", hint=_HINT)
    if len(encoded) > _NAME_MAX_BYTES:
        raise XendError(
            "bad_config", f"{name[:40]!r}...: {len(encoded)} bytes are too long a name", hint=_HINT
        )
    return os.path.join(directory, f"{name}.log")


_HINT = f"a domain's name: up to {_NAME_MAX_BYTES} bytes, no '/', no control character, no dot in front"


class ConsoleLog:
    """One log: PATH, and the older PATH.1 to PATH.N, none larger than `size_limit` bytes.

    A disk that is full, or a directory that is gone, is said once, and once more when it is over: consoles go
    on meanwhile.
    """

    def __init__(
        self,
        path: str,
        log_line: Callable[[str], object],
        *,
        filters: Sequence[Callable[[bytes], bytes]] = (),
        size_limit: int = SIZE_LIMIT_BYTES,
        kept: int = FILES_KEPT,
    ) -> None:
        """Opens the file at the first write.

        Args:
            log_line: gets one line when something changes for whoever relies on this log.
            filters: what is done to the bytes, in order (see `stamp`).
        """
        self.path = path
        self._log_line = log_line
        self._filters = filters
        self._size_limit = size_limit
        self._kept = kept
        self._fd = -1
        self._size = 0
        self._lost = 0
        self._failing = False

    def write(self, data: bytes) -> None:
        """Append; never raises, waits only as long as the file system does."""
        for change in self._filters:
            data = change(data)
        while data:
            try:
                written = self._append(data[: self._size_limit])
            except OSError as error:
                self._fail(error, len(data))
                return
            data = data[written:]
        if self._failing:
            self._recovered()

    def reopen(self) -> None:
        """The next write opens the file by its name: somebody else may have moved it (logrotate)."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    close = reopen

    def _append(self, data: bytes) -> int:
        if self._fd < 0:
            self._open()
        if self._size and self._size + len(data) > self._size_limit:
            self._rotate()
        written = os.write(self._fd, data)
        self._size += written
        return written

    def _open(self) -> None:
        fd = trusted.open_log(self.path)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise OSError(0, "is no regular file")
        self._fd, self._size = fd, status.st_size

    def _rotate(self) -> None:
        """Begin a new file.  Where that fails nothing is written: the bound comes first."""
        for number in range(self._kept, 1, -1):
            with suppress(FileNotFoundError):
                os.replace(f"{self.path}.{number - 1}", f"{self.path}.{number}")
        with suppress(FileNotFoundError):  # somebody else moved it
            if self._kept:
                os.replace(self.path, f"{self.path}.1")
            else:
                os.unlink(self.path)
        self.reopen()
        self._open()

    def _fail(self, error: OSError, count: int) -> None:
        self._lost += count
        if not self._failing:
            self._failing = True
            self._log_line(f"console log {self.path}: {error.strerror}; the console goes on without it")

    def _recovered(self) -> None:
        self._log_line(f"console log {self.path}: written again, {self._lost} bytes are missing in it")
        self._failing = False
        self._lost = 0
