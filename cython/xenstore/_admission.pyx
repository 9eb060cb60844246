# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Admission of transactions under contention.

Where many clients change the same nodes, letting all of them start at once makes nearly all of them fail.
After a conflict, transactions are admitted in the order of their asking through a window: narrowed by each
conflict, widened a little by each success, and gone once it is wide.  The two factors are in balance where
one transaction in seven fails: fewer failures would leave the store idle where conflicts are possible but
rare, more would waste what it does.  A transaction holds its place for
SLOT_SECONDS at the most, and nobody waits longer than WAIT_SECONDS, so a client that dawdles inside its
transaction costs the others little and starves nobody.
"""

from collections import deque

cimport cython

cdef enum:
    WIDE = 1024                     # a window this wide is no window

cdef double SLOT_SECONDS = 0.005
cdef double WAIT_SECONDS = 0.25
cdef double GROWTH = 1.05          # by a success
cdef double SHRINKAGE = 0.75        # by a conflict; log(0.75) / log(1.05) = -5.9


@cython.final
cdef class Admission:
    """Who may start a transaction now, and who waits."""

    def __cinit__(self):
        self.window = WIDE
        self.running = {}
        self.waiting = deque()

    cdef bint full(self) noexcept:
        """Whether the next one has to wait."""
        return self.window < WIDE and (len(self.waiting) > 0 or len(self.running) >= <Py_ssize_t>self.window)

    cdef int begin(self, object transaction, double now) except -1:
        self.running[transaction] = now
        return 0

    cdef int end(self, object transaction, bint conflict) except -1:
        """A transaction ended, or its session is gone; conflict: with EAGAIN."""
        cdef Py_ssize_t side_by_side = len(self.running)
        self.running.pop(transaction, None)
        if conflict:
            self.window = max(1.0, min(self.window, side_by_side) * SHRINKAGE)
        elif self.window < WIDE:
            self.window *= GROWTH
        return 0

    cdef int wait(self, object session, double now) except -1:
        self.waiting.append((session, now))
        return 0

    cdef object next(self, double now):
        """The session that may start now, or None; to be asked until None."""
        while self.running:
            transaction, since = next(iter(self.running.items()))
            if now - since < SLOT_SECONDS:
                break
            del self.running[transaction]
        while self.waiting:
            session, since = self.waiting[0]
            if not session.closed and self.window < WIDE and len(self.running) >= <Py_ssize_t>self.window \
                    and now - since < WAIT_SECONDS:
                return None
            self.waiting.popleft()
            if not session.closed:
                return session
        return None

    cdef double deadline(self, double now) except? -1:
        """Seconds until `next` may have somebody without anything ending before; negative: nobody waits."""
        if not self.waiting:
            return -1.0
        cdef double due = self.waiting[0][1] + WAIT_SECONDS
        for since in self.running.values():
            due = min(due, since + SLOT_SECONDS)
            break
        return max(0.0, due - now)
