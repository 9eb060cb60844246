# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The writing end of the journal: entries are collected in a frame, a frame is copied into the log at once.

The log is a stream of frames through segments, files that are mapped into memory: what is copied there
outlives this process, whatever ends it.  A frame counts once its checksum is right, so one that is half
copied at the end never happened.  Whatever a client learns from a reply or an event is in a frame before
(`Store.seal`).
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.string cimport memcpy, memset

from xenstore cimport _failpoint as failpoint

import enum

cdef extern from "_crc.h":
    void crc32c_prepare() noexcept
    uint32_t crc32c(uint32_t crc, const void *data, size_t size) noexcept
    uint32_t crc32c_by_tables(uint32_t crc, const void *data, size_t size) noexcept

crc32c_prepare()

cdef enum:
    FRAME_KEPT = 65536              # a larger buffer of frames is given back


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

    more: called as `more()` where a segment is full, returns the writable buffer of the next one, all zeros;
    OSError where there is none to be had: from then on nothing is recorded, and `failure` says why.
    sequence: of the last frame written before.
    """

    def __init__(self, more, uint64_t sequence=0):
        self.more = more
        self.sequence = sequence
        self.used = sizeof(Frame)

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
        cdef Py_ssize_t done = 0, step
        if failpoint.armed:
            failpoint.reach("seal.before")
        while done < self.used:
            if self.at == self.segment.len:
                self.next_segment()
            step = min(self.used - done, self.segment.len - self.at)
            if failpoint.armed:
                memcpy(<char *>self.segment.buf + self.at, self.frame + done, step // 2)
                failpoint.reach("seal.torn")
            memcpy(<char *>self.segment.buf + self.at, self.frame + done, step)
            self.at += step
            done += step
        self.written += self.used
        if failpoint.armed:
            failpoint.reach("seal.after")
        return 0

    # --- segments ----------------------------------------------------------------------------------

    cdef int next_segment(self) except -1:
        self.into(self.more())
        return 0

    def into(self, buffer) -> None:
        """Go on in another segment, from its first byte."""
        cdef Py_buffer view
        PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE)
        self.release_segment()
        self.segment = view
        self.at = 0

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

    def restart(self) -> None:
        """Record again, from the next segment on; what happened meanwhile is in no frame."""
        self.failure = None
        self.used = sizeof(Frame)

    @property
    def room(self) -> int:
        """Bytes left in the segment."""
        return self.segment.len - self.at
