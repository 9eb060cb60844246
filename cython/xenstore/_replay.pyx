# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The reading end of the journal: checks frames, and does again what they say.

What is read here was written by `_recorder`, but may have been damaged since: checksums are looked at
before anything else, and every length nevertheless.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from xenstore._names cimport dismantle
from xenstore._path cimport valid_path
from xenstore._perms cimport NO_DOMAIN, READ, STALE, WRITE, Entry as PermsEntry, make_perms
from xenstore._recorder cimport Entry, Frame, REMOVE_NODE, SET_PERMS, WRITE_NODE, frame_checksum
from xenstore._store cimport Store
from xenstore._tree cimport Place, Tree, intern
from xenstore._view cimport PAYLOAD_MAX

from enum import Enum

cdef extern from "Python.h":
    bytes PyBytes_FromStringAndSize(const char *, Py_ssize_t)


class Ending(Enum):
    """Why `scan` stopped."""

    CLEAN = "the log ends here"
    CUT = "a frame goes on in what follows"
    DAMAGED = "a frame is damaged or incomplete"


cdef uint64_t GENERATION_MAX = <uint64_t>1 << 62    # as in an image


class ReplayError(Exception):
    """A frame that cannot follow those before it, though its checksum is right.

    Attributes:
        offset: where in the data it begins.
        sequence: its own.
    """

    def __init__(self, offset, sequence, problem):
        super().__init__(f"frame {sequence}: {problem}")
        self.offset = offset
        self.sequence = sequence


def scan(data, Py_ssize_t start, uint64_t sequence):
    """Check the frames of a piece of the log from an offset on.

    sequence: of the last frame before.  Returns (offset after the last whole frame, its sequence, the generation
    it tells or 0 if there was none, an Ending).
    """
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return scan_bytes(<const char *>view.buf, view.len, start, sequence)
    finally:
        PyBuffer_Release(&view)


cdef tuple scan_bytes(const char *base, Py_ssize_t size, Py_ssize_t at, uint64_t sequence):
    cdef Py_ssize_t total
    cdef uint64_t generation = 0, word
    cdef Frame frame
    while size - at >= <Py_ssize_t>sizeof(uint64_t):
        # What follows a word of zeros was here before the segment was used again, or never came to count.
        memcpy(&word, base + at, sizeof(word))
        if word == 0:
            return at, sequence, generation, Ending.CLEAN
        if size - at < <Py_ssize_t>sizeof(Frame):
            return at, sequence, generation, Ending.CUT
        memcpy(&frame, base + at, sizeof(Frame))
        if frame.size == 0:
            return at, sequence, generation, Ending.DAMAGED
        total = (<Py_ssize_t>sizeof(Frame) + frame.size + 7) & ~7
        if frame.sequence != sequence + 1:
            return at, sequence, generation, Ending.DAMAGED
        if total > size - at:
            return at, sequence, generation, Ending.CUT
        if frame_checksum(<const Frame *>(base + at), frame.size) != frame.checksum:
            return at, sequence, generation, Ending.DAMAGED
        sequence = frame.sequence
        generation = frame.generation
        at += total
    return at, sequence, generation, Ending.CLEAN if size == at else Ending.CUT


def apply(Store store not None, data, Py_ssize_t start, Py_ssize_t end):
    """Do again what checked frames say, from one offset to another.

    Entries that the compiled store does not know go to `store.recall(kind, domid, number, first, second)`.

    Raises:
        ReplayError: what a frame says cannot be done; the store is good for nothing.
    """
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        if not 0 <= start <= end <= view.len:
            raise ValueError(f"offsets {start} and {end} of {view.len} bytes")
        apply_bytes(store, <const char *>view.buf, start, end)
    finally:
        PyBuffer_Release(&view)


