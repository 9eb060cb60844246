"""Room for what a store may grow by: taken before it is needed, given back when it is not."""

from collections.abc import Callable, Iterator
from pathlib import Path

from xenstore.journal import budget, segment
from xenstore.journal.image import HEADER_BYTES
from xenstore.journal.log import Log
from xenstore.journal.reserve import Rooms
from xenstore.store import Store

#: How large the content may become while nothing bounds it.
NO_BOUND = (1 << 63) - 1


class Growth:
    """Reserves what images and the log need, and bounds what guests may add where no more is to be had.

    Attributes:
        rooms: the files of images.
        log: the segments.
        extra: bytes that the last image took beside the store's content, or negative: less.
        has_room: there was room at the last attempt.
    """

    def __init__(
        self, directory: Path, store: Store, rooms: Rooms, log: Log, log_line: Callable[[str], object]
    ) -> None:
        self._directory = directory
        self._store = store
        self._log_line = log_line
        self.rooms = rooms
        self.log = log
        self.extra = 0
        self.has_room = True

    def content(self) -> int:
        """What an image takes now, in bytes."""
        content = self._store.content
        return max(content + self.extra, content // 2) + HEADER_BYTES

    def most(self) -> int:
        """How many segments there may be."""
        return budget.segments(self.content(), sum(self.rooms.sizes()))

    @property
    def is_ahead(self) -> bool:
        """Whether there is as much room as guests may need without waiting for more."""
        return not self.has_room or self._store.content <= self._store.content_max

    def reserve(self) -> Iterator[None]:
        """Take the room that will be needed, and give back what will not, a slice a step.

        Raises:
            OSError: a file cannot be removed.
        """
        try:
            yield from self.rooms.extend(budget.room(self.content()))
            self.bound()
            yield from self.log.reserve()
            self._found_room()
        except OSError as error:
            self.bound()
            self._lacks_room(error)
        yield from self.log.shrink(self.most())

    def prepare(self) -> Iterator[None] | None:
        """Have a file for an image as it would be now, no larger than it must be, in slices; None: it is
        there."""
        content = self.content()
        if self.rooms.is_larger(budget.room(content) + budget.ahead()):
            return self.rooms.shorten(budget.room(content))
        return None if self.rooms.is_ready(content) else self.rooms.prepare(content)

    def make_room(self, wanted: int) -> None:
        """Guests are about to add so much, for which no room is reserved; `Store.content_max` tells what
        came of it."""
        if self.has_room:
            try:
                for _ in self.rooms.extend(budget.room(self.content() + wanted)):
                    pass
            except OSError as error:
                self._lacks_room(error)
        self.bound()

    def bound(self) -> None:
        """Let guests add what there is room for."""
        room = budget.growth(self.rooms.least()) - self.extra - HEADER_BYTES
        self._store.content_max = max(0, room)

    def adjust(self, is_quiet: bool) -> Iterator[None] | None:
        """What there is to do about the reserve, in slices, or None."""
        content = self.content()
        room = budget.room(content)
        if self.rooms.is_larger(room + budget.ahead()):
            return self.rooms.shorten(room)
        if not self.has_room or self.log.is_short or content > budget.growth(self.rooms.least()):
            return self.reserve()
        most = budget.SEGMENTS_AT_REST if is_quiet else self.most()
        return self.log.shrink(most) if self.log.is_longer(most) else None

    def is_too_large(self, is_quiet: bool) -> bool:
        """Whether an image would make a journal shorter that has to be, or, at rest, might as well be."""
        content = self.content()
        log = (self.log.in_use - 1) * segment.SEGMENT_BYTES
        if is_quiet and log > content // 2:
            return True
        return sum(self.rooms.sizes()) + log > budget.limit(content)

    def _lacks_room(self, error: OSError) -> None:
        if self.has_room:
            self.has_room = False
            self._log_line(
                f"the journal has no room to grow: {self._directory}: {error.strerror or error}; what is "
                "recorded stays so, and guests get ENOSPC for what grows: make room there, it is tried again"
            )

    def _found_room(self) -> None:
        if not self.has_room:
            self.has_room = True
            self._log_line("the journal has room to grow again")
