from xenstore._session cimport Carrier, Session
from xenstore._store cimport Store


cdef extern from "_poller.h":
    cdef struct poller_backend:
        const char *name

    cdef struct poller:
        int fd
        int besides

    cdef struct poller_event:
        int fd
        int ready

    enum:
        POLLER_READ
        POLLER_WRITE
        POLLER_EVENTS
        POLLER_PLACES
        POLLER_BACKENDS

    const poller_backend *poller_backends
    int poller_open(poller *, int backend)
    int poller_set(poller *, int fd, int was, int want)
    int poller_add_beside(poller *, int fd)
    void poller_remove_beside(poller *, int fd)
    int poller_wait(poller *, poller_event *, int timeout_ms) nogil
    void poller_close(poller *)


cdef class Watched:
    cdef readonly int fd
    cdef int interest                  # what the poller watches it for: POLLER_READ, POLLER_WRITE; 0: unknown to it


cdef class Connection(Watched):
    cdef readonly Session session      # None once the connection is gone
    cdef bint queued                   # on Pump.continued


cdef class Listener(Watched):
    cdef object admit


cdef class Callback(Watched):
    cdef object callback
    cdef bint poll_only                # watched beside the queue, as it has no place in it


cdef class Pump:
    cdef readonly Store store
    cdef readonly int connections      # client sockets held
    cdef readonly bint busy            # the last turn found something to do
    cdef public object log             # callable(str): what went wrong with one connection
    cdef object clock                  # callable() -> float: seconds; None: the monotonic clock
    cdef poller poller
    cdef bint crowded                  # replies of this turn leave at its end
    cdef bint closed
    cdef list table                    # table[fd]: a Watched or None
    cdef object soon                   # deque of callables for the next turn
    cdef object continued              # deque of connections whose sessions hold requests beyond their budget
    cdef list paused                   # listeners out of descriptors
    cdef bint exhausted                # the log knows that descriptors ran out
    cdef double accept_again           # when those are tried again, by the clock
    cdef double work_again             # when the store's own work goes on while clients are served, by the clock
    cdef double served_at              # the last turn in which clients were ready, by the clock
    cdef double due                    # when store.tick() is, by the clock; infinity: never
    cdef char buffer[65536]

    cpdef double pause(self) except -1
    cdef bint turn_once(self, double longest) except -1
    cdef double time(self) except? -1
    cdef double work_due(self) noexcept
    cdef int limit_ms(self, double longest) except -2
    cdef int dispatch(self, poller_event *events, int count, list called) except -1
    cdef int serve(self, Connection connection, int ready, int budget) except -1
    cdef int receive(self, Connection connection, int budget) except -1
    cdef int keep_on(self, int executed, int budget) except -1
    cdef int enqueue(self, Connection connection) except -1
    cdef int flush(self) except -1
    cdef int settle(self, Connection connection) except -1
    cdef int send_output(self, Connection connection) except -1
    cdef int accept(self, Listener listener) except -1
    cdef int pause_accepting(self, Listener listener, int error) except -1
    cdef int resume_accepting(self) except -1
    cdef int tick(self) except -1
    cdef int call_queued(self) except -1
    cdef int call(self, Callback entry) except -1
    cdef int enter(self, Watched entry) except -1
    cdef int watch(self, Watched entry, int want) except -1
    cdef int leave(self, Watched entry) except -1
    cdef int drop(self, Connection connection) except -1
    cdef int fail(self, Connection connection, error) except -1
