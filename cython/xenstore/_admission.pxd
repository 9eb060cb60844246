cdef class Admission:
    cdef double window
    cdef dict running               # transaction: when it was admitted; oldest first
    cdef object waiting             # sessions in order of their asking, with the time
    cdef bint full(self) noexcept
    cdef int begin(self, object transaction, double now) except -1
    cdef int end(self, object transaction, bint conflict) except -1
    cdef int wait(self, object session, double now) except -1
    cdef object next(self, double now)
    cdef double deadline(self, double now) except? -1
