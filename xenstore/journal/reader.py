"""Recovery: what a journal's files hold, and a store made of it."""

import mmap
from collections.abc import Iterator
from typing import NamedTuple

from xenstore import _replay, _stream
from xenstore._replay import Ending, ReplayError
from xenstore.image import check
from xenstore.journal.files import Files
from xenstore.journal.image import Image
from xenstore.journal.segment import HEADER_BYTES, Header, Place, read_header
from xenstore.store import Store
from xenstore.stream import StreamError

#: How far generations jump at a recovery, so that no listing has one that it had before.
_GENERATION_GAP = 1 << 32


#: Above what no generation and no sequence of a journal is.
_NUMBER_MAX = 1 << 62


class Piece(NamedTuple):
    """Whole, checked frames: bytes start to end of `data`.

    Attributes:
        number: of the segment that they end in.
        begin: which file holds the first byte of data, and where there.
        rest: how much of data lies before that segment's frames.
    """

    data: bytes | memoryview
    start: int
    end: int
    number: int
    begin: tuple[int, int]
    rest: int

    def place(self, offset: int) -> tuple[int, int]:
        """The segment that an offset in data lies in, and where in its file."""
        if offset < self.rest:
            number, at = self.begin
            return number, at + offset
        return self.number, HEADER_BYTES + offset - self.rest


class Found:
    """A journal as its files tell it; nothing is changed by looking.

    Attributes:
        boot: which start of the host it is of, or "".
        life: what all its files share.
        number: of the last segment, whatever is in it.
        sequence: of the last frame that counts.
        image: number of the image that counts, or 0.
        base: the first segment that counts; what is older is superfluous.
        goes_on: where the next frame is to be, or None: in a segment of its own.
        unused: segments after that, which hold a part of a frame that never came to count.
        dropped: what does not count although it is there, a line for each.
        end: why the journal was not continued although the store was, or None.
        is_empty: there is nothing to recover.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._refusals: list[str] = []
        self._refused_images: set[int] = set()
        self._refused: dict[int, int] = {}  # where in a piece there is a bad frame, by the piece's number
        self._look()

    def _look(self) -> None:
        """Find out what counts, beside what was refused."""
        self.boot = ""
        self.life = b""
        self.sequence = 0
        self.base = 1
        self.dropped = list(self._refusals)
        self.end: str | None = None
        self.image = 0
        self.goes_on: Place | None = None
        self.unused: list[int] = []
        self._generation = 0
        self._image: Image | None = None
        self._segments: list[tuple[int, Header, memoryview]] = []
        logs = self._files.logs()
        self.number = max([0, *logs])
        self.is_empty = not self._find_base(logs)
        self._pieces: list[Piece] = [] if self.is_empty else list(self._scan())

    def recover(self, store: Store) -> None:
        """Make a fresh store hold what the journal says, and pass its own check.

        What the checksums vouch for and no store could have written is dropped, as what is damaged is: an
        image, or a frame and all after it.  Where nothing is left the journal `is_empty`, as is the store.
        """
        while not self.is_empty and not self._try(store):
            store.begin_anew()
            self._look()

    def _try(self, store: Store) -> bool:
        """Whether a store could be made; if not, something more is refused now."""
        if self._image is not None:
            try:
                self._image.load(store)
            except (StreamError, ValueError) as error:
                return self._refuse_image(error)
        generation = min(max(self._generation, _stream.generation(store)), _NUMBER_MAX)
        _replay.set_generation(store, generation + _GENERATION_GAP)
        for piece in self._pieces:
            try:
                _replay.apply(store, piece.data, piece.start, piece.end)
            except ReplayError as error:
                return self._refuse_frame(piece, error.offset, str(error))
        store.recalled()
        try:
            check(store)
        except ValueError as error:
            for piece in self._pieces:
                if piece.end > piece.start:
                    return self._refuse_frame(piece, piece.start, f"what follows here: {error}")
            return self._refuse_image(error)
        return True

    def _refuse_image(self, error: Exception) -> bool:
        self._refused_images.add(self.image)
        self._refusals.append(f"{self._files.image(self.image)}: {error}")
        return False

    def _refuse_frame(self, piece: Piece, offset: int, problem: str) -> bool:
        self._refused[piece.number] = offset
        number, at = piece.place(offset)
        self._refusals.append(f"{self._files.log(number)}: at byte {at}: {problem}")
        return False

    # --- where it begins --------------------------------------------------------------------------

    def _find_base(self, logs: list[int]) -> bool:
        """Find the image to begin with, and the segments after it."""
        for number in reversed(self._files.images()):
            if number in self._refused_images:
                continue
            try:
                self._image = Image(self._files.image(number))
            except (ValueError, OSError) as error:
                self.dropped.append(f"{self._files.image(number)}: {error}")
                continue
            self.life, self.sequence = self._image.life, self._image.sequence
            self.image = number
            self.base = self._image.place.segment
            self.number = max(self.number, self.base)
            break
        for number in logs:
            if number >= self.base:
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
            if header.sequence > _NUMBER_MAX:
                raise ValueError(f"frame {header.sequence} is out of range")
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
        cut = 0, 0  # where that is
        is_broken = False
        for number, header, frames in self._segments:
            where = self._files.log(number)
            begin = 0
            if self._image is not None and number == self._image.place.segment:
                begin = min(self._image.place.at, len(frames))
                follows = header.sequence <= self.sequence
            else:
                follows = header.sequence == self.sequence
                if follows and header.goes_on and not rest and not is_broken:
                    self.unused.append(number)
                    continue
            if not follows or (header.goes_on and is_broken):
                self.dropped.append(f"{where}: what it follows is missing")
                self.goes_on = None
                continue
            if not header.goes_on:
                self._drop_rest(cut, rest)
                rest, is_broken = b"", False
            data = rest + bytes(frames) if rest else frames
            if is_refused := number in self._refused:
                data = data[: self._refused[number]]
                begin = min(begin, len(data))
            missing = len(rest)
            end, self.sequence, generation, ending = _replay.scan(data, begin, self.sequence)
            self._generation = generation or self._generation
            piece = Piece(data, begin, end, number, cut if rest else (number, HEADER_BYTES), missing)
            yield piece
            is_broken = is_refused or ending is Ending.DAMAGED
            self.goes_on = None if is_refused or ending is not Ending.CLEAN else Place(number, end - missing)
            rest, cut = (b"", (0, 0)) if ending is not Ending.CUT else (bytes(data[end:]), piece.place(end))
            if is_broken and not is_refused:
                self.dropped.append(f"{where}: after frame {self.sequence}: {ending.value}")
        self._drop_rest(cut, rest)

    def _drop_rest(self, cut: tuple[int, int], rest: bytes) -> None:
        if rest:
            self.dropped.append(f"{self._files.log(cut[0])}: after frame {self.sequence}: its end is missing")


__all__ = ["Found"]
