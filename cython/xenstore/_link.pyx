# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The daemon's side of a domain's store ring: moves bytes between the shared page and a session.

A domain that breaks the protocol is *ignored*: its session is closed, nothing of the page is read any more,
and the reason stands in the page.  It stays introduced, so that its death is still announced (XSA-325).
Source: xen/include/public/io/xs_wire.h, struct xenstore_domain_interface; ring-and-boot.md 1.
"""

cimport cython
from libc.stdint cimport uint32_t, uint64_t

cimport xenstore._failpoint as failpoint
from xenstore._ring cimport BAD_INDEX

cdef enum:
    RING_SIZE = 1024
    REQUESTS = 0
    REPLIES = 1024
    REQ_CONS = 2048
    REQ_PROD = 2052
    RSP_CONS = 2056
    RSP_PROD = 2060
    SERVER_FEATURES = 2064
    CONNECTION = 2068
    ERROR = 2072

cdef enum:
    RECONNECT = 1                   # in CONNECTION: the guest asks to start anew
    RECONNECTION = 1                # in SERVER_FEATURES: it may; xenstore.wire.Feature has these for Python
    ERROR_FIELD = 2                 # the reason for being ignored stands in ERROR

NO_ERROR = 0
ERROR_COMM = 1                      # event channel trouble
ERROR_RINGIDX = 2
ERROR_PROTO = 3


@cython.final
cdef class Link(Carrier):
    """One domain's ring, and its session.

    page: the shared page, 4096 writable bytes.  port: notified among the host's channels whenever the domain has
    something to look at.
    """

    def __init__(self, int domid, buffer, Channels channels not None, int port):
        self.domid = domid
        self.channels = channels
        self.port = port
        self.page = Page(buffer)
        self.requests = Consumer(self.page, REQUESTS, RING_SIZE, REQ_PROD, REQ_CONS)
        self.replies = Producer(self.page, REPLIES, RING_SIZE, RSP_PROD, RSP_CONS)

    def attach(self, Session session not None) -> None:
        """Serve a session over this ring, from where the indices in the page stand."""
        session.executed_bytes = self.requests.position
        session.sent_bytes = session.recorded_bytes = self.replies.position
        session.rewritten = True            # what follows does not continue anything that was recorded
        self.own(session)
        session.touch()

    cdef int own(self, Session session) except -1:
        self.detach()
        self.session = session
        session.owner = self
        session.on_ring = True
        self.page.store(SERVER_FEATURES, session.features)
        self.page.store(ERROR, NO_ERROR)
        self.error = NO_ERROR
        return 0

    def adopt(self, Session session not None) -> bool:
        """Serve a session that was served over this page before: what the page shows is made to agree with it.

        Returns False where the page is further than what the session remembers: part of that is lost, it goes on
        from where the page is, and its input and output so far are dropped.
        """
        cdef uint64_t taken = session.executed_bytes + (session.waiting_tail - session.waiting_head)
        cdef uint32_t ahead = <uint32_t>taken - self.requests.position
        cdef uint32_t shown = self.replies.position - <uint32_t>session.sent_bytes
        if ahead > RING_SIZE or shown > <uint64_t>(session.out_tail - session.out_head):
            session.sent(session.out_tail - session.out_head)
            session.take_input(b"")
            self.attach(session)
            return False
        self.requests.resume(<uint32_t>taken)
        session.sent(shown)
        self.own(session)
        return True

    def locate(self, Session session not None) -> None:
        """Take the page's word for where a session's streams stand, whose positions nobody remembers."""
        # One round of the index ahead, so that what waits in the input lies behind it.
        session.executed_bytes = (<uint64_t>1 << 32) + self.requests.position \
            - (session.waiting_tail - session.waiting_head)
        session.sent_bytes = session.recorded_bytes = self.replies.position

    def ignore(self, Session session not None, int error) -> None:
        """Go on ignoring a domain, whose session is closed."""
        self.own(session)
        self.error = error
        if session.features & ERROR_FIELD:
            self.page.store(ERROR, error)

    def detach(self) -> None:
        """Serve nobody; the page is left as it is."""
        if self.session is not None:
            self.session.owner = None
            self.session = None

    def release(self) -> None:
        """Let go of the page and the port: this ring is not used any more."""
        self.detach()
        self.close_port()
        self.requests = None
        self.replies = None
        self.page = None

    def restart(self) -> None:
        """Empty both directions, as for a domain that is introduced, or asks to start anew; tells the domain."""
        # Whoever goes on after an end in the midst of this finds the request to start anew, and does it again.
        self.page.store(CONNECTION, RECONNECT)
        self.session.executed_bytes = 0
        self.session.sent_bytes = self.session.recorded_bytes = 0
        self.session.touch()
        self.session.store.seal()
        if failpoint.armed:
            failpoint.reach("ring.restart")
        self.requests.restart()
        self.replies.restart()
        if failpoint.armed:
            failpoint.reach("ring.restarted")
        self.connected()

    def connected(self) -> None:
        """Show the domain that it is connected."""
        self.page.store(CONNECTION, 0)
        self.notify()

    @property
    def is_starting_anew(self) -> bool:
        """Whether the page asks for that; where the domain was not offered it, this side was at it (`restart`)."""
        return self.page.load(CONNECTION) == RECONNECT

    @property
    def wants_reconnect(self) -> bool:
        """Whether the domain asks to start anew, which it may if it was offered that: whoever introduced it closes
        its session and calls `restart`."""
        return (self.session is not None and self.session.features & RECONNECTION != 0
                and not self.error and self.is_starting_anew)

    def close_port(self) -> None:
        """Notify nobody any more: the port's number may be another domain's by now."""
        self.port = 0

    cpdef int notify(self) except -1:
        """Tell the domain that there is something to look at."""
        if self.port == 0:
            return 0
        try:
            self.channels.notify(self.port)
        except OSError as error:
            if self.session is not None:
                self.session.store.say(f"domain {self.domid}: cannot be notified: {error}")
        return 0

    cpdef int serve(self) except -1:
        """Take at most one ring of requests, execute them, give what output fits; the rest soon.

        A domain that asked to start its connection anew gets that.  What goes wrong here is this domain's, and logged.
        """
        cdef Session session = self.session
        if session is None:
            return 0
        try:
            if self.wants_reconnect:
                session.store.reconnect(self.domid)
                session.store.say(f"domain {self.domid} asked to start its store connection anew")
            if self.exchange() and self.serve_soon is not None:
                self.serve_soon(self)
        except Exception as error:
            session.store.say(f"domain {self.domid}: internal error at its store ring: {error!r}")
        return 0

    cdef bint exchange(self) except -1:
        """As `serve`; returns whether more could be done at once."""
        cdef Session session = self.session
        cdef Py_ssize_t count
        cdef int took = False
        if self.error:
            return False
        self.pass_output()
        if self.error:
            return False
        if not session.stalled:
            session.proceed(RING_SIZE)
        if not session.stalled and not session.closed and not session.has_waiting():
            count = self.requests.copy(self.buffer, RING_SIZE)
            if count == BAD_INDEX:
                self.give_up(ERROR_RINGIDX)
                return False
            if count:
                session.consume(self.buffer, count, RING_SIZE)
                if self.session is not session:
                    return False            # its own request ended this connection
                session.touch()
                session.store.seal()
                self.requests.advance(count)
                took = True
                if failpoint.armed:
                    failpoint.reach("ring.taken")
        if session.closed:
            self.give_up(ERROR_PROTO)
            return False
        if not self.pass_output() and took:
            self.notify()
        return not self.error and not session.stalled and (session.has_waiting() or self.requests.available() != 0)

    cdef int settle(self) except -1:
        """Give what output fits; a session that may go on after a stall goes on: its domain waits, it need not fire."""
        cdef Session session = self.session
        self.pass_output()
        if (self.serve_soon is not None and self.session is session and session is not None and not self.error
                and not session.stalled and (session.has_waiting() or self.requests.available() != 0)):
            self.serve_soon(self)
        return 0

    cdef int pass_output(self) except -1:
        """Copy as much output into the page as fits; the domain's next event brings the rest.

        Returns whether the domain was notified.
        """
        cdef Session session = self.session
        cdef Py_ssize_t count
        if session is None or self.error or session.out_tail == session.out_head:
            return 0
        count = self.replies.room()
        if count == BAD_INDEX:
            return self.give_up(ERROR_RINGIDX)
        count = min(count, session.out_tail - session.out_head)
        if count:
            session.store.seal()
            self.replies.place(session.out + session.out_head, count)
            if failpoint.armed:
                failpoint.reach("ring.placed")
            session.sent(count)
            self.replies.advance(count)
            if failpoint.armed:
                failpoint.reach("ring.shown")
            self.notify()
        return count != 0

    cdef int give_up(self, int error) except -1:
        """Ignore this domain from now on."""
        self.error = error
        self.session.store.ignore(self.domid, error)
        self.session.store.seal()
        if self.session.features & ERROR_FIELD:
            self.page.store(ERROR, error)
        self.session.store.say(
            f"domain {self.domid}: its store ring breaks the protocol "
            f"({'bad index' if error == ERROR_RINGIDX else 'payload longer than 4096 bytes'}); "
            "it is ignored until it is introduced again or dies")
        self.notify()
        return 0


def serve_fired(Channels channels not None, dict links not None, int changes) -> bool:
    """Serve those of the links (by local port) whose ports have fired, and let these fire again.

    Returns whether the port `changes` was among them, or may have been.
    """
    cdef list fired = channels.pending()
    if fired is None:
        fired = [*links, changes]
    for port in fired:
        link = links.get(port)
        if link is not None:
            (<Link>link).serve()
    if fired:
        channels.unmask(fired)
    return changes in fired
