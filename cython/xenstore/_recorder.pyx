# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The writing end of the journal: entries are collected in a frame, a frame is copied into the log at once.

The log is a stream of frames through segments, files that are mapped into memory: what is copied there
outlives this process, whatever ends it.  Whatever a client learns from a reply or an event is in a frame
before (`Store.seal`).

Segments are used again, so what follows the last frame may be anything, also what a guest has chosen.  None of
it is ever read: the last frame is followed by a frame of size 0, and the next one is copied behind its first
word, its end marked likewise, before that word is stored, which makes it count.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.string cimport memcpy, memset

cimport xenstore._failpoint as failpoint

import enum

cdef extern from "_crc.h":
    void crc32c_prepare() noexcept
    uint32_t crc32c(uint32_t crc, const void *data, size_t size) noexcept
    uint32_t crc32c_by_tables(uint32_t crc, const void *data, size_t size) noexcept

cdef extern from "_publish.h":
    void publish(void *at, uint64_t word) noexcept

crc32c_prepare()

cdef enum:
    FRAME_KEPT = 65536              # a larger buffer of frames is given back
    WORD = 8                        # of a frame, its first: size and checksum
    SHARERS_MIN = 16                # into so many shares at least the log is divided

cdef uint64_t NO_END = <uint64_t>-1


#: The kinds of entries that are made outside the compiled core.
EntryKind = enum.IntEnum("EntryKind", {
    "CONNECT": CONNECT, "IGNORE": IGNORE, "TARGET": TARGET, "FEATURES": FEATURES, "FEATURES_AHEAD": FEATURES_AHEAD,
    "STOPPED": STOPPED, "GONE": GONE, "QUOTA": QUOTA, "HEARD": HEARD,
})


cdef uint32_t frame_checksum(const Frame *frame, Py_ssize_t size) noexcept:
    """The checksum of a frame in memory: of its size, and of all that follows the checksum."""
    return crc32c(crc32c(0, &frame.size, 4), &frame.sequence, sizeof(Frame) - 8 + size)


def checksum_of(data, *, bint by_tables=False) -> int:
    """The checksum that frames carry (CRC-32C), of some bytes; the same by_tables, as on other processors."""
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return crc32c_by_tables(0, view.buf, view.len) if by_tables else crc32c(0, view.buf, view.len)
    finally:
        PyBuffer_Release(&view)


