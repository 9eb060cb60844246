# cython: language_level=3, boundscheck=False, wraparound=False
"""The pump: one poller holds every client socket; each turn drains what is ready, in compiled code.

A turn waits (the only place where the GIL is released), receives from each ready client once, executes at
most a budget of its requests, and sends what all that produced.  A closed-loop request costs three system
calls: wait, recv, send; in a crowd the replies of a turn leave together.  Whoever sent more than its budget
waits on a list that later turns continue, after the clients that became ready meanwhile; whoever is stalled is
not read.  The pump does not know who calls it: `xenstore.server.drive` has both ways.
"""
import os
import sys
from collections import deque

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EAGAIN, EINTR, ECONNABORTED, ENOBUFS, errno
from libc.limits cimport INT_MAX
from libc.math cimport INFINITY, ceil
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec
from posix.types cimport uid_t

from xenstore._session cimport Carrier, Session
from xenstore._store cimport Store


cdef extern from "_socket.h":
    int SOCKET_SEND_FLAGS
    int MSG_DONTWAIT
    Py_ssize_t recv(int fd, void *buffer, size_t size, int flags)
    Py_ssize_t send(int fd, const void *buffer, size_t size, int flags)
    int close(int fd)
    int socket_prepare(int fd)
    int socket_accept(int fd)
    int socket_peer_uid(int fd, uid_t *uid)


cdef enum:
    BUFFER_BYTES = 65536
    FIRST_REQUESTS = 8       # requests of a client executed as soon as it is ready: who waits for replies has one
    CLIENT_REQUESTS = 64     # requests executed in a row of a client that sent more
    TURN_REQUESTS = 64       # requests in a turn, above which clients that sent more wait for the next
    TURN_ACCEPTS = 64        # connections taken from one listener in a turn

cdef double ACCEPT_RETRY_SECONDS = 1.0
cdef double WORK_RESTS = 9.0       # after a slice of the store's own work beside clients, in lengths of that slice
cdef double URGENT_SECONDS = 250e-6     # of that work between two turns where it is urgent, or a slice if that is longer
cdef double IDLE_SECONDS = 0.001   # without a client: its own work does not rest


cdef double monotonic() noexcept:
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec + time.tv_nsec * 1e-9


def _to_stderr(line):
    print(line, file=sys.stderr)


def pollers():
    """Names of the pollers compiled in; the first is the default."""
    return tuple([(<bytes>poller_backends[i].name).decode() for i in range(POLLER_BACKENDS)])


def peer_uid(int fd):
    """The effective user id of the process at the other end of a connected Unix socket, as of its connect().

    Raises:
        OSError: the system does not know (not a Unix socket, or not connected).
    """
    cdef uid_t uid
    if socket_peer_uid(fd, &uid) < 0:
        raise OSError(errno, os.strerror(errno))
    return uid


cdef class Watched:
    """A descriptor in the poller."""


@cython.final
cdef class Connection(Watched):
    """A client's socket and its session; each is the other's owner until the connection is dropped."""


@cython.final
cdef class Listener(Watched):
    pass


@cython.final
cdef class Callback(Watched):
    pass


