"""The names of a journal's files, and which there are."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from xenstore.daemon import trusted
from xenstore.journal.segment import HEADER_BYTES

#: How much of a file is removed in a step.
SLICE_BYTES = 4 << 20
_NAME = re.compile(r"(log|image|spare|room)\.(\d+)")


class Files:
    """The directory of one journal.

    Raises:
        OSError: it cannot be made or read.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def create(self) -> None:
        """Make the directory, for its owner alone, and remove what was left half made.

        Raises:
            Untrusted: somebody else could have made or changed it, or what is in it.
        """
        trusted.make_directory(self.directory, 0o700)
        trusted.check_files(self.directory)
        for path in self.directory.glob("*.new"):
            path.unlink()

    def log(self, number: int) -> Path:
        return self.directory / f"log.{number}"

    def image(self, number: int) -> Path:
        return self.directory / f"image.{number}"

    def spare(self, number: int) -> Path:
        return self.directory / f"spare.{number}"

    def room(self, number: int) -> Path:
        return self.directory / f"room.{number}"

    def logs(self) -> list[int]:
        """Numbers of the segments there are, ascending."""
        return self._numbers("log")

    def images(self) -> list[int]:
        """Numbers of the images there are, ascending."""
        return self._numbers("image")

    def spares(self) -> list[int]:
        """Numbers of the files that wait to become segments, ascending."""
        return self._numbers("spare")

    def rooms(self) -> list[int]:
        """Numbers of the files that wait to become images, ascending."""
        return self._numbers("room")

    def _numbers(self, kind: str) -> list[int]:
        if not self.directory.is_dir():
            return []
        names = (_NAME.fullmatch(path.name) for path in self.directory.iterdir())
        return sorted(int(name[2]) for name in names if name is not None and name[1] == kind)

    def keep_end(self) -> Iterator[tuple[str, int]]:
        """Let go of a journal that says of itself why it ended, all but that: ("image" or "log", its
        number) of
        each file that is not needed any more, for the caller to move away before the next one is asked
        for."""
        for number in self.images():
            yield "image", number
        *numbers, last = self.logs() or [0]
        for number in numbers:
            yield "log", number
        if last:
            os.truncate(self.log(last), HEADER_BYTES)

    def remove_all(self) -> None:
        """Remove every file that says something; last the segment that may say why the journal ended."""
        for number in self.images():
            self.image(number).unlink()
        for number in self.logs():
            self.log(number).unlink()

    def remove_reserve(self) -> None:
        """Remove what was kept for later."""
        for number in self.spares():
            self.spare(number).unlink()
        for number in self.rooms():
            self.room(number).unlink()


def remove(path: Path) -> Iterator[None]:
    """Remove a file, a slice a step: giving back all its memory at once may take many milliseconds.

    Raises:
        OSError: in a step.
    """
    for left in range(path.stat().st_size - SLICE_BYTES, 0, -SLICE_BYTES):
        os.truncate(path, left)
        yield
    path.unlink()
    yield
