# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Transactions: a private version of the tree, and the list of operations with their replies.

The private version is forked from the live one at the first operation: what happens between the start and
then cannot make a difference to anybody.

At the end: without writes there is nothing to do.  If nobody changed the store since the fork, and no
domain died, the private version becomes the store.  Otherwise the operations are executed again on a version forked from
today's store; if each gives byte for byte the reply it gave before, that version becomes the store, else
the answer is EAGAIN and nothing has happened.  So every transaction sees one snapshot and takes effect
at one instant: strict serialisability, whatever the operations were about.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.string cimport memcmp, memcpy, strlen

from xenstore._view cimport DIRECTORY_PART, F_EAGAIN, F_ENOMEM, NO_FAULT, REMOVED, SET_PERMS, UNCHANGED, view_of

cdef extern from "Python.h":
    char *PyBytes_AS_STRING(object) noexcept
    Py_ssize_t PyBytes_GET_SIZE(object) noexcept


@cython.final
@cython.no_gc
cdef class Log:
    """Operations and their replies, one after the other in one block of memory."""

    def __dealloc__(self):
        PyMem_Free(self.data)

    cdef int append(self, Request *request, Fault fault, int change, bytes reply, bytes perms) except -1:
        cdef Record record
        cdef Py_ssize_t total
        cdef char *p
        record.op = request.op
        record.fault = fault
        record.change = change
        record.path_size = <uint32_t>request.path_size
        record.rest_size = <uint32_t>request.rest_size
        record.reply_size = 0 if reply is None else <uint32_t>PyBytes_GET_SIZE(reply)
        record.perms_size = 0 if perms is None else <uint32_t>PyBytes_GET_SIZE(perms)
        total = record_size(&record)
        if self.used + total > self.size:
            p = <char *>PyMem_Realloc(self.data, (self.used + total) * 2)
            if p == NULL:
                raise MemoryError()
            self.data = p
            self.size = (self.used + total) * 2
        p = self.data + self.used
        memcpy(p, &record, sizeof(Record))
        p += sizeof(Record)
        memcpy(p, request.path, request.path_size)
        p += request.path_size
        if request.rest_size:
            memcpy(p, request.rest, request.rest_size)
            p += request.rest_size
        if record.reply_size:
            memcpy(p, PyBytes_AS_STRING(reply), record.reply_size)
            p += record.reply_size
        if record.perms_size:
            memcpy(p, PyBytes_AS_STRING(perms), record.perms_size)
        self.used += total
        return 0


cdef Transaction start(uint32_t id, bint count_nodes):
    """A transaction without a snapshot yet."""
    cdef Transaction transaction = Transaction.__new__(Transaction)
    transaction.id = id
    transaction.log = Log.__new__(Log)
    transaction.removed = []
    if count_nodes:
        transaction.accessed = set()
    return transaction


@cython.final
cdef class Transaction:
    """One open transaction of one session."""

    cdef int snapshot(self, View live) except -1:
        """Fork the live version, letting go of an older fork; constant cost."""
        self.base_root = live.tree.root
        self.base_specials = live.tree.specials
        self.view = view_of(live.tree.fork(), live.knows)
        self.replaced_at_start = live.tree.history.replaced_bytes
        self.pinned_since = -1
        return 0

    cdef int lose(self, View live) except -1:
        """Let go of snapshot, private version and log: this transaction will fail, and holds nothing from now on."""
        self.lost = True
        self.log = Log.__new__(Log)
        self.removed = []
        if self.accessed is not None:
            self.accessed.clear()
        self.snapshot(live)
        return 0

    cdef bytes perform(self, View live, Actor *who, Request *request, Fault *fault):
        """Execute a request inside; returns the reply's payload or None with the fault."""
        cdef bytes reply = self.view.perform(who, request)
        self.operations += 1
        self.doomed = self.doomed or self.view.too_large
        fault[0] = self.view.fault
        if self.lost:
            self.view.removed = None
            if self.view.change != UNCHANGED:
                self.snapshot(live)
            return reply
        self.keep_removed(self.view)
        self.writes += self.view.change != UNCHANGED
        self.log.append(request, self.view.fault, self.view.change, reply, self.perms_after(self.view, request))
        return reply

    cdef int keep_removed(self, View view) except -1:
        """Keep what the request just executed took away: at the commit, watches on nodes inside are told."""
        if view.change == REMOVED:
            self.removed.append(view.removed)
        view.removed = None
        return 0

    cdef bytes perms_after(self, View view, Request *request):
        """The packed permissions that the request just executed gave its node, if it did."""
        if request.op != SET_PERMS or view.change == UNCHANGED:
            return None
        return (<Node>view.tree.find(request.path, request.path_size).node).perms.packed

    cdef Tree prepare(self, View live, Actor *who, Fault *fault):
        """The version that a commit would make the store; None: nothing to do, or the fault says why not."""
        fault[0] = NO_FAULT
        if self.doomed:
            fault[0] = F_ENOMEM
            return None
        if self.lost:
            fault[0] = F_EAGAIN
            return None
        if self.writes == 0:
            return None
        if (
            self.base_root is live.tree.root
            and self.base_specials is live.tree.specials
            and self.view.tree.deaths is live.tree.deaths
        ):
            return self.view.tree
        tree = self.replay(live, who)
        if tree is None:
            fault[0] = F_EAGAIN
        return tree

    cdef Tree replay(self, View live, Actor *who):
        """A version forked from the live one with all operations done again; None when a reply differs."""
        cdef View view = view_of(live.tree.fork(), live.knows)
        cdef Request request
        cdef Record *record
        cdef bytes reply
        cdef char *p
        cdef Py_ssize_t at = 0
        self.removed = []
        while at < self.log.used:
            record = <Record *>(self.log.data + at)
            p = <char *>(record + 1)
            request.op = record.op
            request.path = p
            request.path_size = record.path_size
            request.rest = p + record.path_size
            request.rest_size = record.rest_size
            reply = view.perform(who, &request)
            self.keep_removed(view)
            if view.fault != record.fault:
                return None
            if reply is not None and not same_reply(record, request.rest + record.rest_size, reply):
                return None
            record.change = view.change
            if record.perms_size:       # of the same size: only which domains are known may have changed
                memcpy(p + record.path_size + record.rest_size + record.reply_size,
                       PyBytes_AS_STRING(self.perms_after(view, &request)), record.perms_size)
            at += record_size(record)
        return view.tree


cdef bint same_reply(Record *record, const char *before, bytes reply) noexcept:
    """Whether an operation done again gives the reply it gave before.

    DIRECTORY_PART's generation is left out: it differs wherever the transaction has changed the node itself,
    and tells its reader only that the listing changed between two parts.
    """
    cdef const char *now = PyBytes_AS_STRING(reply)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(reply)
    cdef Py_ssize_t before_size = record.reply_size
    cdef Py_ssize_t head
    if record.op == DIRECTORY_PART:
        head = strlen(now)
        now += head
        size -= head
        head = strlen(before)
        before += head
        before_size -= head
    return size == before_size and memcmp(now, before, size) == 0
