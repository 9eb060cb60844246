from xenstore._system cimport System


cdef class Channels:
    cpdef list pending(self)
    cpdef unmask(self, list ports)
    cpdef notify(self, int port)


cdef class DeviceChannels(Channels):
    cdef System system
    cdef int fd
    cdef unsigned long notify_number
    cdef unsigned long reset_number
    cdef bytearray argument            # notify's
