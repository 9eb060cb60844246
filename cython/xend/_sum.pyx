# cython: language_level=3
"""The checksum of a saved domain: XXH64, for a domain has gigabytes, which a CRC would hold up."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

cdef extern from "_sum.h" nogil:
    ctypedef struct xend_sum:
        uint64_t length
    void xend_sum_begin(xend_sum *sum)
    void xend_sum_add(xend_sum *sum, const unsigned char *data, size_t size)
    uint64_t xend_sum_value(const xend_sum *sum)

#: So many bytes has a state.
STATE_BYTES = sizeof(xend_sum)


cdef class Sum:
    """The checksum of bytes that come one after another; `state`: of those that came before, of another one's."""

    cdef xend_sum sum

    def __init__(self, bytes state=None):
        """Raises: ValueError: that is no state."""
        if state is None:
            xend_sum_begin(&self.sum)
        elif len(state) == sizeof(self.sum):
            memcpy(&self.sum, PyBytes_AS_STRING(state), sizeof(self.sum))
        else:
            raise ValueError(f"{len(state)} bytes, expected {sizeof(self.sum)}")

    def add(self, data):
        """More bytes; others run meanwhile."""
        cdef Py_buffer view
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            with nogil:
                xend_sum_add(&self.sum, <const unsigned char *>view.buf, view.len)
        finally:
            PyBuffer_Release(&view)

    @property
    def length(self):
        """So many bytes came."""
        return self.sum.length

    @property
    def state(self):
        """What another one goes on from."""
        return PyBytes_FromStringAndSize(<char *>&self.sum, sizeof(self.sum))

    @property
    def value(self):
        """The checksum, of 64 bits."""
        return xend_sum_value(&self.sum)
