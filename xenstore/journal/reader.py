"""Recovery: what a journal's files hold, and a store made of it."""

import mmap
from collections.abc import Iterator
from typing import NamedTuple

from xenstore import _replay, _stream
from xenstore._replay import Ending, ReplayError
from xenstore.journal.files import Files
from xenstore.journal.image import Image
from xenstore.journal.segment import HEADER_BYTES, Header, read_header
from xenstore.store import Store
from xenstore.stream import StreamError

#: How far generations jump at a recovery, so that no listing has one that it had before.
_GENERATION_GAP = 1 << 32


class Piece(NamedTuple):
    """Whole, checked frames: bytes start to end of `data`."""

    data: bytes | memoryview
    start: int
    end: int


class Found:
    """A journal as its files tell it; nothing is changed by looking.

    Attributes:
        boot: which start of the host it is of, or "".
        life: what all its files share.
        number: of the last segment, whatever is in it.
        sequence: of the last frame that counts.
        dropped: what does not count although it is there, a line for each.
        end: why the journal was not continued although the store was, or None.
        is_empty: there is nothing to recover.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self.boot = ""
        self.life = b""
        self.sequence = 0
        self.dropped: list[str] = []
        self.end: str | None = None
        self._generation = 0
        self._image: Image | None = None
        self._segments: list[tuple[int, Header, memoryview]] = []
        logs = files.logs()
        self.number = max([0, *logs, *files.images()])
        self.is_empty = not self._find_base(logs)
        self._pieces: list[Piece] = [] if self.is_empty else list(self._scan())

    def recover(self, store: Store) -> None:
        """Make a fresh store hold what the journal says.

        Raises:
            StreamError, ReplayError: it is damaged where no checksum shows it; the store is good for nothing.
        """
        if self._image is not None:
            self._image.load(store)
        generation = max(self._generation, _stream.generation(store))
        _replay.set_generation(store, generation + _GENERATION_GAP)
        for data, start, end in self._pieces:
            _replay.apply(store, data, start, end)
        store.recalled()

    # --- where it begins --------------------------------------------------------------------------

    def _find_base(self, logs: list[int]) -> bool:
        """Find the image to begin with, and the segments after it."""
        begin = 1
        for number in reversed(self._files.images()):
            try:
                self._image = Image(self._files.image(number))
            except (ValueError, OSError) as error:
                self.dropped.append(f"{self._files.image(number)}: {error}")
                continue
            self.life, self.sequence = self._image.life, self._image.sequence
            begin = number
            break
        for number in logs:
            if number >= begin:
                self._add_segment(number)
        first = self._segments[0] if self._segments else None
        if self._image is None and (first is None or first[0] != 1):
            if first is not None:
                where = self._files.log(first[0])
                self.dropped.append(f"{where} and later: the image that they follow is missing")
            return False
        return True

    def _add_segment(self, number: int) -> None:
        path = self._files.log(number)
        try:
            with open(path, "rb") as file:
                data = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
            header = read_header(data)
        except (ValueError, OSError) as error:
            self.dropped.append(f"{path}: {error}")
            return
        self.life = self.life or header.life
        if (header.number, header.life) != (number, self.life):
            self.dropped.append(f"{path}: it belongs to another journal")
            return
        self.boot = header.boot
        self.end = header.end or self.end
        self._segments.append((number, header, data[HEADER_BYTES:]))

    # --- frames -----------------------------------------------------------------------------------

    def _scan(self) -> Iterator[Piece]:
        """The frames that count, in order."""
        rest = b""  # the part of a frame at the end of the segment before
        cut = ""  # where that is
        is_broken = False
        for number, header, frames in self._segments:
            where = self._files.log(number)
            if header.sequence != self.sequence or (header.goes_on and is_broken):
                self.dropped.append(f"{where}: what it follows is missing")
                continue
            if not header.goes_on:
                self._drop_rest(cut, rest)
                rest, is_broken = b"", False
            data = rest + bytes(frames) if rest else frames
            end, self.sequence, generation, ending = _replay.scan(data, 0, self.sequence)
            self._generation = generation or self._generation
            yield Piece(data, 0, end)
            rest, cut = (bytes(data[end:]), f"{where}") if ending is Ending.CUT else (b"", "")
            is_broken = ending is Ending.DAMAGED
            if is_broken:
                self.dropped.append(f"{where}: after frame {self.sequence}: {ending.value}")
        self._drop_rest(cut, rest)

    def _drop_rest(self, where: str, rest: bytes) -> None:
        if rest:
            self.dropped.append(f"{where}: after frame {self.sequence}: its end is missing")


__all__ = ["Found", "ReplayError", "StreamError"]
