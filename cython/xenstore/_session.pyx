# cython: language_level=3
"""Stand-in while the store is being written: answers every request with OK."""
from libc.stdlib cimport malloc, realloc, free
from libc.string cimport memcpy, memmove
from libc.stdint cimport uint32_t


cdef class Session:


    def __init__(self, Store store, int domid=0, bint privileged=True):
        self.store = store
        self.domid = domid
        self.privileged = privileged
        self.waiting = b""

    def __dealloc__(self):
        free(self.out)

    cdef int consume(self, const char *data, Py_ssize_t size, int budget) except -1:
        self.waiting += data[:size]
        return self.proceed(budget)

    cdef int proceed(self, int budget) except -1:
        cdef int done = 0
        cdef uint32_t header[4]
        cdef const char *p
        while not self.closed and done < budget and len(self.waiting) >= 16:
            p = self.waiting
            memcpy(header, p, 16)
            if header[3] > 4096:
                self.close()
                break
            if <Py_ssize_t>len(self.waiting) < 16 + <Py_ssize_t>header[3]:
                break
            self.waiting = self.waiting[16 + header[3]:]
            header[3] = 3
            self.out = <char *>realloc(self.out, self.out_tail + 19)
            memcpy(self.out + self.out_tail, header, 16)
            memcpy(self.out + self.out_tail + 16, <const char *>b"OK", 3)
            self.out_tail += 19
            done += 1
            if not self.touched:
                self.touched = True
                self.store.touched.append(self)
        return done

    cdef bint has_waiting(self) noexcept:
        return len(self.waiting) >= 16

    cdef int sent(self, Py_ssize_t size) except -1:
        self.out_head += size
        if self.out_head == self.out_tail:
            free(self.out)
            self.out = NULL
            self.out_head = self.out_tail = self.out_size = 0
        return 0

    cpdef close(self):
        self.closed = True


cdef class Store:
    def __init__(self):
        self.touched = []

    cdef double deadline(self) noexcept:
        return -1.0

    cdef int tick(self) except -1:
        return 0

    def connect(self, int domid=0, bint privileged=True):
        return Session(self, domid, privileged)
