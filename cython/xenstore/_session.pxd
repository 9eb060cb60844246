cdef class Store


cdef class Session:
    cdef readonly Store store
    cdef readonly int domid
    cdef readonly bint privileged
    cdef readonly bint closed          # a framing violation or close(): nothing is read or executed any more
    cdef readonly bint stalled         # no further request may be executed now; lifted by sent(), admission or time
    cdef bint touched                  # already on store.touched
    cdef public object owner           # whoever moves this session's bytes (the pump's connection)
    cdef char *out                     # unsent output is out[out_head:out_tail]; NULL when there is none
    cdef Py_ssize_t out_head, out_tail, out_size
    cdef bytes waiting

    cdef int consume(self, const char *data, Py_ssize_t size, int budget) except -1
    cdef int proceed(self, int budget) except -1
    cdef bint has_waiting(self) noexcept
    cdef int sent(self, Py_ssize_t size) except -1
    cpdef close(self)


cdef class Store:
    cdef public double now             # seconds on a monotonic clock, set by the driver before each batch
    cdef list touched                  # sessions that got output, were closed or may proceed since the driver last looked
    cdef public object control         # callable(session, [bytes arguments]) -> bytes, or None
    cdef public object trace           # callable(direction, session, type, payload), or None

    cdef double deadline(self) noexcept
    cdef int tick(self) except -1