cdef class Recorder:
    """Writes frames into segments.

    more: called as `more(goes_on)` where a segment is full, returns the writable buffer of the next one, which begins
    with a frame of size 0; goes_on: it continues a frame.  OSError where there is none to be had: from then on
    nothing is recorded, and `failure` says why.
    sequence: of the last frame written before.
    """

    def __init__(self, more, uint64_t sequence=0):
        self.more = more
        self.sequence = sequence
        self.used = sizeof(Frame)
        self.pace()

    def __dealloc__(self):
        PyMem_Free(self.frame)
        self.release_segment()

    cdef int grow(self, Py_ssize_t more) except -1:
        cdef char *fresh = <char *>PyMem_Realloc(self.frame, (self.used + more) * 2)
        if fresh == NULL:
            raise MemoryError()
        self.frame = fresh
        self.size = (self.used + more) * 2
        return 0

    cdef int entry(self, int kind, int domid, int number, const char *first, Py_ssize_t first_size,
                   const char *second, Py_ssize_t second_size) except -1:
        """Add an entry to the frame being made."""
        cdef Entry entry
        cdef Py_ssize_t total = sizeof(Entry) + first_size + second_size
        cdef char *p
        if self.used + total + 8 > self.size:
            self.grow(total + 8)
        entry.kind = kind
        entry.unused = 0
        entry.domid = domid
        entry.number = number
        entry.first_size = <uint32_t>first_size
        entry.second_size = <uint32_t>second_size
        p = self.frame + self.used
        memcpy(p, &entry, sizeof(Entry))
        memcpy(p + sizeof(Entry), first, first_size)
        if second_size:
            memcpy(p + sizeof(Entry) + first_size, second, second_size)
        self.used += total
        return 0

    cdef int close_frame(self, uint64_t generation) except -1:
        """Write the frame being made into the log, and begin another."""
        cdef Frame frame
        cdef Py_ssize_t size = self.used - sizeof(Frame)
        if self.failure is None:
            while self.used & 7:
                self.frame[self.used] = 0
                self.used += 1
            frame.size = <uint32_t>size
            frame.sequence = self.sequence + 1
            frame.generation = generation
            memcpy(self.frame, &frame, sizeof(Frame))
            frame.checksum = frame_checksum(<Frame *>self.frame, size)
            memcpy(self.frame + 4, &frame.checksum, 4)
            try:
                self.write_frame()
                self.sequence += 1
            except OSError as error:
                self.failure = error.strerror or str(error)
        self.used = sizeof(Frame)
        if self.size > FRAME_KEPT:
            PyMem_Free(self.frame)
            self.frame = NULL
            self.size = 0
        return 0

    cdef int write_frame(self) except -1:
        cdef Py_ssize_t begin
        cdef uint64_t word
        if failpoint.armed:
            failpoint.reach("seal.before")
        if self.at == self.segment.len:
            self.next_segment(False)
        begin = self.at
        try:
            self.copy_frame()
            if failpoint.armed:
                failpoint.reach("seal.copied")
            memcpy(&word, self.frame, WORD)
            publish(<char *>(self.segment.buf if self.first.buf == NULL else self.first.buf) + begin, word)
        finally:
            if self.first.buf != NULL:
                PyBuffer_Release(&self.first)
                memset(&self.first, 0, sizeof(self.first))
        self.written += self.used
        if failpoint.armed:
            failpoint.reach("seal.after")
        return 0

    cdef int copy_frame(self) except -1:
        """Copy a frame without its first word, and mark its end."""
        cdef Py_ssize_t done = WORD, step
        self.at += WORD                 # segments are a multiple of it
        self.placed = self.written + WORD
        while done < self.used:
            if self.at == self.segment.len:
                self.next_segment(True)
            step = min(self.used - done, self.segment.len - self.at)
            if failpoint.armed:
                memcpy(<char *>self.segment.buf + self.at, self.frame + done, step // 2)
                failpoint.reach("seal.torn")
            memcpy(<char *>self.segment.buf + self.at, self.frame + done, step)
            self.at += step
            done += step
            self.placed += step
        memset(<char *>self.segment.buf + self.at, 0, min(<Py_ssize_t>sizeof(Frame), self.segment.len - self.at))
        return 0

    # --- who may go on ---------------------------------------------------------------------------------

    cdef uint64_t here(self) noexcept:
        """The position in the log, counting what waits for the end of its frame."""
        return self.written + self.used

    cdef bint is_open(self) noexcept:
        """Whether everybody may go on recording."""
        return self.written + self.used < self.open_until

    cdef bint admits(self, uint64_t own, bint comes_first) noexcept:
        """Whether a session may go on that has recorded `own` bytes in this round, or whoever comes first."""
        return self.admits_beside(own, 0, comes_first)

    cdef bint admits_beside(self, uint64_t own, uint64_t given, bint comes_first) noexcept:
        """As `admits`, where so many bytes are others' already.

        Beyond what is open to everybody a second part of the log is divided among those who write: who has recorded
        less than such a share so far does not wait for what the others have recorded.
        """
        cdef uint64_t here = self.here()
        if self.open_until == NO_END or here + given < self.open_until:
            return True
        if comes_first and here < self.first_until:
            return True
        return here + given < self.shares_until and own < self.shares // <uint64_t>max(self.writers, SHARERS_MIN)

    def pace(self, uint64_t open_until=NO_END, uint64_t share_bytes=0, uint64_t first_bytes=0) -> None:
        """Let everybody record up to a position, then so many bytes by shares, and then so many of whoever comes
        first.  Without arguments: any amount."""
        if open_until == NO_END:
            self.open_until = self.shares_until = self.first_until = NO_END
            return
        self.open_until = open_until
        self.shares = share_bytes
        self.shares_until = open_until + share_bytes
        self.first_until = self.shares_until + first_bytes

    def begin_round(self) -> None:
        """From now on nobody has recorded anything yet."""
        self.round += 1
        self.writers = 0

    @property
    def position(self) -> int:
        """Bytes of frames so far, counting what waits for the end of its frame."""
        return self.here()

    # --- segments ----------------------------------------------------------------------------------

    cdef int next_segment(self, bint goes_on) except -1:
        buffer = self.more(goes_on)
        if goes_on and self.first.buf == NULL:
            self.first = self.segment
            memset(&self.segment, 0, sizeof(self.segment))
        self.into(buffer)
        return 0

    def into(self, buffer, Py_ssize_t at=0) -> None:
        """Go on in another segment, from a byte of it on, where the log ends now.

        Raises:
            ValueError: there is no such byte, or frames do not begin at such ones.
        """
        cdef Py_buffer view
        PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE)
        if not 0 <= at <= view.len or at % WORD or view.len % WORD:
            PyBuffer_Release(&view)
            raise ValueError(f"byte {at} of a segment of {view.len}")
        self.release_segment()
        self.segment = view
        self.at = at
        memset(<char *>view.buf + at, 0, min(<Py_ssize_t>sizeof(Frame), view.len - at))

    cdef int release_segment(self) except -1:
        if self.segment.buf != NULL:
            PyBuffer_Release(&self.segment)
            memset(&self.segment, 0, sizeof(self.segment))
            self.at = 0
        return 0

    def stop(self, str failure) -> None:
        """Record nothing any more."""
        self.failure = failure
        self.release_segment()
        self.pace()

    def restart(self) -> None:
        """Record again, from the next segment on; what happened meanwhile is in no frame."""
        self.failure = None
        self.used = sizeof(Frame)

    @property
    def room(self) -> int:
        """Bytes left in the segment."""
        return self.segment.len - self.at
