cdef class Named:
    cdef bytes name
