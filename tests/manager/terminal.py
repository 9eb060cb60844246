"""A program on a terminal, and somebody who types."""

import os
import pty
import select
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.manager.daemon import PATIENCE_SECONDS


class Terminal:
    """Runs a program with a pseudo-terminal as its standard input, output and error.

    Attributes:
        shown: everything that was shown, line ends as they are.
    """

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], directory: Path) -> None:
        self._screen, terminal = pty.openpty()
        self._process = subprocess.Popen(
            argv,
            env=environment,
            cwd=directory,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        self.shown = b""
        self._seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._screen)

    def until(self, wanted: bytes) -> bytes:
        """What is shown from where the last call ended to the end of what is wanted."""
        while (found := self.shown.find(wanted, self._seen)) < 0:
            assert self._read(), self.shown
        begin, self._seen = self._seen, found + len(wanted)
        return self.shown[begin : self._seen]

    def type(self, text: bytes) -> None:
        """Press these keys."""
        os.write(self._screen, text)

    def signal(self, number: int) -> None:
        """Send the program a signal."""
        self._process.send_signal(number)

    def end(self) -> tuple[int, bytes]:
        """The program's exit status once it has ended by itself, and what else was shown."""
        while self._read():
            pass
        return self._process.wait(PATIENCE_SECONDS), self.shown[self._seen :]

    def _read(self) -> bool:
        """Takes what is shown next; whether there is more to come."""
        assert select.select([self._screen], [], [], PATIENCE_SECONDS)[0], self.shown
        try:
            data = os.read(self._screen, 4096)
        except OSError:  # Linux's end of a terminal
            return False
        self.shown += data
        return bool(data)
