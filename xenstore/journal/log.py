"""The segments of the log: where each next one comes from, and how much is left."""

import os
from collections.abc import Callable, Collection, Iterator

from xenstore._failpoint import reach
from xenstore.journal import budget, segment
from xenstore.journal.files import Files
from xenstore.journal.reserve import Spares, is_full
from xenstore.journal.segment import HEADER_BYTES, Header, Place, Segment


class Log:
    """The log of one journal.

    most: how many segments there may be.

    Attributes:
        number: of the last segment there is.
        current: number of the one that is being written.
        spares: what it is continued with.
        may_grow: there was room for one more, at the last attempt, if there was one.
    """

    def __init__(self, files: Files, boot: str, most: Callable[[], int]) -> None:
        self._files = files
        self._boot = boot
        self._most = most
        self.life = b""
        self.number = 0
        self.current = 0
        self.spares = Spares(files)
        self.may_grow = False
        self._in_use = 0

    def open(self, number: int, life: bytes, base: int, unused: Collection[int]) -> None:
        """Go on after segment `number`; those before `base`, and those that are `unused`, become spares.

        Raises:
            OSError: the directory cannot be read, or changed.
        """
        self.number = number
        self.life = life
        self.spares.adopt()
        self._in_use = len(self._files.logs())
        for each in self._files.logs():
            if each < base or each in unused:
                self.put(each)

    def go_on(self, place: Place) -> memoryview | None:
        """The segment of a place, to be written from there on; None: a new one is needed.

        Raises:
            OSError: it cannot be written.
        """
        path = self._files.log(place.segment)
        if not is_full(path, segment.SEGMENT_BYTES):
            return None
        self.current = place.segment
        return Segment(path).buffer

    def begin(self, sequence: int, *, goes_on: bool) -> memoryview:
        """A new segment, after frame `sequence`; goes_on: in the midst of the next one.

        Raises:
            OSError: there is no room for it.
        """
        self._provide()
        reach("segment.filled")
        path = self.spares.take()
        buffer = Segment(path, Header(self.number + 1, sequence, goes_on, self.life, self._boot)).buffer
        os.rename(path, self._files.log(self.number + 1))
        self.number = self.current = self.number + 1
        self._in_use += 1
        reach("segment.begun")
        return buffer

    def _provide(self) -> None:
        """Have a spare one; and one more, as long as there may be more, so that a disk that is full is
        noticed before the last one is used."""
        if self.may_grow and len(self.spares.ready) <= budget.SEGMENTS_LEFT + 1 and self.count < self._most():
            try:
                self.spares.add_one()
            except OSError:
                self.may_grow = False
        if not self.spares.ready:
            self.spares.add_one()

    @property
    def count(self) -> int:
        """How many segments there are, spare ones included."""
        return self._in_use + len(self.spares.ready)

    @property
    def most(self) -> int:
        """How many segments there may be: with the room that there is."""
        return self._most() if self.may_grow else self.count

    @property
    def in_use(self) -> int:
        """How many there are without spare ones."""
        return self._in_use

    @property
    def goes_round(self) -> bool:
        """Whether images can keep it going, without more room than there is."""
        return self.may_grow or self.count >= budget.SEGMENTS_AT_REST

    def left(self, room: int) -> int:
        """How many bytes can be recorded before segments must be used again, of which `room` are left in the
        current one."""
        more = len(self.spares.ready) - budget.SEGMENTS_LEFT
        if self.may_grow:
            more = max(more, self.most - self._in_use - budget.SEGMENTS_LEFT)
        if more > 0:
            return room + more * (segment.SEGMENT_BYTES - HEADER_BYTES)
        return max(0, room - segment.SEGMENT_BYTES // 16)

    def reserve(self) -> Iterator[None]:
        """Have as many as there are at rest, and learn whether there is room for more, a slice a step.

        Raises:
            OSError: there is none.
        """
        try:
            while self.is_short:
                count = self.count
                self.spares.work()
                if self.count > count:
                    self.may_grow = True
                yield
        except OSError:
            self.may_grow = False
            raise

    @property
    def is_short(self) -> bool:
        """Whether `reserve` has something to do."""
        few = self.count < budget.SEGMENTS_AT_REST or len(self.spares.ready) <= budget.SEGMENTS_LEFT
        return not self.may_grow or (few and self.count < self._most())

    def release(self, before: int) -> Iterator[None]:
        """Use the segments before one again, a file a step.

        Raises:
            OSError: in a step.
        """
        for number in self._files.logs():
            if number < before:
                self.put(number)
                yield

    def put(self, number: int) -> None:
        """Use one segment again, unless there are too many.

        Raises:
            OSError: it can be neither moved nor removed.
        """
        if self.count > self._most():
            self._files.log(number).unlink()
        else:
            self.spares.put(number)
        self._in_use -= 1

    def is_longer(self, than: int) -> bool:
        """Whether `shrink` has something to do."""
        return self.count > than and len(self.spares.ready) >= budget.SEGMENTS_AT_REST

    def shrink(self, to: int) -> Iterator[None]:
        """Remove spare ones until there are so many segments, a file a step.

        Raises:
            OSError: in a step.
        """
        while self.is_longer(to):
            self.spares.remove_one()
            yield
