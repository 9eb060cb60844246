"""Room that is taken before it is needed: files that become segments and images, and are used again after
that."""

import os
from collections.abc import Iterator
from pathlib import Path

from xenstore._failpoint import reach
from xenstore.daemon import files
from xenstore.journal import segment
from xenstore.journal.files import SLICE_BYTES, Files, remove

#: How much is filled in a step.
_SLICE_BYTES = 256 << 10
_ZEROS = bytes(_SLICE_BYTES)
#: An image's file has its header in front.
_ROOM_MIN = 4096
#: How many files for images there are in all: one counts, the next one is written to the other.
IMAGE_FILES = 2


class Spares:
    """Files that are as long as a segment, and not sparse.

    Attributes:
        ready: numbers of those that wait.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._made = files.directory / "spare.new"
        self._done = 0
        self._last = 0
        self.ready: list[int] = []

    def adopt(self) -> None:
        """Keep those that an earlier program left; remove what is none.

        Raises:
            OSError: one cannot be removed.
        """
        self.ready = []
        for number in self._files.spares():
            if is_full(self._files.spare(number), segment.SEGMENT_BYTES):
                self.ready.append(number)
            else:
                self._files.spare(number).unlink()
            self._last = max(self._last, number)

    def work(self) -> None:
        """Fill a slice of another one.

        Raises:
            OSError: there is no room.
        """
        try:
            _extend(self._made, min(self._done + _SLICE_BYTES, segment.SEGMENT_BYTES), self._done)
        except OSError:
            self.drop()
            raise
        self._done = min(self._done + _SLICE_BYTES, segment.SEGMENT_BYTES)
        if self._done == segment.SEGMENT_BYTES:
            self._done = 0
            self._add(self._made)

    def add_one(self) -> None:
        """Have one more.

        Raises:
            OSError: there is no room.
        """
        count = len(self.ready)
        while len(self.ready) == count:
            self.work()

    def take(self) -> Path:
        """One that waits, to be given another name."""
        return self._files.spare(self.ready.pop())

    def put(self, number: int) -> None:
        """Segment `number` of the log is not needed any more.

        Raises:
            OSError: it cannot be moved.
        """
        path = self._files.log(number)
        if not is_full(path, segment.SEGMENT_BYTES):
            path.unlink()
            return
        self._add(path)
        reach("segment.recycled")

    def remove_one(self) -> None:
        """Give one back.

        Raises:
            OSError: it cannot be removed.
        """
        self._files.spare(self.ready.pop()).unlink()

    def drop(self) -> None:
        """Remove what is half made."""
        self._done = 0
        self._made.unlink(missing_ok=True)

    def _add(self, path: Path) -> None:
        self._last += 1
        os.rename(path, self._files.spare(self._last))
        self.ready.append(self._last)


class Rooms:
    """Files of images: those that wait to be written, and the one that counts, if there is one.

    Attributes:
        ready: numbers of those that wait; the first is written next.
        image: number of the image that counts, or 0.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._last = 0
        self.ready: list[int] = []
        self.image = 0
        self._sizes: list[int] | None = None  # None: they have to be asked for

    def adopt(self, image: int) -> int:
        """Keep what an earlier program left, of which `image` counts, or all images do (0); remove what is
        sparse. Returns the number of the last image that there was.

        Raises:
            OSError: a file cannot be moved or removed.
        """
        images = self._files.images()
        self.ready, self._sizes = [], None
        self.image = image or max([0, *images])
        for number in self._files.rooms():
            path = self._files.room(number)
            if len(self.ready) < IMAGE_FILES and is_full(path, path.stat().st_size):
                self.ready.append(number)
            else:
                path.unlink()
            self._last = max(self._last, number)
        for number in images:
            if image and number != image:
                for _ in self.put(number):
                    pass
        return max([0, *images])

    def sizes(self) -> list[int]:
        """Of all files."""
        if self._sizes is None:
            self._sizes = [path.stat().st_size for path in self._paths()]
        return self._sizes

    def least(self) -> int:
        """How long an image may be that can be written again and again without further room."""
        sizes = self.sizes()
        return min(sizes) if len(sizes) >= IMAGE_FILES else 0

    def is_ready(self, size: int) -> bool:
        """Whether there is a file in which an image of this size can be written."""
        return bool(self.ready) and self._files.room(self.ready[0]).stat().st_size >= size

    def prepare(self, size: int) -> Iterator[None]:
        """Have such a file, a slice a step.

        Raises:
            OSError: there is no room.
        """
        if not self.ready:
            self._add()
        while not self.is_ready(size):
            self._grow(self.first(), size)
            yield

    def extend(self, size: int) -> Iterator[None]:
        """Have all files, and each of this size at least, a slice a step.

        Raises:
            OSError: there is no room.
        """
        while len(self._paths()) < IMAGE_FILES:
            self._add()
        while (path := self._first_below(size)) is not None:
            self._grow(path, size)
            yield

    def is_larger(self, size: int) -> bool:
        """Whether a file that waits is larger than this."""
        return any(self._files.room(number).stat().st_size > size for number in self.ready)

    def shorten(self, size: int) -> Iterator[None]:
        """Let none that waits be larger than this, a slice a step.

        Raises:
            OSError: in a step.
        """
        while self.is_larger(size):
            path = next(path for path in map(self._files.room, self.ready) if path.stat().st_size > size)
            os.truncate(path, max(size, path.stat().st_size - SLICE_BYTES))
            self._sizes = None
            yield

    def first(self) -> Path:
        """The file that is written next."""
        return self._files.room(self.ready[0])

    def became(self, image: int) -> None:
        """The first that waited is image `image` now, the one that counts; older ones are to be `put`."""
        self.ready.pop(0)
        self.image = image
        self._sizes = None

    def put(self, image: int) -> Iterator[None]:
        """Image `image` does not count any more, a slice a step.

        Raises:
            OSError: it can be neither moved nor removed.
        """
        self._sizes = None
        if image == self.image:
            self.image = 0
        if len(self._paths()) >= IMAGE_FILES:
            yield from remove(self._files.image(image))
            return
        self._last += 1
        os.rename(self._files.image(image), self._files.room(self._last))
        self.ready.append(self._last)
        reach("image.recycled")
        yield

    def _paths(self) -> list[Path]:
        waiting = [self._files.room(number) for number in self.ready]
        return [*waiting, self._files.image(self.image)] if self.image else waiting

    def _first_below(self, size: int) -> Path | None:
        """The first file that is shorter; asked for again in each step, for files change their names
        meanwhile."""
        return next((path for path in self._paths() if path.stat().st_size < size), None)

    def _grow(self, path: Path, size: int) -> None:
        self._sizes = None
        have = path.stat().st_size
        _extend(path, min(have + _SLICE_BYTES, size), have)

    def _add(self) -> None:
        self._sizes = None
        path = self._files.room(self._last + 1)
        try:
            _extend(path, _ROOM_MIN, 0)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        self._last += 1
        self.ready.append(self._last)


def _extend(path: Path, size: int, have: int) -> None:
    """Have a file with bytes up to `size`, of which it has `have` already."""
    fd = files.create(path) if have == 0 else os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.lseek(fd, have, os.SEEK_SET)
        files.write_all(fd, _ZEROS[: size - have])
    finally:
        os.close(fd)


def is_full(path: Path, size: int) -> bool:
    """Whether a file is so long and has all its blocks: where one is missing, a full disk would be no
    error."""
    status = os.lstat(path)
    return size >= _ROOM_MIN and status.st_size == size and status.st_blocks * 512 >= size
