# cython: language_level=3
"""The system calls on which the platforms of real hosts stand; tests put a kernel of their own here."""

import os

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals, PyErr_SetFromErrno
from libc.errno cimport EINTR, errno

from xenstore._memory import Memory

cdef extern from "<sys/ioctl.h>":
    int c_ioctl "ioctl" (int fd, unsigned long number, void *argument) nogil

cdef extern from "<unistd.h>":
    Py_ssize_t c_read "read" (int fd, void *into, size_t size)
    Py_ssize_t c_write "write" (int fd, const void *data, size_t size)

cdef enum:
    READ_MAX = 4096


cdef int interrupted_or_raise() except -1:
    """After a call that failed: raises its OSError, unless a signal interrupted it; then its handler has run."""
    if errno != EINTR:
        PyErr_SetFromErrno(OSError)
    PyErr_CheckSignals()
    return 0


cdef class System:
    """This machine's kernel.  Every method raises OSError as the call does."""

    def exists(self, path):
        return os.path.exists(path)

    def open(self, path, flags):
        return os.open(path, flags)

    def close(self, fd):
        os.close(fd)

    cpdef bytes read(self, int fd, Py_ssize_t size):
        """At most `size` bytes, and at most 4096."""
        cdef char[READ_MAX] buffer
        cdef Py_ssize_t count
        while True:
            count = c_read(fd, buffer, min(size, <Py_ssize_t>READ_MAX))
            if count >= 0:
                return PyBytes_FromStringAndSize(buffer, count)
            interrupted_or_raise()

    cpdef Py_ssize_t write(self, int fd, bytes data) except -1:
        """How many bytes were taken."""
        cdef Py_ssize_t count
        while True:
            count = c_write(fd, <const char *>data, len(data))
            if count >= 0:
                return count
            interrupted_or_raise()

    cpdef int ioctl(self, int fd, unsigned long number, bytearray argument) except? -1:
        """The call's result; what the kernel wrote is in `argument`."""
        cdef char *at = argument
        cdef int result
        with nogil:
            result = c_ioctl(fd, number, at)
        if result < 0:
            PyErr_SetFromErrno(OSError)
        return result

    def map(self, fd, size, offset=0):
        """Pages of a device, shared and writable."""
        return Memory(fd, size, offset)

    def allocate(self, size, *, locked=False):
        """New pages, shared; locked: never paged out, as what a hypercall points to must be."""
        return Memory(-1, size, 0, locked)