cdef class Pump:
    """The client sockets of one store, and what else must be waited for beside them.

    Everything happens in `turn`, in the thread that calls it.  What goes wrong inside one session closes
    that connection with a line to `log` (a callable; standard error to begin with) and no other.  `clock` tells
    the seconds (None: the system's monotonic clock); another one is for who waits by it, not in `turn`.

    Raises:
        ValueError: `poller` is none of `pollers()`.
        OSError: the system has no further descriptor for the poller.
    """

    def __cinit__(self):
        self.closed = True
        self.due = INFINITY
        self.accept_again = INFINITY

    def __init__(self, Store store not None, poller=None, clock=None):
        names = pollers()
        if poller is not None and poller not in names:
            raise ValueError(f"poller {poller!r} is not available; there is {', '.join(names)}")
        if not self.closed:
            raise ValueError("this pump is already open")
        if poller_open(&self.poller, names.index(poller) if poller else 0) < 0:
            raise OSError(errno, os.strerror(errno), f"poller {poller or names[0]}")
        self.closed = False
        self.store = store
        self.clock = clock
        store.now = self.time()
        self.log = _to_stderr
        self.table = []
        self.continued = deque()
        self.soon = deque()
        self.paused = []

    def __dealloc__(self):
        if not self.closed:
            poller_close(&self.poller)

    def fileno(self):
        """The poller's own descriptor, readable when a turn has something to do beside `pause()`.

        Raises:
            ValueError: poll(2) has none, a descriptor is not in the poller (poll_only), or the pump is closed.
        """
        if self.closed or self.poller.fd < 0:
            raise ValueError("this poller has no descriptor of its own (poll), or it is closed")
        if self.poller.besides:
            raise ValueError("a descriptor that only poll(2) can wait for is not in the poller")
        return self.poller.fd

    def listen(self, int fd, admit):
        """Accepts the clients of a listening socket, which remains the caller's to close (after `forget`).

        `admit(fd)` is called once for each and answers with its session, or None to turn it away.
        """
        os.set_blocking(fd, False)
        cdef Listener entry = Listener.__new__(Listener)
        entry.fd = fd
        entry.admit = admit
        self.enter(entry)

    def on_readable(self, int fd, callback, bint poll_only=False):
        """Calls `callback()` at the end of each turn in which `fd` was readable; `fd` remains the caller's.

        poll_only: neither epoll nor kqueue can wait for it (NetBSD's /dev/xenevt).  Costs each turn another
        system call, and the pump its `fileno()`.

        Raises:
            OSError: the poller does not take the descriptor; ENOSPC: there are two already that only poll(2) can
                wait for.
        """
        cdef Callback entry = Callback.__new__(Callback)
        entry.fd = fd
        entry.callback = callback
        entry.poll_only = poll_only
        self.enter(entry)

    def add(self, int fd, Session session not None):
        """Takes over a connected socket, to be closed with the session.

        Raises:
            ValueError: the session or the descriptor is in a pump already.
            OSError: the poller does not take the descriptor.
        """
        cdef Connection entry = Connection.__new__(Connection)
        if session.owner is not None:
            raise ValueError("the session already has an owner")
        if socket_prepare(fd) < 0:
            raise OSError(errno, os.strerror(errno))
        entry.fd = fd
        self.enter(entry)
        entry.session = session
        session.owner = entry
        self.connections += 1
        if session.out_tail > session.out_head or session.has_waiting():
            self.settle(entry)

    def call_soon(self, callback):
        """Calls `callback()` once at the end of the next turn, which then does not wait."""
        self.soon.append(callback)

    def forget(self, int fd):
        """Ends what `listen` or `on_readable` began; ValueError if neither did."""
        cdef Watched entry = self.table[fd] if 0 <= fd < len(self.table) else None
        if entry is None or type(entry) is Connection:
            raise ValueError(f"descriptor {fd} is neither a listener nor a callback of this pump")
        if entry in self.paused:
            self.paused.remove(entry)
        self.leave(entry)

    def sessions(self):
        """All (descriptor, session) pairs, by descriptor; for live update and reports.  Cost: linear."""
        return [((<Connection>entry).fd, (<Connection>entry).session)
                for entry in self.table if type(entry) is Connection]

    cpdef double pause(self) except -1:
        """Seconds until a turn is needed although no descriptor is ready: 0.0 now, infinity never."""
        cdef double seconds
        self.due = INFINITY
        seconds = self.store.deadline()
        if seconds >= 0.0:
            self.due = self.store.now + seconds     # kept, too, where the next turn does not wait
        if self.store.has_work:
            self.due = min(self.due, self.work_due())
        if self.continued or self.soon or self.store.touched:
            return 0.0
        if self.due == INFINITY and self.accept_again == INFINITY:
            return INFINITY
        return max(0.0, min(self.due, self.accept_again) - self.time())

    def turn(self, timeout=None):
        """One bounded turn: waits at most `timeout` seconds (None: until something happens), then drains.

        Returns whether a descriptor of `on_readable` was served.  Raises what a signal's Python handler raised.
        """
        return self.turn_once(INFINITY if timeout is None or timeout < 0 else timeout)

    def turn_until(self, calls not None):
        """Turns, waiting as long as it takes, until something stands in `calls`, which a callback fills; and at least
        once, without a wait where something stands there already."""
        cdef double longest = 0 if calls else INFINITY
        while True:
            self.turn_once(longest)
            PyErr_CheckSignals()        # before the look: a signal's handler may be what fills it
            if calls:
                return

    cdef bint turn_once(self, double longest) except -1:
        cdef poller_event events[POLLER_PLACES]
        cdef int count, error, limit = self.limit_ms(longest)
        cdef list called = []

        with nogil:
            count = poller_wait(&self.poller, events, limit)
            error = errno
        if count < 0:
            if error != EINTR:
                raise OSError(error, os.strerror(error))
            PyErr_CheckSignals()
            count = 0
        self.store.now = self.time()
        self.busy = count > 0 or bool(self.continued)
        if self.busy:
            self.served_at = self.store.now
        if self.store.now >= self.due:
            self.tick()
        if self.store.now >= self.accept_again:
            self.resume_accepting()
            self.busy = True
        self.dispatch(events, count, called)
        self.flush()
        for entry in called:
            self.call(entry)
        if self.soon:
            self.call_queued()
            self.flush()
        elif called:
            self.flush()
        return bool(called)

    def close(self):
        """Closes all connections and the poller; what clients have not read yet is lost to them."""
        if self.closed:
            return
        for entry in self.table:
            if type(entry) is Connection:
                self.drop(entry)
        self.closed = True
        self.table = []
        self.paused = []
        self.accept_again = INFINITY
        poller_close(&self.poller)

    cdef double time(self) except? -1:
        return monotonic() if self.clock is None else self.clock()

    cdef int limit_ms(self, double longest) except -2:
        """How long the wait may take, in milliseconds rounded up; -1: for ever."""
        if self.closed:
            raise ValueError("the pump is closed")
        cdef double seconds = self.pause()
        if longest < seconds:
            seconds = longest
        if seconds == INFINITY:
            return -1
        return <int>min(ceil(seconds * 1000), <double>INT_MAX)

    cdef int dispatch(self, poller_event *events, int count, list called) except -1:
        cdef int i, executed = 0
        # As many are ready as a turn takes: their replies leave together, at its end.  One at a time each would wake
        # a client that sleeps again at once, and that waking is the store's to pay.
        self.crowded = count >= POLLER_EVENTS
        for i in range(count):
            entry = self.table[events[i].fd]
            if type(entry) is Connection:
                executed += self.serve(entry, events[i].ready, FIRST_REQUESTS)
            elif type(entry) is Callback:
                called.append(entry)
            elif type(entry) is Listener:
                self.accept(entry)
        return self.keep_on(executed, CLIENT_REQUESTS)

    cdef int serve(self, Connection connection, int ready, int budget) except -1:
        """What a ready socket asks for; returns the number of requests executed."""
        try:
            if ready & connection.interest & POLLER_WRITE:
                self.send_output(connection)
            if ready & connection.interest & POLLER_READ and connection.session is not None:
                return self.receive(connection, budget)
        except Exception as error:
            self.fail(connection, error)
        return 0

    cdef int receive(self, Connection connection, int budget) except -1:
        cdef Session session = connection.session
        cdef Py_ssize_t size
        cdef int executed
        if session.closed:
            self.settle(connection)
            return 0
        if session.stalled:
            # Dropped only now: a client that waits for its replies never makes this necessary.
            self.watch(connection, connection.interest & ~POLLER_READ)
            return 0
        if connection.queued:
            return 0
        size = recv(connection.fd, self.buffer, BUFFER_BYTES, MSG_DONTWAIT)
        if size > 0:
            executed = session.consume(self.buffer, size, budget)
            if executed and not session.stalled and session.has_waiting():
                self.enqueue(connection)
            elif session.out_tail > session.out_head and not connection.interest & POLLER_WRITE and not self.crowded:
                # At once, not at the end of the turn: the client works while the others are served.
                self.send_output(connection)
            return executed
        if size == 0 or (errno != EAGAIN and errno != EINTR):
            if size == 0 and session.out_tail > session.out_head:
                self.send_output(connection)
            self.drop(connection)
        return 0

    cdef int keep_on(self, int executed, int budget) except -1:
        """Continues clients that sent more than their budget, in turn, while the turn may last."""
        cdef Connection connection
        cdef int count
        while executed < TURN_REQUESTS and self.continued:
            connection = self.continued.popleft()
            connection.queued = False
            if connection.session is None or connection.session.stalled:
                continue
            try:
                count = connection.session.proceed(budget)
                executed += count
                if count and not connection.session.stalled and connection.session.has_waiting():
                    self.enqueue(connection)
            except Exception as error:
                self.fail(connection, error)
        return executed

    cdef int enqueue(self, Connection connection) except -1:
        if not connection.queued and not connection.session.closed:
            connection.queued = True
            self.continued.append(connection)
        return 0

    cdef int flush(self) except -1:
        """Sends what the sessions on store.touched hold; those that may go on again are continued."""
        cdef list touched = self.store.touched
        cdef Session session
        cdef Py_ssize_t i = 0
        while i < len(touched):        # sending and closing may touch further sessions
            session = touched[i]
            i += 1
            session.touched = False
            if type(session.owner) is Connection:
                try:
                    self.settle(session.owner)
                except Exception as error:
                    self.fail(session.owner, error)
            elif isinstance(session.owner, Carrier):
                try:
                    (<Carrier>session.owner).settle()
                except Exception as error:
                    self.log(f"domain {session.domid}: internal error at its ring: {_describe(error)}")
        touched.clear()
        return 0

    cdef int settle(self, Connection connection) except -1:
        cdef Session session = connection.session
        if session.out_tail > session.out_head and not connection.interest & POLLER_WRITE:
            self.send_output(connection)
            if connection.session is None:
                return 0
        if session.closed:
            return self.drop(connection)
        if not session.stalled:
            self.watch(connection, connection.interest | POLLER_READ)
            if session.has_waiting():
                self.enqueue(connection)
        return 0

    cdef int send_output(self, Connection connection) except -1:
        """Sends once; what the socket does not take goes when it is writable.  Drops a broken connection."""
        cdef Session session = connection.session
        cdef Py_ssize_t size
        self.store.seal()
        size = send(connection.fd, session.out + session.out_head, session.out_tail - session.out_head,
                    SOCKET_SEND_FLAGS)
        if size < 0:
            if errno != EAGAIN and errno != EINTR and errno != ENOBUFS:
                return self.drop(connection)
            size = 0
        if size:
            session.sent(size)
        if session.out_tail > session.out_head:
            return self.watch(connection, connection.interest | POLLER_WRITE)
        return self.watch(connection, connection.interest & ~POLLER_WRITE)

    cdef int accept(self, Listener listener) except -1:
        cdef int fd, _accepted
        for _accepted in range(TURN_ACCEPTS):
            fd = socket_accept(listener.fd)
            if fd < 0:
                if errno == EAGAIN:
                    self.exhausted = False
                    return 0
                if errno == EINTR or errno == ECONNABORTED:
                    continue
                return self.pause_accepting(listener, errno)
            session = None
            try:
                session = listener.admit(fd)
                if session is not None:
                    self.add(fd, session)
                    continue
            except Exception as error:
                self.log(f"connection {fd}: refused: {error}")
            close(fd)
        return 0

    cdef int pause_accepting(self, Listener listener, int error) except -1:
        """Out of descriptors or memory: new clients wait in the backlog until one leaves, or for a second."""
        if not self.exhausted:
            self.exhausted = True
            self.log(f"cannot accept clients, retrying as others leave: {os.strerror(error)}")
        self.watch(listener, 0)
        self.paused.append(listener)
        self.accept_again = self.time() + ACCEPT_RETRY_SECONDS
        return 0

    cdef int resume_accepting(self) except -1:
        paused, self.paused = self.paused, []
        self.accept_again = INFINITY
        for listener in paused:
            self.watch(listener, POLLER_READ)
        return 0

    cdef int tick(self) except -1:
        cdef double began
        try:
            self.store.tick()
            if self.store.has_work and self.store.now >= self.work_due():
                began = self.time()
                self.store.do_work()
                self.work_again = self.time()
                while self.store.is_urgent and self.store.has_work and self.work_again - began < URGENT_SECONDS:
                    self.store.do_work()
                    self.work_again = self.time()
                self.work_again += (self.work_again - began) * WORK_RESTS
        except Exception as error:
            self.log(f"internal error in the store's timers: {_describe(error)}")
        return 0

    cdef double work_due(self) noexcept:
        """When the store's own work goes on: a tenth of the time while clients are served, at once without any, or
        where clients wait for it."""
        if self.store.is_urgent:
            return 0.0
        return min(self.work_again, self.served_at + IDLE_SECONDS)

    cdef int call_queued(self) except -1:
        """Calls what `call_soon` queued until now; what those queue in turn waits for the next turn."""
        self.busy = True
        for _ in range(len(self.soon)):
            callback = self.soon.popleft()
            try:
                callback()
            except Exception as error:
                self.log(f"internal error: {_describe(error)}")
        return 0

    cdef int call(self, Callback entry) except -1:
        if not entry.interest:             # forgotten by an earlier callback of this turn
            return 0
        try:
            entry.callback()
        except Exception as error:
            self.log(f"descriptor {entry.fd}: no longer watched after an internal error: {_describe(error)}")
            if entry.interest:
                self.leave(entry)
        return 0

    cdef int enter(self, Watched entry) except -1:
        if self.closed:
            raise ValueError("the pump is closed")
        if entry.fd < 0:
            raise ValueError(f"descriptor {entry.fd}")
        while len(self.table) <= entry.fd:
            self.table.append(None)
        if self.table[entry.fd] is not None:
            raise ValueError(f"descriptor {entry.fd} is already in this pump")
        if type(entry) is Callback and (<Callback>entry).poll_only:
            if poller_add_beside(&self.poller, entry.fd) < 0:
                raise OSError(errno, os.strerror(errno), f"descriptor {entry.fd} beside the poller")
            entry.interest = POLLER_READ
        else:
            self.watch(entry, POLLER_READ)
        self.table[entry.fd] = entry
        return 0

    cdef int watch(self, Watched entry, int want) except -1:
        if poller_set(&self.poller, entry.fd, entry.interest, want) < 0:
            raise OSError(errno, os.strerror(errno), f"descriptor {entry.fd} in the poller")
        entry.interest = want
        return 0

    cdef int leave(self, Watched entry) except -1:
        if type(entry) is Callback and (<Callback>entry).poll_only:
            poller_remove_beside(&self.poller, entry.fd)
        else:
            poller_set(&self.poller, entry.fd, entry.interest, 0)
        entry.interest = 0
        self.table[entry.fd] = None
        return 0

    cdef int drop(self, Connection connection) except -1:
        cdef Session session = connection.session
        if session is None:
            return 0
        connection.session = None
        session.owner = None
        self.leave(connection)
        close(connection.fd)
        self.connections -= 1
        if self.paused:
            self.accept_again = 0.0    # a descriptor is free
        try:
            session.close()
        except Exception as error:
            self.log(f"connection {connection.fd}: internal error while closing: {_describe(error)}")
        return 0

    cdef int fail(self, Connection connection, error) except -1:
        self.log(f"connection {connection.fd}: closed after an internal error: {_describe(error)}")
        return self.drop(connection)


def _describe(error):
    """The error in one line, with the place it came from."""
    place, traceback = "", error.__traceback__
    while traceback is not None:
        place = f" ({os.path.basename(traceback.tb_frame.f_code.co_filename)}:{traceback.tb_lineno})"
        traceback = traceback.tb_next
    return f"{type(error).__name__}: {error}{place}"