cdef int apply_bytes(Store store, const char *base, Py_ssize_t at, Py_ssize_t end) except -1:
    cdef Frame frame
    while end - at >= <Py_ssize_t>sizeof(Frame):
        memcpy(&frame, base + at, sizeof(Frame))
        try:
            if frame.size > <uint64_t>(end - at) - sizeof(Frame):
                raise ValueError("it is longer than the log")
            if frame.generation > GENERATION_MAX:
                raise ValueError(f"generation {frame.generation} is out of range")
            apply_frame(store, base + at + sizeof(Frame), frame.size)
        except MemoryError:
            raise
        except Exception as error:      # whatever a store makes of it, the fault is the frame's
            raise ReplayError(at, frame.sequence, str(error) or type(error).__name__) from error
        dismantle(16)
        at += (<Py_ssize_t>sizeof(Frame) + frame.size + 7) & ~7
    return 0


def set_generation(Store store not None, uint64_t generation) -> None:
    """Have later changes count from a generation on, so that none is one that a reader has seen before."""
    store.live.tree.history.generation = generation


cdef int apply_frame(Store store, const char *entries, Py_ssize_t size) except -1:
    cdef Py_ssize_t at = 0
    cdef Entry entry
    cdef const char *first
    cdef const char *second
    while at < size:
        if size - at < <Py_ssize_t>sizeof(Entry):
            raise ValueError("it ends within an entry")
        memcpy(&entry, entries + at, sizeof(Entry))
        at += sizeof(Entry)
        if <Py_ssize_t>entry.first_size + entry.second_size > size - at:
            raise ValueError("it ends within an entry")
        first = entries + at
        second = first + entry.first_size
        at += <Py_ssize_t>entry.first_size + entry.second_size
        if entry.kind <= SET_PERMS:
            change(store, &entry, first, second)
        else:
            store.recall(entry.kind, entry.domid, entry.number, PyBytes_FromStringAndSize(first, entry.first_size),
                         PyBytes_FromStringAndSize(second, entry.second_size))
    return 0


cdef int check_perms(const char *packed, Py_ssize_t size) except -1:
    cdef PermsEntry entry
    cdef Py_ssize_t at = 0
    if size == 0 or size % sizeof(PermsEntry):
        raise ValueError(f"permissions of {size} bytes")
    while at < size:
        memcpy(&entry, packed + at, sizeof(PermsEntry))
        if entry.right & ~(READ | WRITE) or entry.flags & ~STALE:
            raise ValueError(f"right {entry.right}, flags {entry.flags} in permissions")
        at += sizeof(PermsEntry)
    return 0


cdef int change(Store store, Entry *entry, const char *path, const char *rest) except -1:
    """Do again one change of the tree."""
    cdef Tree tree = store.live.tree
    cdef Py_ssize_t size = entry.first_size
    cdef Place place
    cdef bytes value
    if entry.first_size > PAYLOAD_MAX + 32 or not valid_path(path, size) or path[0] not in (c'/', c'@'):
        raise ValueError(f"no such path is valid: {path[:min(size, 80)]!r}")
    if entry.second_size > PAYLOAD_MAX:
        raise ValueError(f"{path[:size]!r}: {entry.second_size} bytes are more than a request brings")
    if not NO_DOMAIN <= entry.number <= 0xFFFF:
        raise ValueError(f"{path[:size]!r}: {entry.number} is no domain")
    place = tree.find(path, size)
    if place.node == NULL and (entry.kind != WRITE_NODE or path[0] == c'@'):
        raise ValueError(f"{path[:size]!r} does not exist")
    if entry.kind == WRITE_NODE:
        value = intern(PyBytes_FromStringAndSize(rest, entry.second_size))
        if place.node == NULL:
            tree.create(path, size, place.matched, value, entry.number)
        else:
            tree.set_value(<object>place.node, path, size, value)
    elif entry.kind == REMOVE_NODE:
        if size == 1 or path[0] == c'@':
            raise ValueError(f"{path[:size]!r} cannot be removed")
        tree.remove(path, size)
    else:
        check_perms(rest, entry.second_size)
        tree.set_perms(path, size, make_perms(PyBytes_FromStringAndSize(rest, entry.second_size)))
    return store.settle()
