cdef bint armed                     # checked by the caller, so that a failpoint costs one comparison


cpdef int reach(str name) except -1
