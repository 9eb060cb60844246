# cython: language_level=3
"""mmap(2) where Python's own does not do: device files that call themselves empty, addresses, locked pages.

Python's mmap refuses /proc/xen/xsd_kva (a regular file of size 0), keeps a duplicate of the descriptor, and
does not tell the address that ioctls and hypercalls ask for.
"""

import os

cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from libc.errno cimport errno
from libc.stdint cimport uintptr_t
from posix.types cimport off_t

cdef extern from "<sys/mman.h>" nogil:
    """
    #ifndef MAP_ANONYMOUS
    #define MAP_ANONYMOUS MAP_ANON
    #endif
    """
    int PROT_READ
    int PROT_WRITE
    int MAP_SHARED
    int MAP_ANONYMOUS
    void *MAP_FAILED
    void *mmap(void *where, size_t size, int protection, int flags, int fd, off_t offset)
    int munmap(void *where, size_t size)
    int mlock(const void *where, size_t size)


@cython.final
cdef class Memory:
    """Pages mapped shared, readable and writable; a buffer.  Unmapped by `close`, or with this object.

    fd: -1 for new memory.  locked: never paged out, for what the hypervisor reads and writes.

    Raises:
        OSError: the system refuses to map, or to lock.
    """

    cdef void *base
    cdef readonly Py_ssize_t size
    cdef int exports

    def __cinit__(self, int fd, size_t size, off_t offset=0, bint locked=False):
        cdef int flags = MAP_SHARED | (MAP_ANONYMOUS if fd < 0 else 0)
        cdef void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, offset)
        if base == MAP_FAILED:
            raise OSError(errno, os.strerror(errno))
        self.base = base
        self.size = size
        if locked and mlock(base, size) < 0:
            raise OSError(errno, os.strerror(errno))

    def __dealloc__(self):
        if self.base != NULL:
            munmap(self.base, self.size)

    @property
    def address(self) -> int:
        """Where the pages lie in this process; 0 once they are unmapped."""
        return <uintptr_t>self.base

    def close(self) -> None:
        """Unmap.

        Raises:
            BufferError: somebody still holds the buffer.
        """
        if self.exports:
            raise BufferError("the memory is still in use")
        if self.base != NULL:
            munmap(self.base, self.size)
            self.base = NULL

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        if self.base == NULL:
            raise BufferError("the memory is unmapped")
        PyBuffer_FillInfo(buffer, self, self.base, self.size, 0, flags)
        self.exports += 1

    def __releasebuffer__(self, Py_buffer *buffer):
        self.exports -= 1
