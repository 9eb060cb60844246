"""The names of a journal's files, and which there are."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from xenstore import ground
from xenstore.journal.segment import HEADER_BYTES

#: How much of a file is removed in a step.
_SLICE_BYTES = 4 << 20
_NAME = re.compile(r"(log|image)\.(\d+)")


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
        ground.make_directory(self.directory, 0o700)
        ground.check_files(self.directory)
        for path in self.directory.glob("*.new"):
            path.unlink()

    def log(self, number: int) -> Path:
        return self.directory / f"log.{number}"

    def image(self, number: int) -> Path:
        return self.directory / f"image.{number}"

    def logs(self) -> list[int]:
        """Numbers of the segments there are, ascending."""
        return self._numbers("log")

    def images(self) -> list[int]:
        """Numbers of the images there are, ascending."""
        return self._numbers("image")

    def _numbers(self, kind: str) -> list[int]:
        if not self.directory.is_dir():
            return []
        names = (_NAME.fullmatch(path.name) for path in self.directory.iterdir())
        return sorted(int(name[2]) for name in names if name is not None and name[1] == kind)

    def remove_before(self, number: int) -> Iterator[None]:
        """Remove what an image makes superfluous, a slice a step; of all older than `number`, images first.

        A large file is cut shorter and shorter: giving back its memory at once may take many milliseconds.

        Raises:
            OSError: in a step.
        """
        for old in self.images():
            if old < number:
                yield from _remove(self.image(old))
        for old in self.logs():
            if old < number:
                yield from _remove(self.log(old))

    def keep_end(self) -> None:
        """Remove a journal that says of itself why it ended, all but that."""
        for number in self.images():
            self.image(number).unlink()
        *numbers, last = self.logs() or [0]
        for number in numbers:
            self.log(number).unlink()
        if last:
            os.truncate(self.log(last), HEADER_BYTES)

    def remove_all(self) -> None:
        """Remove every file of the journal; last the segment that may say why it ended."""
        for number in self.images():
            self.image(number).unlink()
        for number in self.logs():
            self.log(number).unlink()


def _remove(path: Path) -> Iterator[None]:
    for size in range(path.stat().st_size - _SLICE_BYTES, 0, -_SLICE_BYTES):
        os.truncate(path, size)
        yield
    path.unlink()
    yield
