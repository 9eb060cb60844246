"""Keeping a journal: a log for the recorder, and images that make old segments of it superfluous."""

import os
from collections.abc import Callable, Collection, Iterator

from xenstore._failpoint import reach
from xenstore._recorder import Recorder
from xenstore.journal import budget, segment
from xenstore.journal.files import Files
from xenstore.journal.growth import NO_BOUND, Growth
from xenstore.journal.image import ImageWriter
from xenstore.journal.log import Log
from xenstore.journal.reserve import Rooms
from xenstore.journal.segment import Place, end_segment
from xenstore.store import Store


class Journal:
    """Records what happens to a store, from `start` on, in the files of a directory.

    What can wait is done in slices: `work`, which the store calls between turns.  The journal does not become
    larger than `budget.limit`: where the log runs ahead of the image, the image gets the time, and who writes
    waits for it (`Recorder.admits`).  Where there is no room for more, guests are refused what
    grows; where there is none for the log itself, the store goes on without, and the journal says of
    itself that it ends there.

    Attributes:
        failure: why nothing is recorded any more, or None.
    """

    def __init__(self, files: Files, store: Store, log: Callable[[str], object], boot: str) -> None:
        self._files = files
        self._store = store
        self._log_line = log
        self._rooms = Rooms(files)
        self._log = Log(files, boot, lambda: self._growth.most())
        self._growth = Growth(files.directory, store, self._rooms, self._log, log)
        self._image: ImageWriter | None = None
        self._images = 0  # number of the last one
        self._image_wanted = False
        self._image_failed = False  # at the last attempt
        self._is_troubled = False  # and it was said so
        self._expected = 1  # how large the image becomes
        self._begun_at = 0  # where the log was when it was begun,
        self._left = 0  # and how much was left of that
        self._release: Iterator[None] | None = None  # of what an image has replaced
        self._preparing: Iterator[None] | None = None  # a file for the next one
        self._reserving: Iterator[None] | None = None  # room for what may come
        self._seen = 0  # where the log was at the last `look`
        self._has_base = True  # the log follows an image, or nothing

    @property
    def failure(self) -> str | None:
        return self._recorder.failure

    def start(
        self,
        number: int = 0,
        sequence: int = 0,
        life: bytes = b"",
        place: Place | None = None,
        image: int = 0,
        base: int = 0,
        unused: Collection[int] = (),
    ) -> None:
        """Record from now on, after segment `number` and frame `sequence` of the recovered journal `life`: at
        `place` if that is given; all images but `image`, segments before `base` and those `unused` are
        used again (see `reader.Found`).

        number above 0 without a life: after the files of a journal that this store does not come from; what
        that one holds counts until an image is complete.

        Raises:
            OSError: the recovered journal cannot be continued, nor told so.
        """
        self._has_base = number == 0 or bool(life)
        self._recorder = Recorder(self._more, sequence)
        self._store.recorder = self._recorder
        self._store.work = self.work
        self._store.make_room = self._growth.make_room
        self._image_wanted = self._store.has_work = True
        self._log.number = number
        try:
            self._images = self._rooms.adopt(image)
            self._log.open(number, life or os.urandom(16), base, unused)
            self._begin(place)
        except OSError as error:
            self._break_off(error)
            return
        self._image_wanted = number > 0
        self._reserving = self._growth.reserve()
        if self._growth.content() <= 4 * segment.SEGMENT_BYTES:  # a larger one has its room from before
            while self._reserving is not None:
                self._reserving = self._step(self._reserving)
        self._growth.bound()
        self._pace()

    def _begin(self, place: Place | None = None) -> None:
        buffer = None if place is None else self._log.go_on(place)
        if place is not None and buffer is not None:
            self._recorder.into(buffer, place.at)
        else:
            self._recorder.into(self._log.begin(self._recorder.sequence, goes_on=False))

    def stop(self) -> None:
        """Record nothing any more; what is recorded stays, and what is reserved for it."""
        self._store.seal_now()
        self._store.recorder = self._store.work = self._store.make_room = None
        self._store.has_work = self._store.is_urgent = False
        self._store.content_max = NO_BOUND
        self._recorder.stop("stopped")
        self._abandon_image()
        self._store.go_on_recording()

    def leave(self, why: str) -> None:
        """Another program goes on with the store: this journal tells nothing any more, unless `retry`.

        Raises:
            OSError: the journal cannot be told so.
        """
        if self.failure is not None:
            return
        self._store.seal_now()
        self._end_here(why)

    # --- the log ------------------------------------------------------------------------------------

    def _more(self, goes_on: bool) -> memoryview:
        """The next segment's buffer, for the recorder."""
        try:
            buffer = self._log.begin(self._recorder.sequence, goes_on=goes_on)
        except OSError as error:
            self._break_off(error)
            raise
        self._pace(buffer.nbytes)
        if not self._growth.is_ahead and self._reserving is None:
            self._reserving = self._growth.reserve()
        self._store.has_work = True
        return buffer

    def _break_off(self, error: OSError) -> None:
        why = f"{self._files.log(self._log.number + 1)}: {error.strerror or error}"
        self._log_line(
            f"the journal cannot be continued: {why}; the store goes on, but nothing that changes from "
            "now on survives its end: make room there, it is tried again"
        )
        self._end_here(why)

    def _end_here(self, why: str) -> None:
        """Until the next `retry`; whoever recovers is told that what happened since is not there."""
        self._store.journal_failure = why
        self._store.make_room, self._store.content_max = None, NO_BOUND
        self._recorder.stop(why)
        self._abandon_image()
        self._release = self._preparing = self._reserving = None
        for number in self._files.logs():
            end_segment(self._files.log(number), why)
        reach("journal.ended")
        self._pace()

    # --- in slices ------------------------------------------------------------------------------------

    def work(self) -> bool:
        """A slice of what can wait; returns whether there is more."""
        if self.failure is not None:
            return False
        if self._store.is_behind and not self._image_failed:
            self._image_wanted = True
        if self._release is not None:  # first, for it makes room
            self._release = self._step(self._release)
        elif self._image is not None:
            self._write_image(self._image)
        elif self._image_wanted:
            self._begin_image()
        elif self._reserving is not None:
            self._reserving = self._step(self._reserving)
        self._pace()
        steps = self._release, self._image, self._reserving
        return self.failure is None and (self._image_wanted or any(each is not None for each in steps))

    def _step(self, steps: Iterator[None]) -> Iterator[None] | None:
        """Go on with something; returns it, or None at its end."""
        try:
            for _ in steps:
                return steps
        except OSError as error:
            self._log_line(f"what an image has replaced cannot be removed: {error}; the next one tries again")
        return None

    def _pace(self, room: int | None = None) -> None:
        """Decide who may record how much now, and whether the image has to hurry.  room: in the current
        segment."""
        recorder = self._recorder
        is_behind = False
        if self.failure is not None or self._image_failed or not self._log.goes_round:
            recorder.pace()
        else:
            here, left = recorder.placed, self._log.left(recorder.room if room is None else room)
            if self._image is not None:
                used, progress = here - self._begun_at, self._image.size / self._expected
                self._left = min(self._left, used + left)
                is_behind = budget.is_behind(used, self._left, progress)
                first, *others = budget.pace(self._left, progress)
                recorder.pace(self._begun_at + first, *others)
            else:
                most = self._log.most
                if self._release is None and budget.is_image_due(here - self._begun_at, left, most):
                    self._image_wanted = True
                first, *others = budget.pace_before(left, most)
                recorder.pace(here + first, *others)
        if self._store.is_behind:
            self._store.go_on_recording()
        self._store.is_urgent = is_behind or self._store.is_behind or not self._has_base

    # --- images -----------------------------------------------------------------------------------------

    def _begin_image(self) -> None:
        """Write an image of the store as it is now, once there is a file for it; the log goes on."""
        content = self._growth.content()
        try:
            if self._preparing is None:
                self._preparing = self._growth.prepare()
            if self._preparing is not None:
                for _ in self._preparing:
                    return
                self._preparing = None
            self._store.seal_now()
            if self.failure is not None:
                return
            recorder = self._recorder
            self._image = ImageWriter(
                self._files, self._images + 1, self._rooms.first(), self._store, self._log.life,
                recorder.sequence, Place(self._log.current, recorder.at),
            )  # fmt: skip
        except OSError as error:
            self._preparing = None
            self._no_image(error)
            return
        self._images += 1
        self._image_wanted = self._image_failed = False
        self._expected = content
        self._begun_at, self._left = recorder.placed, self._log.left(recorder.room)
        recorder.begin_round()

    def _write_image(self, image: ImageWriter) -> None:
        try:
            if not image.work():
                return
        except OSError as error:
            self._no_image(error)
            return
        self._image = None
        self._growth.extra += image.size - self._expected
        self._rooms.became(image.number)
        self._has_base = True
        self._store.journal_failure = None
        self._release = self._replaced_by(image)
        if self._is_troubled:
            self._is_troubled = False
            self._log_line("the journal is complete again")

    def _replaced_by(self, image: ImageWriter) -> Iterator[None]:
        """What an image makes superfluous becomes room for the next one; older images first."""
        for number in self._files.images():
            if number < image.number:
                yield from self._rooms.put(number)
        yield from self._log.release(image.place.segment)
        self._reserving = self._reserving or self._growth.reserve()

    def _no_image(self, error: OSError) -> None:
        """The log grows on; `look` tries again.  Where it has no base it is worth nothing."""
        what = "its log grows on until that works"
        if not self._has_base:
            what = "nothing survives the end of the store: make room there, it is tried again"
        self._image_failed = True
        if not self._is_troubled:
            self._is_troubled = True
            self._log_line(f"no image of the journal can be written: {error}; {what}")
        self._image_wanted = False
        self._abandon_image()
        if not self._has_base:
            self._end_here(error.strerror or str(error))

    def _abandon_image(self) -> None:
        if self._image is not None:
            self._image.close()
            self._image = None

    # --- from time to time ----------------------------------------------------------------------------------

    def look(self) -> None:
        """What is not noticed otherwise: room that there is again, and that the store is smaller, or at
        rest."""
        if self.failure is not None:
            self.retry()
            return
        is_quiet = self._seen == self._recorder.position
        self._seen = self._recorder.position
        if self._image is None and self._release is None:
            if self._image_failed or self._growth.is_too_large(is_quiet):
                self._image_wanted = True
            elif self._reserving is None:
                self._reserving = self._growth.adjust(is_quiet)
        self._store.has_work = self._store.has_work or self._image_wanted or self._reserving is not None

    def retry(self) -> None:
        """After a failure: begin anew if there is room now.  What was recorded before gives its room, but
        that it broke off is to be seen until an image is complete."""
        if self.failure is None:
            return
        self._log.number = max(self._log.number, 1)  # segment 1 would do without the image that is needed now
        self._has_base = False
        try:
            for kind, number in self._files.keep_end():
                if kind == "log":
                    self._log.put(number)
                else:
                    for _ in self._rooms.put(number):
                        pass
            self._recorder.restart()
            self._begin()
            self._store.make_room = self._growth.make_room
        except OSError as error:
            self._store.journal_failure = error.strerror or str(error)
            self._recorder.stop(self._store.journal_failure)
            return
        self._image_failed = False
        self._is_troubled = self._image_wanted = self._store.has_work = True
        self._pace()
