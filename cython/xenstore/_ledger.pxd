cdef struct Row:
    int domid
    long nodes
    long size


cdef class Ledger:
    cdef Row *rows
    cdef int used, size

    cdef int add(self, int domid, long nodes, long size) except -1
    cdef Row of(self, int domid) noexcept
    cdef void clear(self) noexcept
