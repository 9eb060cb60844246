"""Keeping a journal: segments for the recorder, and images that make old segments superfluous."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress

from xenstore import private_file
from xenstore._failpoint import reach
from xenstore._recorder import Recorder
from xenstore.journal.files import Files
from xenstore.journal.image import ImageWriter
from xenstore.journal.segment import SEGMENT_BYTES, Header, Segment, end_segment, fill
from xenstore.store import Store

#: How much is logged after an image before the next one is begun: this, or as much as the image holds.
LOG_BYTES_MIN = 4 * SEGMENT_BYTES


class Journal:
    """Records what happens to a store, from `start` on, in the files of a directory.

    What can wait is done in slices: `work`, which the store calls between turns.  Where there is no room for
    the log, the store goes on without, and the journal says of itself that it ends there.

    Attributes:
        failure: why nothing is recorded any more, or None.
    """

    def __init__(self, files: Files, store: Store, log: Callable[[str], object], boot: str) -> None:
        self._files = files
        self._store = store
        self._log = log
        self._boot = boot
        self._life = b""
        self._number = 0
        self._segment: Segment | None = None
        self._spare = _Spare(files)
        self._image: ImageWriter | None = None
        self._removal: Iterator[None] | None = None
        self._image_wanted = False
        self._image_bytes = 0
        self._written_at_image = 0
        self._image_failed = False
        self._has_base = True  # the log follows an image, or nothing

    @property
    def failure(self) -> str | None:
        return self._recorder.failure

    def start(self, number: int = 0, sequence: int = 0, life: bytes = b"") -> None:
        """Record from now on, after segment `number` and frame `sequence` of the recovered journal `life`.

        number above 0 without a life: after the files of a journal that this store does not come from; what
        that one holds counts until an image is complete.

        Raises:
            OSError: the recovered journal cannot be continued, nor told so.
        """
        self._number = number
        self._life = life or os.urandom(16)
        self._has_base = number == 0 or bool(life)
        self._recorder = Recorder(self._more, sequence)
        self._store.recorder = self._recorder
        self._store.work = self.work
        self._image_wanted = self._store.has_work = True
        try:
            self._begin_segment(goes_on=False)
        except OSError as error:
            self._break_off(error)
            return
        self._image_wanted = number > 0

    def stop(self) -> None:
        """Record nothing any more; what is recorded stays."""
        self._store.seal_now()
        self._store.recorder = self._store.work = None
        self._store.has_work = False
        self._recorder.stop("stopped")
        self._abandon_image()
        self._spare.drop()

    def leave(self, why: str) -> None:
        """Another program goes on with the store: this journal tells nothing any more, unless `retry`.

        Raises:
            OSError: the journal cannot be told so.
        """
        if self.failure is not None:
            return
        self._store.seal_now()
        self._end_here(why)

    # --- segments ---------------------------------------------------------------------------------

    def _more(self) -> memoryview:
        """The next segment's buffer, for the recorder, in the midst of a frame."""
        try:
            buffer = self._begin_segment(goes_on=True)
        except OSError as error:
            self._break_off(error)
            raise
        if self._recorder.written - self._written_at_image > max(LOG_BYTES_MIN, self._image_bytes):
            self._image_wanted = True
        self._store.has_work = True
        return buffer

    def _break_off(self, error: OSError) -> None:
        why = f"{self._files.log(self._number + 1)}: {error.strerror or error}"
        self._log(
            f"the journal cannot be continued: {why}; the store goes on, but nothing that changes from "
            "now on survives its end: make room there, it is tried again"
        )
        self._end_here(why)

    def _end_here(self, why: str) -> None:
        """Until the next `retry`; whoever recovers is told that what happened since is not there."""
        self._store.journal_failure = why
        self._recorder.stop(why)
        self._abandon_image()
        for number in self._files.logs():
            end_segment(self._files.log(number), why)

    def _begin_segment(self, *, goes_on: bool) -> memoryview:
        path = self._files.log(self._number + 1)
        self._spare.finish(path)
        reach("segment.filled")
        header = Header(self._number + 1, self._recorder.sequence, goes_on, self._life, self._boot)
        self._segment = Segment(path, header)
        self._number += 1
        reach("segment.begun")
        if not goes_on:
            self._recorder.into(self._segment.buffer)
        return self._segment.buffer

    # --- in slices --------------------------------------------------------------------------------

    def work(self) -> bool:
        """A slice of what can wait; returns whether there is more."""
        if self.failure is not None:
            return False
        if self._removal is not None:  # first, for it makes room
            self._remove(self._removal)
            return True
        if not self._spare.is_full:
            return self._work_on_spare()
        if self._image is not None:
            self._write_image(self._image)
        elif self._image_wanted:
            self._begin_image()
        return self._image is not None or self._removal is not None or not self._spare.is_full

    def _work_on_spare(self) -> bool:
        try:
            self._spare.work()
        except OSError as error:  # the log goes on as long as its segment lasts
            if self._image_wanted or self._image is not None:
                self._image_wanted = False
                self._no_image(error)
            return False
        return True

    def _begin_image(self) -> None:
        """Write an image of the store as it is now; the log goes on in a segment of its own."""
        self._image_wanted = False
        self._written_at_image = self._recorder.written
        self._store.seal_now()
        try:
            self._begin_segment(goes_on=False)
            self._image = ImageWriter(
                self._files, self._number, self._store, self._life, self._recorder.sequence
            )
        except OSError as error:
            self._no_image(error)

    def _write_image(self, image: ImageWriter) -> None:
        try:
            if not image.work():
                return
            self._image_bytes = image.size
        except OSError as error:
            self._no_image(error)
            return
        self._image = None
        self._has_base = True
        self._store.journal_failure = None
        self._removal = self._files.remove_before(image.number)
        if self._image_failed:
            self._image_failed = False
            self._log("the journal is complete again")

    def _remove(self, removal: Iterator[None]) -> None:
        try:
            for _ in removal:
                return  # the rest is for later
        except OSError as error:
            self._log(f"what an image has replaced cannot be removed: {error}; the next one tries again")
        self._removal = None

    def _no_image(self, error: OSError) -> None:
        """The log grows on; the next full segment tries again.  Where it has no base it is worth nothing."""
        what = "its log grows on until that works"
        if not self._has_base:
            what = "nothing survives the end of the store: make room there, it is tried again"
        if not self._image_failed:
            self._image_failed = True
            self._log(f"no image of the journal can be written: {error}; {what}")
        self._abandon_image()
        self._written_at_image = self._recorder.written
        if not self._has_base:
            self._end_here(error.strerror or str(error))

    def _abandon_image(self) -> None:
        if self._image is not None:
            self._image.abandon()
            self._image = None

    def retry(self) -> None:
        """After a failure: begin anew if there is room now.  What was recorded before is removed, but that it
        broke off is to be seen until an image is complete."""
        if self.failure is None:
            return
        self._number = max(self._number, 1)  # segment 1 would do without the image that is needed now
        self._has_base = False
        self._removal = None
        try:
            self._files.keep_end()
            self._recorder.restart()
            self._begin_segment(goes_on=False)
        except OSError as error:
            self._store.journal_failure = error.strerror or str(error)
            self._recorder.stop(self._store.journal_failure)
            return
        self._image_failed = self._image_wanted = self._store.has_work = True


class _Spare:
    """A segment that is filled with zeros before it is needed."""

    def __init__(self, files: Files) -> None:
        self._path = files.directory / "spare.new"
        self._fd = -1
        self._done = 0

    @property
    def is_full(self) -> bool:
        return self._done == SEGMENT_BYTES

    def work(self) -> None:
        """Fill another slice.

        Raises:
            OSError: there is no room.
        """
        try:
            self._fill()
        except OSError:
            self.drop()
            raise

    def _fill(self) -> None:
        if self._fd < 0:
            self._fd = private_file.create(self._path)
        self._done = fill(self._fd, self._done)

    def finish(self, path: os.PathLike[str]) -> None:
        """Become the file `path`, full.

        Raises:
            OSError: there is no room.
        """
        try:
            while not self.is_full:
                self._fill()
            os.rename(self._path, path)
        except OSError:
            self.drop()
            raise
        os.close(self._fd)
        self._fd, self._done = -1, 0

    def drop(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd, self._done = -1, 0
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
