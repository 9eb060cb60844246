# cython: language_level=3
cdef class Named:
    pass
