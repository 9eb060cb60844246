"""xend's log: one line an event, with the time, in a file that may be moved away."""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress


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
        os.makedirs(os.path.dirname(self._path), mode=0o755, exist_ok=True)
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = fd

    def __call__(self, text: str) -> None:
        """A line, or several; bytes that are no text show as escapes."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._wall_clock()))
        for line in text.splitlines():
            shown = line if line.isprintable() else "".join(map(_shown, line))
            data = f"{stamp} {shown}\n".encode("utf-8", "backslashreplace")
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


def _shown(character: str) -> str:
    return character if character.isprintable() else f"\\x{ord(character):02x}"
