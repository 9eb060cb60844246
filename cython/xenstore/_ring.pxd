from libc.stdint cimport uint32_t


cdef class Page:
    cdef Py_buffer view
    cdef char *base


cdef class Consumer:
    cdef Page page
    cdef char *data
    cdef char *produced             # the other side's index
    cdef char *consumed             # ours, for the other side to see
    cdef readonly uint32_t position  # our own copy of it: the one in the page may be overwritten
    cdef uint32_t size

    cdef Py_ssize_t available(self) noexcept
    cdef Py_ssize_t copy(self, char *into, Py_ssize_t limit) noexcept
    cdef void resume(self, uint32_t position) noexcept
    cdef void advance(self, Py_ssize_t count) noexcept


cdef class Producer:
    cdef Page page
    cdef char *data
    cdef char *produced             # ours, for the other side to see
    cdef char *consumed             # the other side's index
    cdef readonly uint32_t position
    cdef uint32_t size

    cdef Py_ssize_t room(self) noexcept
    cdef void place(self, const char *what, Py_ssize_t count) noexcept
    cdef void advance(self, Py_ssize_t count) noexcept


cdef enum:
    BAD_INDEX = -1
