"""xend's log: one line an event, with the time, in a file that may be moved away."""

import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress

from xenstore.daemon import trusted
from xenstore.daemon.text import Lines, clean_lines, lines_of, one_line


class Log:
    """Appends lines to a file, and to standard error where xend runs in the foreground.

    A file that cannot be written costs nothing but its lines.
    """

    def __init__(
        self, path: str | None, to_stderr: bool, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._path = path
        self._to_stderr = to_stderr
        self._wall_clock = wall_clock
        self._fd = -1

    def open(self) -> None:
        """Begin, or go on in a new file.

        Raises:
            OSError: it cannot be opened; the one before stays.
        """
        if self._path is None:
            return
        fd = trusted.open_log(self._path, 0o640)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd

    def __call__(self, text: str) -> None:
        """A line, one always, whatever a guest or a script had to say in it; but for `Lines`."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._wall_clock()))
        for line in lines_of(text):
            data = f"{stamp} {line}\n".encode()
            with suppress(OSError):
                if self._fd >= 0:
                    os.write(self._fd, data)
            with suppress(OSError):
                if self._to_stderr:
                    os.write(sys.stderr.fileno(), data)

    def close(self) -> None:
        """End."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def log_fault(log: Callable[[str], object], where: str, fault: BaseException) -> None:
    """A fault of our own, with its traceback, as so many lines."""
    first, *rest = clean_lines("".join(traceback.format_exception(fault)))
    log(Lines("\n".join([f"{one_line(where)}: {first}", *rest])))
