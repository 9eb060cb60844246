cdef class System:
    cpdef bytes read(self, int fd, Py_ssize_t size)
    cpdef Py_ssize_t write(self, int fd, bytes data) except -1
    cpdef int ioctl(self, int fd, unsigned long number, bytearray argument) except? -1
