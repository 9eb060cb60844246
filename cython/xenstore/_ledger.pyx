# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""What a change does to the owners of nodes: so many nodes and bytes more or less for each domain."""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Realloc


@cython.final
@cython.no_gc
cdef class Ledger:
    """Rows of (domain, nodes, bytes); a change rarely concerns more than a few domains."""

    def __dealloc__(self):
        PyMem_Free(self.rows)

    cdef int add(self, int domid, long nodes, long size) except -1:
        cdef Row *grown
        cdef int i
        for i in range(self.used):
            if self.rows[i].domid == domid:
                self.rows[i].nodes += nodes
                self.rows[i].size += size
                return 0
        if self.used == self.size:
            grown = <Row *>PyMem_Realloc(self.rows, (self.size * 2 + 4) * sizeof(Row))
            if grown == NULL:
                raise MemoryError()
            self.rows = grown
            self.size = self.size * 2 + 4
        self.rows[self.used].domid = domid
        self.rows[self.used].nodes = nodes
        self.rows[self.used].size = size
        self.used += 1
        return 0

    cdef Row of(self, int domid) noexcept:
        """What changed for one domain."""
        cdef Row none
        cdef int i
        for i in range(self.used):
            if self.rows[i].domid == domid:
                return self.rows[i]
        none.domid = domid
        none.nodes = none.size = 0
        return none

    cdef void clear(self) noexcept:
        self.used = 0
