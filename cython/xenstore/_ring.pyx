# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""One direction of a ring in a page shared with another domain: its consumer, its producer.

The other side is hostile.  Its index is read once for each decision and checked: at most `size` bytes may
lie between the two.  Our own index is kept here, the page only shows it; bytes are copied out before
anybody looks at them (XSA-38).  Indices run freely through 32 bits; byte i of the stream lies at i modulo
size, a power of two.  A distance of exactly `size` means full.

The same for the rings of the store (xs_wire.h) and of consoles (console.h).
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.string cimport memcpy

cdef extern from "_shared.h":
    uint32_t shared_load(const char *at) noexcept
    void shared_store(char *at, uint32_t value) noexcept


@cython.final
cdef class Page:
    """A shared page, kept mapped as long as this object lives.

    Raises:
        ValueError: the buffer is not one writable page of 4096 bytes.
    """

    def __cinit__(self, buffer):
        PyObject_GetBuffer(buffer, &self.view, PyBUF_WRITABLE)
        if self.view.len != 4096:
            size = self.view.len
            PyBuffer_Release(&self.view)
            raise ValueError(f"a shared page has 4096 bytes, this buffer {size}")
        self.base = <char *>self.view.buf

    def __dealloc__(self):
        if self.base != NULL:
            PyBuffer_Release(&self.view)

    def load(self, Py_ssize_t offset) -> int:
        """The 32-bit word at an offset of the page."""
        check_word(offset)
        return shared_load(self.base + offset)

    def store(self, Py_ssize_t offset, uint32_t value) -> None:
        """Write the 32-bit word at an offset of the page."""
        check_word(offset)
        shared_store(self.base + offset, value)


cdef check_word(Py_ssize_t offset):
    if offset < 0 or offset > 4092 or offset & 3:
        raise ValueError(f"no word lies at offset {offset} of a page")


@cython.final
cdef class Consumer:
    """Takes what the other side produces.

    Made of the page and the offsets of data, the producer's and the consumer's index; starts where the page says
    the consumer is.
    """

    def __init__(self, Page page not None, Py_ssize_t data, uint32_t size, Py_ssize_t produced, Py_ssize_t consumed):
        check_word(produced)
        check_word(consumed)
        if data < 0 or size == 0 or size & (size - 1) or data + size > 4096:
            raise ValueError(f"a ring of {size} bytes at {data} does not fit the page")
        self.page = page
        self.data = page.base + data
        self.size = size
        self.produced = page.base + produced
        self.consumed = page.base + consumed
        self.position = shared_load(self.consumed)

    cdef Py_ssize_t available(self) noexcept:
        """How many bytes wait; BAD_INDEX where that is more than the ring holds."""
        cdef uint32_t distance = shared_load(self.produced) - self.position
        return <Py_ssize_t>distance if distance <= self.size else BAD_INDEX

    cdef Py_ssize_t copy(self, char *into, Py_ssize_t limit) noexcept:
        """Copy waiting bytes without taking them; returns how many, or BAD_INDEX."""
        cdef Py_ssize_t count = min(self.available(), limit)
        cdef Py_ssize_t at = self.position & (self.size - 1)
        cdef Py_ssize_t first = min(count, <Py_ssize_t>self.size - at)
        if count > 0:
            memcpy(into, self.data + at, first)
            memcpy(into + first, self.data, count - first)
        return count

    cdef void resume(self, uint32_t position) noexcept:
        """Go on at a position that was reached before, whatever the page says."""
        self.position = position
        shared_store(self.consumed, position)

    cdef void advance(self, Py_ssize_t count) noexcept:
        """Take bytes that were copied: their place is the producer's again."""
        self.position += <uint32_t>count
        shared_store(self.consumed, self.position)

    def read(self, Py_ssize_t limit=4096) -> bytes | None:
        """Take what waits, at most `limit` bytes; None when the other side's index is impossible."""
        cdef char[4096] buffer
        cdef Py_ssize_t count = self.copy(buffer, min(limit, 4096))
        if count < 0:
            return None
        self.advance(count)
        return buffer[:count]

    def restart(self, uint32_t position=0) -> None:
        """Begin anew at a position; nothing waits then."""
        self.position = position
        shared_store(self.consumed, position)
        shared_store(self.produced, position)


@cython.final
cdef class Producer:
    """Gives to the other side; made like a Consumer."""

    def __init__(self, Page page not None, Py_ssize_t data, uint32_t size, Py_ssize_t produced, Py_ssize_t consumed):
        check_word(produced)
        check_word(consumed)
        if data < 0 or size == 0 or size & (size - 1) or data + size > 4096:
            raise ValueError(f"a ring of {size} bytes at {data} does not fit the page")
        self.page = page
        self.data = page.base + data
        self.size = size
        self.produced = page.base + produced
        self.consumed = page.base + consumed
        self.position = shared_load(self.produced)

    cdef Py_ssize_t room(self) noexcept:
        """How many bytes fit; BAD_INDEX where the consumer claims more than was produced."""
        cdef uint32_t distance = self.position - shared_load(self.consumed)
        return <Py_ssize_t>(self.size - distance) if distance <= self.size else BAD_INDEX

    cdef void place(self, const char *what, Py_ssize_t count) noexcept:
        """Copy at most `room()` bytes in, unseen by the other side until `advance`."""
        cdef Py_ssize_t at = self.position & (self.size - 1)
        cdef Py_ssize_t first = min(count, <Py_ssize_t>self.size - at)
        memcpy(self.data + at, what, first)
        memcpy(self.data, what + first, count - first)

    cdef void advance(self, Py_ssize_t count) noexcept:
        """Show bytes that were placed."""
        self.position += <uint32_t>count
        shared_store(self.produced, self.position)

    def write(self, data) -> int | None:
        """Give as many of these bytes as fit; returns how many, None when the other side's index is impossible."""
        cdef Py_ssize_t count = self.room()
        cdef Py_buffer view
        if count < 0:
            return None
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        count = min(count, view.len)
        if count:
            self.place(<const char *>view.buf, count)
            self.advance(count)
        PyBuffer_Release(&view)
        return count

    def restart(self, uint32_t position=0) -> None:
        """Begin anew at a position; everything counts as consumed then."""
        self.position = position
        shared_store(self.consumed, position)
        shared_store(self.produced, position)
