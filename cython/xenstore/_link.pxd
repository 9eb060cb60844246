from xenstore._channels cimport Channels
from xenstore._ring cimport Consumer, Page, Producer
from xenstore._session cimport Carrier, Session


cdef class Link(Carrier):
    cdef readonly Session session
    cdef readonly int domid
    cdef readonly int error         # what the page's error field says: NO_ERROR or why the ring is ignored
    cdef readonly int port          # the local event channel; 0 once that is closed
    cdef Channels channels
    cdef public object serve_soon   # callable(link): call `serve` in a later turn; None: nobody is there to
    cdef public bint is_due         # for whoever does so: it is to be called already
    cdef Page page
    cdef Consumer requests
    cdef Producer replies
    cdef char buffer[1024]

    cdef int give_up(self, int error) except -1
    cpdef int notify(self) except -1
    cpdef int serve(self) except -1
    cdef bint exchange(self) except -1
    cdef int pass_output(self) except -1
    cdef int own(self, Session session) except -1
