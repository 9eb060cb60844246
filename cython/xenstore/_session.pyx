# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Sessions: one client each, bytes in, whole replies and events out; and the store that they share.

A session does no I/O and knows no clock: a driver hands it input (`consume`), sends what lies in `out`
and reports it (`sent`).  Requests of one session are answered strictly in order.

Everything that comes from a client is checked here before anything below looks at it: framing, strings,
paths, quotas.  A framing violation closes the session; nothing a client sends raises an exception.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from libc.stdio cimport sprintf
from libc.string cimport memchr, memcmp, memcpy, memmove, memset

from xenstore._accounts cimport (
    Q_MEMORY, Q_NODE_PERMISSIONS, Q_NODE_SIZE, Q_NODES, Q_OUTSTANDING, Q_PATH_MAX, Q_TRANSACTION_NODES,
    Q_TRANSACTIONS, Q_WATCHES,
)
from xenstore._ledger cimport Ledger, Row
from xenstore._names cimport dismantle, hash_name, in_order
from xenstore._path cimport home_prefix, valid_path
from xenstore._perms cimport NO_DOMAIN, READ, Entry, Perms, entries, rights, with_owner
from xenstore._transactions cimport Record, start
from xenstore._tree cimport Place, fresh_tree
from xenstore._view cimport (
    CHANGED, DIRECTORY, DIRECTORY_PART, ERROR, F_EACCES, F_EAGAIN, F_EBUSY, F_EEXIST, F_EINVAL, F_ENOENT, F_ENOMEM, F_ENOSPC,
    F_ENOSYS, FAULT_TEXT, FAULTS, GET_PERMS, MKDIR, NO_FAULT, OK, PAYLOAD_MAX, READ_NODE, REMOVED, RESET_WATCHES, RM,
    SET_PERMS, TRANSACTION_END, TRANSACTION_START, UNCHANGED, UNWATCH, WATCH, WATCH_EVENT, WRITE_NODE, Existence,
    view_of,
)

from collections import deque

from xenstore import errors, limits

cdef extern from "Python.h":
    char *PyBytes_AS_STRING(object) noexcept
    Py_ssize_t PyBytes_GET_SIZE(object) noexcept
    bytes PyBytes_FromStringAndSize(const char *, Py_ssize_t)
    Py_ssize_t PY_SSIZE_T_MAX

cdef enum:
    HEADER_SIZE = 16
    OUT_FIRST = 1024                # first size of an output buffer; larger ones are freed once empty
    TYPES = 27

cdef enum Kind:                     # what a message type is, one bit each
    KNOWN = 1
    NODE = 2                        # concerns one node: its payload begins with a path
    PRIVILEGED = 4
    ANY_TRANSACTION = 8             # the transaction id is ignored
    ONE_STRING = 16
    SPECIALS = 32                   # the path may be @introduceDomain or @releaseDomain
    WRITES = 64

cdef Py_ssize_t OUTPUT_STALL = limits.OUTPUT_STALL_BYTES
cdef Py_ssize_t OUTPUT_MAX = limits.OUTPUT_MAX_BYTES
cdef unsigned long long PINNED_MAX = limits.PINNED_MAX_BYTES
cdef double PINNED_SECONDS = limits.PINNED_MAX_SECONDS

#: Write credits (XSA-206): a guest's write costs one while somebody else's transaction is open.
cdef double CREDITS_PER_SECOND = 200.0
cdef double CREDITS_MAX = 50.0
#: How often guests' credits and snapshots are looked at, in seconds.
cdef double GUEST_SECONDS = 0.05

cdef int[TYPES] kinds
memset(kinds, 0, sizeof(kinds))
kinds[0] = KNOWN | PRIVILEGED                                       # CONTROL
kinds[1] = KNOWN | NODE | ONE_STRING                                # DIRECTORY
kinds[2] = KNOWN | NODE | ONE_STRING                                # READ
kinds[3] = KNOWN | NODE | ONE_STRING | SPECIALS                     # GET_PERMS
kinds[4] = KNOWN | ANY_TRANSACTION                                  # WATCH
kinds[5] = KNOWN | ANY_TRANSACTION                                  # UNWATCH
kinds[6] = KNOWN | ANY_TRANSACTION                                  # TRANSACTION_START: looks at the id itself
kinds[7] = KNOWN | ANY_TRANSACTION                                  # TRANSACTION_END: likewise
kinds[8] = KNOWN | PRIVILEGED                                       # INTRODUCE
kinds[9] = KNOWN | PRIVILEGED                                       # RELEASE
kinds[10] = KNOWN                                                   # GET_DOMAIN_PATH
kinds[11] = KNOWN | NODE | WRITES                                   # WRITE
kinds[12] = KNOWN | NODE | ONE_STRING | WRITES                      # MKDIR
kinds[13] = KNOWN | NODE | ONE_STRING | WRITES                      # RM
kinds[14] = KNOWN | NODE | SPECIALS | WRITES                        # SET_PERMS
kinds[17] = KNOWN | PRIVILEGED                                      # IS_DOMAIN_INTRODUCED
kinds[18] = KNOWN | PRIVILEGED                                      # RESUME
kinds[19] = KNOWN | PRIVILEGED                                      # SET_TARGET
kinds[21] = KNOWN                                                   # RESET_WATCHES
kinds[22] = KNOWN | NODE                                            # DIRECTORY_PART
kinds[23] = KNOWN                                                   # GET_FEATURE
kinds[24] = KNOWN | PRIVILEGED                                      # SET_FEATURE
kinds[25] = KNOWN | PRIVILEGED                                      # GET_QUOTA
kinds[26] = KNOWN | PRIVILEGED                                      # SET_QUOTA

cdef char[PAYLOAD_MAX + 32] scratch  # an absolute path made of a relative one; valid during one request


cdef struct Header:
    uint32_t type
    uint32_t req_id
    uint32_t tx_id
    uint32_t size


cdef inline void put_header(char *at, uint32_t type, uint32_t req_id, uint32_t tx_id, Py_ssize_t size) noexcept:
    """Write a header, to any address: messages follow each other without padding."""
    cdef Header header
    header.type = type
    header.req_id = req_id
    header.tx_id = tx_id
    header.size = <uint32_t>size
    memcpy(at, &header, HEADER_SIZE)


cdef inline bint one_string(const char *payload, Py_ssize_t size) noexcept:
    """Whether a payload is one NUL-terminated string and nothing else."""
    return size > 0 and memchr(payload, 0, size) == payload + size - 1


cdef inline Py_ssize_t string_end(const char *payload, Py_ssize_t start, Py_ssize_t size) noexcept:
    """Where the string that begins at start ends (its NUL), or -1."""
    cdef const char *nul = <const char *>memchr(payload + start, 0, size - start) if start < size else NULL
    return -1 if nul == NULL else nul - payload


cdef int parse_depth(const char *text, Py_ssize_t size) noexcept:
    """A watch depth, a decimal number; -1: it is none."""
    cdef int value = 0
    cdef Py_ssize_t i
    if size == 0:
        return -1
    for i in range(size):
        if not c'0' <= text[i] <= c'9' or value > 100000:
            return -1
        value = value * 10 + (text[i] - c'0')
    return value


cdef class Carrier:
    """Moves the bytes of a session otherwise than over a socket."""

    cdef int settle(self) except -1:
        """The session has output, or may go on, or was closed."""
        return 0


cdef class Session(Subscriber):
    """One client of a store; made by `Store.connect` and `Store.connect_domain`."""

    def __init__(self, Store store, int domid, bint privileged):
        self.store = store
        self.domid = domid
        self.privileged = privileged
        self.watches = {}
        self.transactions = {}
        self.account = store.accounts.of(domid)
        self.actor.domid = domid
        self.actor.privileged = privileged
        self.actor.target = NO_DOMAIN
        self.actor.any_domain = True
        self.features = 14
        store.sessions.add(self)
        if not privileged:
            self.event_times = deque()
            store.guests.add(self)

    def __dealloc__(self):
        PyMem_Free(self.out)
        PyMem_Free(self.waiting)
        PyMem_Free(self.pending)

    # --- input -------------------------------------------------------------------------------------

    cdef int consume(self, const char *data, Py_ssize_t size, int budget) except -1:
        """Take input that arrived; execute at most `budget` requests of it, keep the rest.  Returns how many."""
        cdef int left = budget
        cdef Py_ssize_t used
        if self.waiting_tail > self.waiting_head:
            self.keep(data, size)
            return self.proceed(budget)
        used = self.execute_from(data, size, &left)
        if used < size and not self.closed:
            self.keep(data + used, size - used)
        return budget - left

    cdef int proceed(self, int budget) except -1:
        """Execute at most `budget` requests of the input that was kept.  Returns how many."""
        cdef int left = budget
        cdef char *data = self.waiting
        if self.waiting_tail > self.waiting_head:
            self.waiting_head += self.execute_from(
                data + self.waiting_head, self.waiting_tail - self.waiting_head, &left)
            if self.waiting_head == self.waiting_tail:
                PyMem_Free(self.waiting)
                self.waiting = NULL
                self.waiting_head = self.waiting_tail = self.waiting_size = 0
        return budget - left

    cdef bint has_waiting(self) noexcept:
        """Whether a whole request waits in the input that was kept."""
        cdef Header header
        cdef Py_ssize_t size = self.waiting_tail - self.waiting_head
        if size < HEADER_SIZE:
            return False
        memcpy(&header, self.waiting + self.waiting_head, HEADER_SIZE)
        return header.size > PAYLOAD_MAX or size >= HEADER_SIZE + <Py_ssize_t>header.size

    cdef int keep(self, const char *data, Py_ssize_t size) except -1:
        cdef Py_ssize_t held = self.waiting_tail - self.waiting_head
        cdef char *fresh
        if self.waiting_tail + size > self.waiting_size:
            fresh = <char *>PyMem_Malloc(held + size)
            if fresh == NULL:
                raise MemoryError()
            if held:
                memcpy(fresh, self.waiting + self.waiting_head, held)
            PyMem_Free(self.waiting)
            self.waiting = fresh
            self.waiting_head = 0
            self.waiting_tail = held
            self.waiting_size = held + size
        memcpy(self.waiting + self.waiting_tail, data, size)
        self.waiting_tail += size
        return 0

    cdef Py_ssize_t execute_from(self, const char *data, Py_ssize_t size, int *budget) except -1:
        """Execute whole requests at the start of data while budget lasts; returns how many bytes they took."""
        cdef Py_ssize_t at = 0
        cdef Header header
        while budget[0] > 0 and size - at >= HEADER_SIZE and not self.stalled and not self.closed:
            memcpy(&header, data + at, HEADER_SIZE)
            if header.size > PAYLOAD_MAX:
                self.close()
                break
            if size - at < HEADER_SIZE + <Py_ssize_t>header.size:
                break
            self.more_input = size > at + HEADER_SIZE + <Py_ssize_t>header.size
            self.execute(header.type, header.req_id, header.tx_id, data + at + HEADER_SIZE, header.size)
            if self.parked is not None:
                break                       # the request stays in the input until it is admitted
            at += HEADER_SIZE + header.size
            budget[0] -= 1
            if not self.privileged:
                self.update_stall()
        return at

    # --- requests ----------------------------------------------------------------------------------

    cdef int execute(self, uint32_t type, uint32_t req_id, uint32_t tx_id, const char *payload, Py_ssize_t size) except -1:
        cdef int kind = kinds[type] if type < TYPES else 0
        cdef Transaction transaction = None
        if tx_id and kind & NODE:
            transaction = self.transactions.get(tx_id)
            if transaction is not None and transaction.view is None and self.must_wait(transaction):
                return 0
        if self.store.trace is not None:
            self.store.trace("IN", self, type, payload[:size])
        if not kind & KNOWN:
            return self.refuse(req_id, tx_id, F_ENOSYS)
        if kind & PRIVILEGED and not self.privileged:
            return self.refuse(req_id, tx_id, F_EACCES)
        if tx_id and not kind & ANY_TRANSACTION:
            if transaction is None and tx_id not in self.transactions:
                return self.refuse(req_id, tx_id, F_ENOENT)
        if kind & NODE:
            return self.node_request(type, req_id, tx_id, transaction, payload, size)
        if type == TRANSACTION_START:
            return self.start_transaction(req_id, tx_id)
        if type == TRANSACTION_END:
            return self.end_transaction(req_id, tx_id, payload, size)
        if type == WATCH:
            return self.add_watch(req_id, tx_id, payload, size)
        if type == UNWATCH:
            return self.remove_watch(req_id, tx_id, payload, size)
        if type == RESET_WATCHES:
            self.reset()
            return self.reply(type, req_id, tx_id, OK)
        return self.administer(type, req_id, tx_id, payload[:size])

    cdef int node_request(self, uint32_t type, uint32_t req_id, uint32_t tx_id, Transaction transaction,
                          const char *payload, Py_ssize_t size) except -1:
        cdef Request request
        cdef bytes reply
        cdef Fault fault = self.locate(type, payload, size, &request)
        if fault != NO_FAULT:
            return self.refuse(req_id, tx_id, fault)
        if transaction is None:
            reply = self.perform_live(&request, &fault)
        else:
            reply = self.perform_inside(transaction, &request, &fault)
        if reply is None:
            return self.refuse(req_id, tx_id, fault)
        return self.reply(type, req_id, tx_id, reply)

    cdef Fault locate(self, uint32_t type, const char *payload, Py_ssize_t size, Request *request) noexcept:
        """Split the payload of a request about a node and check its path."""
        cdef int kind = kinds[type]
        cdef Py_ssize_t end
        if kind & ONE_STRING:
            if not one_string(payload, size):
                return F_EINVAL
            end = size - 1
        else:
            end = string_end(payload, 0, size)
            if end < 0:
                return F_EINVAL
            if type == DIRECTORY_PART and not one_string(payload + end + 1, size - end - 1):
                return F_EINVAL
        request.op = type
        request.rest = payload + end + 1
        request.rest_size = size - end - 1
        request.path_size = self.absolute(payload, end, kind & SPECIALS, &request.path)
        return F_EINVAL if request.path_size < 0 else NO_FAULT

    cdef Py_ssize_t absolute(self, const char *path, Py_ssize_t size, bint special, const char **result) noexcept:
        """The size of the absolute form of a client's path, which result points to; -1: it is not well formed."""
        cdef int prefix
        if not valid_path(path, size):
            return -1
        if path[0] == c'@':
            if not special:
                return -1
        elif path[0] != c'/':
            prefix = sprintf(scratch, "/local/domain/%d/", self.domid)
            memcpy(scratch + prefix, path, size)
            path = scratch
            size += prefix
        result[0] = path
        if not self.privileged and not self.account.allows(Q_PATH_MAX, size - home_prefix(path, size)):
            return -1
        return size

    cdef int prepare_actor(self, Transaction transaction) except -1:
        """Bring a guest's bounds up to date for the next request.

        Nodes are counted when a transaction commits; until then its private version may hold as many new ones
        as the domain may own (XSA-326).
        """
        cdef Row held
        held.nodes = self.account.nodes
        held.size = 0
        if transaction is not None:
            held = transaction.view.tree.ledger.of(self.domid)
        self.actor.nodes_left = self.account.left(Q_NODES, max(0, held.nodes))
        self.actor.bytes_left = self.account.left(Q_MEMORY, self.account.memory + max(0, held.size))
        self.actor.node_size_max = self.account.quotas[<int>Q_NODE_SIZE]
        self.actor.perms_max = self.account.quotas[<int>Q_NODE_PERMISSIONS]
        self.actor.any_domain = self.features & 8
        return 0

    cdef int prepare_replay(self, Transaction transaction) except -1:
        """Bring a guest's bounds up to date for the replay of a transaction, after which its log is gone."""
        self.prepare_actor(None)
        self.actor.nodes_left = -1
        self.actor.bytes_left = self.account.left(Q_MEMORY, self.account.memory - transaction.log.used)
        return 0

    cdef bytes perform_live(self, Request *request, Fault *fault):
        cdef View live = self.store.live
        cdef bytes reply
        if not self.privileged:
            self.prepare_actor(None)
            if kinds[request.op] & WRITES:
                self.spend_credit()
        reply = live.perform(&self.actor, request)
        fault[0] = live.fault
        if live.change != UNCHANGED:
            self.store.changed(request)
        return reply

    cdef bytes perform_inside(self, Transaction transaction, Request *request, Fault *fault):
        cdef Py_ssize_t before = transaction.log.used
        cdef bytes reply
        if transaction.view is None:
            transaction.snapshot(self.store.live)
            if self.privileged and not transaction.admitted:
                self.store.admission.begin(transaction, self.store.now)
        if not self.privileged:
            self.prepare_actor(transaction)
            if not transaction.lost:
                transaction.accessed.add(request.path[:request.path_size])
            if not self.account.allows(Q_TRANSACTION_NODES, len(transaction.accessed)):
                transaction.doomed = True
                fault[0] = F_ENOSPC
                return None
        reply = transaction.perform(self.store.live, &self.actor, request, fault)
        self.account.memory += transaction.log.used - before
        if not self.privileged and not transaction.lost and not self.account.allows(Q_MEMORY, self.account.memory):
            # A guest over its memory is not served, so it could never end the transaction to free this.
            transaction.doomed = True
            self.lose(transaction)
            fault[0] = F_ENOMEM
            return None
        return reply

    cdef int lose(self, Transaction transaction) except -1:
        """Let go of all that a transaction holds; it will fail."""
        self.account.memory -= transaction.log.used
        return transaction.lose(self.store.live)

    def spend_credit(self):
        """Charge a guest's write while others' transactions are open (XSA-206); in debt, it is not read on."""
        cdef Account account = self.account
        if self.store.open_transactions <= len(self.transactions):
            return
        self.refill()
        account.credits -= 1

    cdef int administer(self, uint32_t type, uint32_t req_id, uint32_t tx_id, bytes payload) except -1:
        """Requests about domains and the daemon, which are rare: see xenstore.administration."""
        cdef bytes answer
        try:
            answer = self.store.administer(self, type, payload)
        except errors.XenstoreError as error:
            return self.message(ERROR, req_id, tx_id, error.name.encode() + b"\0", len(error.name) + 1)
        if len(answer) > PAYLOAD_MAX:
            answer = answer[: PAYLOAD_MAX - 1] + b"\0"
        self.reply(type, req_id, tx_id, answer)
        self.store.after_reply()
        return 0

    # --- watches -----------------------------------------------------------------------------------

    cdef int add_watch(self, uint32_t req_id, uint32_t tx_id, const char *payload, Py_ssize_t size) except -1:
        cdef Py_ssize_t path_end = string_end(payload, 0, size)
        cdef Py_ssize_t token_end = -1 if path_end < 0 else string_end(payload, path_end + 1, size)
        cdef const char *path
        cdef Py_ssize_t path_size
        cdef int depth = -1
        cdef bytes key
        cdef Watch watch
        if token_end < 0:
            return self.refuse(req_id, tx_id, F_EINVAL)
        if token_end + 1 < size:
            if not self.features & 4 or not one_string(payload + token_end + 1, size - token_end - 1):
                return self.refuse(req_id, tx_id, F_EINVAL)
            depth = parse_depth(payload + token_end + 1, size - token_end - 2)
            if depth < 0:
                return self.refuse(req_id, tx_id, F_EINVAL)
        path_size = self.absolute(payload, path_end, True, &path)
        if path_size < 0:
            return self.refuse(req_id, tx_id, F_EINVAL)
        key = path[:path_size] + payload[path_end:token_end]
        if key in self.watches:
            return self.refuse(req_id, tx_id, F_EEXIST)
        if not self.privileged and not self.account.allows(Q_WATCHES, self.account.watches + 1):
            return self.refuse(req_id, tx_id, F_ENOSPC)
        if not self.privileged and not self.account.allows(
                Q_MEMORY, self.account.memory + path_size + token_end - path_end - 1):
            return self.refuse(req_id, tx_id, F_ENOMEM)
        watch = Watch(self, path[:path_size], payload[path_end + 1:token_end], depth,
                      payload[0] != c'/' and payload[0] != c'@', path_size - path_end)
        self.watches[key] = watch
        self.store.watches.add(watch)
        self.account.watches += 1
        self.account.memory += path_size + token_end - path_end - 1
        self.reply(WATCH, req_id, tx_id, OK)
        self.initial_event(watch)
        return 0

    def initial_event(self, Watch watch):
        """Tell a new watch's path once, whoever may read it: it tells the client nothing it did not say."""
        self.queue_event(watch, PyBytes_AS_STRING(watch.path), PyBytes_GET_SIZE(watch.path), True)

    cdef int remove_watch(self, uint32_t req_id, uint32_t tx_id, const char *payload, Py_ssize_t size) except -1:
        cdef Py_ssize_t path_end = string_end(payload, 0, size)
        cdef const char *path
        cdef Py_ssize_t path_size
        cdef Watch watch
        if path_end < 0 or not one_string(payload + path_end + 1, size - path_end - 1):
            return self.refuse(req_id, tx_id, F_EINVAL)
        path_size = self.absolute(payload, path_end, True, &path)
        if path_size < 0:
            return self.refuse(req_id, tx_id, F_EINVAL)
        watch = self.watches.pop(path[:path_size] + payload[path_end:size - 1], None)
        if watch is None:
            return self.refuse(req_id, tx_id, F_ENOENT)
        self.drop_watch(watch)
        return self.reply(UNWATCH, req_id, tx_id, OK)

    cdef int drop_watch(self, Watch watch) except -1:
        self.store.watches.discard(watch)
        self.account.watches -= 1
        self.account.memory -= PyBytes_GET_SIZE(watch.path) + PyBytes_GET_SIZE(watch.token)
        return 0

    def reset(self):
        """Drop all watches and transactions (RESET_WATCHES; XSA-330, XSA-484)."""
        for watch in self.watches.values():
            self.drop_watch(watch)
        self.watches.clear()
        for transaction in list(self.transactions.values()):
            self.discard(transaction, False)

    cdef int event(self, Watch watch, const char *path, Py_ssize_t size) except -1:
        """Queue the event of a change unless the same one is still unsent (XSA-326)."""
        return self.queue_event(watch, path, size, False)

    cdef int queue_event(self, Watch watch, const char *path, Py_ssize_t size, bint repeat) except -1:
        """Queue a watch event, also where the same one is still unsent if `repeat`, unless it is too long (XSA-324)."""
        cdef Py_ssize_t token_size = PyBytes_GET_SIZE(watch.token)
        cdef Py_ssize_t total
        cdef char *p
        cdef uint64_t hash
        if self.closed:
            return 0
        if self.on_ring and self.privileged and self.out_tail - self.out_head > OUTPUT_MAX:
            return 0
        if watch.relative:
            path += watch.prefix
            size -= watch.prefix
        total = size + token_size + 2
        if total > PAYLOAD_MAX:
            return 0
        if not self.privileged and not self.account.allows(Q_MEMORY, self.account.memory + HEADER_SIZE + total):
            return 0
        p = self.room(HEADER_SIZE + total)
        put_header(p, WATCH_EVENT, 0, 0, total)
        p += HEADER_SIZE
        memcpy(p, path, size)
        p[size] = 0
        memcpy(p + size + 1, PyBytes_AS_STRING(watch.token), token_size)
        p[total - 1] = 0
        if path[0] != c'@':
            hash = hash_name(p, total)
            if not repeat and self.is_pending(hash, p, total):
                return 0
            self.note_pending(hash, self.sent_bytes + (self.out_tail - self.out_head))
        if self.store.trace is not None:
            self.store.trace("OUT", self, WATCH_EVENT, p[:total])
        self.out_tail += HEADER_SIZE + total
        if not self.privileged:
            self.event_times.append((self.sent_bytes + (self.out_tail - self.out_head) - HEADER_SIZE - total,
                                     self.store.now))
            self.account.outstanding += 1
            self.account.memory += HEADER_SIZE + total
        elif self.out_tail - self.out_head > OUTPUT_MAX and not self.on_ring:
            self.store.say(
                f"a client of the socket left {self.out_tail - self.out_head} bytes of watch events unread: disconnected")
            self.close()
        return self.touch()

    cdef bint is_pending(self, uint64_t hash, const char *text, Py_ssize_t size) noexcept:
        """Whether a watch event with this text is among the messages not begun to be sent."""
        cdef int i
        cdef Header header
        cdef const char *at
        if self.pending_used == 0:
            return False
        i = hash & (self.pending_size - 1)
        while self.pending[2 * i + 1]:
            if self.pending[2 * i] == hash and self.pending[2 * i + 1] - 1 >= self.sent_bytes:
                at = self.out + self.out_head + (self.pending[2 * i + 1] - 1 - self.sent_bytes)
                memcpy(&header, at, HEADER_SIZE)
                if header.size == <uint32_t>size and memcmp(at + HEADER_SIZE, text, size) == 0:
                    return True
            i = (i + 1) & (self.pending_size - 1)
        return False

    cdef int note_pending(self, uint64_t hash, uint64_t position) except -1:
        """Remember an event by hash and stream position (kept plus one; zero marks a free place)."""
        cdef int i
        if self.pending_used * 2 >= self.pending_size:
            self.renew_pending()
        i = hash & (self.pending_size - 1)
        while self.pending[2 * i + 1]:
            i = (i + 1) & (self.pending_size - 1)
        self.pending[2 * i] = hash
        self.pending[2 * i + 1] = position + 1
        self.pending_used += 1
        return 0

    cdef int renew_pending(self) except -1:
        """Drop the events that were sent, and make room for as many again as there still are."""
        cdef uint64_t *old = self.pending
        cdef int i, unsent = 0, old_size = self.pending_size, size = 8
        for i in range(old_size):
            unsent += old[2 * i + 1] > self.sent_bytes
        while size < unsent * 4:
            size *= 2
        self.pending = <uint64_t *>PyMem_Malloc(size * 2 * sizeof(uint64_t))
        if self.pending == NULL:
            self.pending = old
            raise MemoryError()
        memset(self.pending, 0, size * 2 * sizeof(uint64_t))
        self.pending_size = size
        self.pending_used = 0
        for i in range(old_size):
            if old[2 * i + 1] > self.sent_bytes:
                self.note_pending(old[2 * i], old[2 * i + 1] - 1)
        PyMem_Free(old)
        return 0

    # --- transactions ------------------------------------------------------------------------------

    cdef int start_transaction(self, uint32_t req_id, uint32_t tx_id) except -1:
        cdef Transaction transaction
        if tx_id:
            return self.refuse(req_id, tx_id, F_EBUSY if tx_id in self.transactions else F_ENOENT)
        if not self.privileged:
            if not self.account.allows(Q_TRANSACTIONS, len(self.transactions) + 1):
                return self.refuse(req_id, tx_id, F_ENOSPC)
        self.last_tx_id = self.last_tx_id + 1 if self.last_tx_id < 0x7FFFFFFF else 1
        while self.last_tx_id in self.transactions:
            self.last_tx_id += 1
        transaction = start(self.last_tx_id, not self.privileged)
        self.transactions[self.last_tx_id] = transaction
        self.store.open_transactions += 1
        if not self.privileged:
            self.account.transactions += 1
            self.store.guest_transactions[transaction] = self
        return self.reply(TRANSACTION_START, req_id, 0, b"%d\0" % self.last_tx_id)

    cdef bint must_wait(self, Transaction transaction) except -1:
        """Whether the first operation of a transaction has to wait for admission; it then stays in the input.

        Only where nothing else on this connection would have to wait with it, and never a guest.
        """
        if not self.privileged or transaction.admitted or self.more_input or len(self.transactions) > 1 \
                or not self.store.admission.full():
            return False
        self.store.admission.wait(self, self.store.now)
        self.parked = transaction
        self.stalled = True
        return True

    cdef int end_transaction(self, uint32_t req_id, uint32_t tx_id, const char *payload, Py_ssize_t size) except -1:
        cdef Transaction transaction = self.transactions.get(tx_id) if tx_id else None
        cdef Fault fault = NO_FAULT
        if transaction is None:
            return self.refuse(req_id, tx_id, F_ENOENT)
        if size != 2 or payload[1] != 0 or (payload[0] != c'T' and payload[0] != c'F'):
            return self.refuse(req_id, tx_id, F_EINVAL)
        if payload[0] == c'T':
            fault = self.commit(transaction)
            if self.closed:
                return 0            # cut off for the events of its own commit
        self.discard(transaction, fault == F_EAGAIN)
        if fault != NO_FAULT:
            self.refuse(req_id, tx_id, fault)
        else:
            self.reply(TRANSACTION_END, req_id, tx_id, OK)
        return self.store.admit()

    cdef Fault commit(self, Transaction transaction) except *:
        """Make a transaction's changes the store's; returns the fault, if any."""
        cdef View live = self.store.live
        cdef Fault fault
        cdef Tree before
        cdef Tree after
        if not self.privileged:
            self.prepare_replay(transaction)
            if transaction.writes:
                self.spend_credit()
        after = transaction.prepare(live, &self.actor, &fault)
        if after is None:
            return fault
        if not self.privileged:
            if not self.store.within_node_quotas(after.ledger):
                return F_ENOSPC
            if not self.account.allows(
                    Q_MEMORY, self.account.memory - transaction.log.used + after.ledger.of(self.domid).size):
                return F_ENOMEM
        before = live.tree
        live.tree = after
        self.store.settle()
        self.store.fire_commit(before, transaction.log)
        return NO_FAULT

    cdef int discard(self, Transaction transaction, bint conflict) except -1:
        del self.transactions[transaction.id]
        self.account.memory -= transaction.log.used
        self.store.open_transactions -= 1
        if self.privileged:
            self.store.admission.end(transaction, conflict)
        else:
            self.account.transactions -= 1
            self.store.guest_transactions.pop(transaction, None)
        return 0

    # --- output ------------------------------------------------------------------------------------

    cdef char *room(self, Py_ssize_t size) except NULL:
        """Where the next message goes: at least so many free bytes."""
        cdef Py_ssize_t used = self.out_tail - self.out_head
        cdef Py_ssize_t wanted
        cdef char *fresh
        if self.out_tail + size > self.out_size:
            wanted = OUT_FIRST if used + size <= OUT_FIRST else (used + size) * 2
            if wanted <= self.out_size and self.out_head >= used:
                memcpy(self.out, self.out + self.out_head, used)
            else:
                fresh = <char *>PyMem_Malloc(wanted)
                if fresh == NULL:
                    raise MemoryError()
                if used:
                    memcpy(fresh, self.out + self.out_head, used)
                PyMem_Free(self.out)
                self.out = fresh
                self.out_size = wanted
            self.out_head = 0
            self.out_tail = used
        return self.out + self.out_tail

    cdef int touch(self) except -1:
        if not self.touched:
            self.touched = True
            self.store.touched.append(self)
        return 0

    cdef int message(self, uint32_t type, uint32_t req_id, uint32_t tx_id, const char *payload, Py_ssize_t size) except -1:
        cdef char *p = self.room(HEADER_SIZE + size)
        put_header(p, type, req_id, tx_id, size)
        memcpy(p + HEADER_SIZE, payload, size)
        self.out_tail += HEADER_SIZE + size
        if self.store.trace is not None:
            self.store.trace("OUT", self, type, payload[:size])
        if not self.privileged:
            self.account.outstanding += 1
            self.account.memory += HEADER_SIZE + size
        elif self.out_tail - self.out_head >= OUTPUT_STALL:
            self.stalled = True
        return self.touch()

    cdef int reply(self, uint32_t type, uint32_t req_id, uint32_t tx_id, bytes payload) except -1:
        return self.message(type, req_id, tx_id, PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload))

    cdef int refuse(self, uint32_t req_id, uint32_t tx_id, Fault fault) except -1:
        return self.reply(ERROR, req_id, tx_id, <bytes>FAULT_TEXT[<int>fault])

    cdef int sent(self, Py_ssize_t size) except -1:
        """So many bytes of out were handed on."""
        if not self.privileged or size < self.out_tail - self.out_head:
            self.settle_sent(size)
        else:
            self.message_left = 0
        self.out_head += size
        self.sent_bytes += size
        if self.out_head == self.out_tail:
            self.out_head = self.out_tail = 0
            if self.out_size > OUT_FIRST:
                PyMem_Free(self.out)
                self.out = NULL
                self.out_size = 0
            self.forget_pending()
            if self.event_times is not None:
                self.event_times.clear()
        if self.stalled:
            self.update_stall()
        return 0

    cdef void forget_pending(self) noexcept:
        PyMem_Free(self.pending)
        self.pending = NULL
        self.pending_used = self.pending_size = 0

    def settle_sent(self, Py_ssize_t size):
        """Note where the next bytes of out end within a message, and take them off a guest's account."""
        cdef bint charged = not self.privileged and not self.closed
        cdef Py_ssize_t at = self.out_head
        cdef Py_ssize_t step
        cdef Header header
        if charged:
            self.account.memory -= size
        while size > 0:
            if self.message_left == 0:
                memcpy(&header, self.out + at, HEADER_SIZE)
                self.message_left = HEADER_SIZE + header.size
            step = min(size, self.message_left)
            at += step
            size -= step
            self.message_left -= step
            if charged and self.message_left == 0:
                self.account.outstanding -= 1

    cdef int update_stall(self) except -1:
        """Decide anew whether requests may be executed; tells the driver when they may again."""
        cdef bint stalled = self.parked is not None or self.out_tail - self.out_head >= OUTPUT_STALL
        if not self.privileged:
            self.store.accounts.note(self.account)
            stalled = (
                stalled
                or not self.account.allows(Q_OUTSTANDING, self.account.outstanding + 1)
                or not self.account.allows(Q_MEMORY, self.account.memory)
                or self.account.credits < 0
            )
        if self.stalled and not stalled:
            self.touch()
        self.stalled = stalled
        return 0

    # --- the end -----------------------------------------------------------------------------------

    cpdef close(self):
        """Serve this client no more: its watches and transactions go; output still queued may be sent."""
        if self.closed:
            return
        self.closed = True
        self.reset()
        self.store.sessions.discard(self)
        self.store.guests.discard(self)
        self.touch()
        if not self.privileged:
            self.account.memory -= self.out_tail - self.out_head
            self.account.outstanding = 0
        if self.store.trace is not None:
            self.store.trace("DESTROY", self, 0, b"")
        self.store.admit()

    # --- for drivers written in Python, tests, the journal and live update ----------------------------

    def feed(self, data):
        """Input of the client, in any fragments; executes all requests it completes unless stalled."""
        cdef const char *p = data
        self.consume(p, len(data), 0x7FFFFFFF)

    def take(self, Py_ssize_t limit=PY_SSIZE_T_MAX) -> bytes:
        """Output queued so far, at most `limit` bytes, which count as sent; requests go on if that lifts a stall."""
        cdef bytes output
        cdef list parts = []
        if not self.stalled:
            self.proceed(0x7FFFFFFF)
        while self.out_tail > self.out_head and limit > 0:
            output = self.out[self.out_head:self.out_head + min(limit, self.out_tail - self.out_head)]
            parts.append(output)
            limit -= len(output)
            self.sent(len(output))
            if not self.stalled:
                self.proceed(0x7FFFFFFF)
        return b"".join(parts)

    def export(self) -> dict:
        """The session's whole state as a value that `Store.restore` understands.

        Keys: domid, privileged, target, features, input (not executed yet), output (unsent), message_left (bytes of
        a message begun to be sent, 0: none), sent_bytes (position in the output stream), watches (path as
        registered, token, depth or -1; in order), last_tx_id, transactions (ids of the open ones, which end with
        EAGAIN after a restore).
        """
        return {
            "domid": self.domid,
            "privileged": self.privileged,
            "target": None if self.actor.target == NO_DOMAIN else self.actor.target,
            "features": self.features,
            "input": self.waiting[self.waiting_head:self.waiting_tail] if self.waiting != NULL else b"",
            "output": self.out[self.out_head:self.out_tail] if self.out != NULL else b"",
            "message_left": self.message_left,
            "sent_bytes": self.sent_bytes,
            "watches": [
                ((<Watch>watch).path[(<Watch>watch).prefix if (<Watch>watch).relative else 0:],
                 (<Watch>watch).token, (<Watch>watch).depth)
                for watch in self.watches.values()
            ],
            "last_tx_id": self.last_tx_id,
            "transactions": list(self.transactions),
        }

    def _restore(self, state):
        cdef const char *p
        cdef const char *path
        cdef Py_ssize_t size
        cdef Watch watch
        cdef Transaction transaction
        cdef bytes name
        self.actor.target = NO_DOMAIN if state["target"] is None else state["target"]
        self.features = state["features"]
        self.last_tx_id = state["last_tx_id"]
        self.sent_bytes = state["sent_bytes"]
        for name, token, depth in state["watches"]:
            size = self.absolute(name, len(name), True, &path)
            if size < 0:
                raise ValueError(f"watch on {name!r}: no such path is valid")
            watch = Watch(self, path[:size], token, depth, name[:1] not in (b"/", b"@"), size - len(name))
            self.watches[watch.path + b"\0" + token] = watch
            self.store.watches.add(watch)
            self.account.watches += 1
            self.account.memory += size + len(token)
        for tx_id in state["transactions"]:
            transaction = start(tx_id, not self.privileged)
            transaction.lost = True
            self.transactions[tx_id] = transaction
            self.store.open_transactions += 1
            if not self.privileged:
                self.account.transactions += 1
                self.store.guest_transactions[transaction] = self
        output = state["output"]
        if output:
            p = output
            memcpy(self.room(len(output)), p, len(output))
            self.out_tail += len(output)
            self.message_left = state["message_left"]
            self.find_pending()
            if not self.privileged:
                self.account.memory += len(output)
                self.account.outstanding += self.count_messages()
            self.touch()
        if state["input"]:
            p = state["input"]
            self.keep(p, len(state["input"]))
            self.touch()

    def count_messages(self) -> int:
        """How many messages lie in out, one begun to be sent included."""
        cdef Py_ssize_t at = self.out_head + self.message_left
        cdef int count = self.message_left > 0
        cdef Header header
        while at + HEADER_SIZE <= self.out_tail:
            memcpy(&header, self.out + at, HEADER_SIZE)
            at += HEADER_SIZE + header.size
            count += 1
        return count

    def drop_old_events(self, double before):
        """Drop the watch events queued before a time that the guest has not begun to take (XSA-326)."""
        cdef set old = set()
        while self.event_times and (
            self.event_times[0][0] < self.sent_bytes
            or (self.event_times[0][1] <= before and self.store.watch_event_seconds > 0)
        ):
            old.add(self.event_times.popleft()[0] - self.sent_bytes)
        old = {position for position in old if position >= self.message_left}
        if old:
            self.cut_out(old)

    def cut_out(self, set positions):
        """Remove the messages that begin at these offsets of the unsent output."""
        cdef Py_ssize_t at = self.out_head + self.message_left
        cdef Py_ssize_t to = at
        cdef Py_ssize_t size
        cdef Header header
        cdef dict moved = {}
        while at + HEADER_SIZE <= self.out_tail:
            memcpy(&header, self.out + at, HEADER_SIZE)
            size = HEADER_SIZE + header.size
            if at - self.out_head in positions:
                self.account.outstanding -= 1
                self.account.memory -= size
            else:
                moved[self.sent_bytes + (at - self.out_head)] = self.sent_bytes + (to - self.out_head)
                memmove(self.out + to, self.out + at, size)
                to += size
            at += size
        self.out_tail = to
        kept = deque([(moved[position], since) for position, since in self.event_times])
        self.forget_pending()
        self.find_pending()
        self.event_times = kept
        self.update_stall()

    def find_pending(self):
        """Remember the watch events in out, as if they had just been queued."""
        cdef Py_ssize_t at = self.out_head + self.message_left
        cdef Header header
        while at + HEADER_SIZE <= self.out_tail:
            memcpy(&header, self.out + at, HEADER_SIZE)
            if header.type == WATCH_EVENT and self.event_times is not None:
                self.event_times.append((self.sent_bytes + (at - self.out_head), self.store.now))
            if header.type == WATCH_EVENT and self.out[at + HEADER_SIZE] != c'@':
                self.note_pending(hash_name(self.out + at + HEADER_SIZE, header.size),
                                  self.sent_bytes + (at - self.out_head))
            at += HEADER_SIZE + header.size

    def refill(self):
        """Top up a guest's write credits and see whether it may go on."""
        cdef Account account = self.account
        account.credits = min(
            CREDITS_MAX, account.credits + (self.store.now - account.refilled) * CREDITS_PER_SECOND)
        account.refilled = self.store.now
        self.update_stall()

    @property
    def target(self):
        """The domain whose rights this session has besides its own (SET_TARGET), or None."""
        return None if self.actor.target == NO_DOMAIN else self.actor.target

    @target.setter
    def target(self, domid):
        self.actor.target = NO_DOMAIN if domid is None else domid

    cdef bint may_read(self, Perms perms) noexcept:
        return self.privileged or rights(perms, self.actor.domid, self.actor.target) & READ


cdef class Store:
    """The state that all sessions share: the live tree, watches, accounts and admission."""

    def __init__(self, quotas=None, Existence domains=None):
        self.touched = []
        self.watch_event_seconds = limits.WATCH_EVENT_TIMEOUT_SECONDS
        self.sessions = set()
        self.guests = set()
        self.guest_transactions = {}
        self.watches = WatchIndex()
        self.accounts = Accounts(quotas)
        self.admission = Admission()
        self.live = view_of(fresh_tree(), domains if domains is not None else Existence())
        self.settle()

    def connect(self) -> Session:
        """A new session of a client on the daemon's socket: privileged, domain 0."""
        return self.open_session(0, True)

    def open_session(self, int domid, bint privileged) -> Session:
        """A new session; what traces call a connection."""
        session = Session(self, domid, privileged)
        if self.trace is not None:
            self.trace("CREATE", session, 0, b"")
        return session

    def restore(self, state) -> Session:
        """A session made of what another one's `export` returned."""
        session = self.open_session(state["domid"], state["privileged"])
        session._restore(state)
        return session

    def say(self, str line):
        """Say one line to whoever runs this store."""
        if self.log is not None:
            self.log(line)

    def administer(self, session, type, payload):
        """Answer a request about domains or the daemon; overridden where those exist."""
        raise errors.ENOSYS()

    def after_reply(self):
        """Called when the answer to an administrative request is queued; overridden."""

    @property
    def session_count(self) -> int:
        """How many sessions are open."""
        return len(self.sessions)

    # --- time --------------------------------------------------------------------------------------

    cdef double deadline(self) except? -2:
        """Seconds until `tick` has something to do; negative: nothing waits for time to pass."""
        cdef double due = self.admission.deadline(self.now)
        if self.guests and (due < 0 or due > GUEST_SECONDS):
            due = GUEST_SECONDS
        if dismantle(0):
            due = 0.0
        return due

    cdef int tick(self) except -1:
        """What passing time makes due: admissions, bounds of snapshots, and a slice of freeing what was removed."""
        self.admit()
        if self.guest_transactions:
            self.bound_snapshots()
        for session in self.guests:
            if (<Session>session).event_times:
                (<Session>session).drop_old_events(self.now - self.watch_event_seconds)
            if (<Session>session).stalled:
                (<Session>session).refill()
        dismantle(256)
        return 0

    def run_due(self):
        """For drivers written in Python: do what `now` has made due."""
        self.tick()

    def seconds_to_next(self) -> float:
        """For drivers written in Python: seconds until `run_due` has something to do; negative: nothing."""
        return self.deadline()

    def take_touched(self) -> list:
        """For drivers written in Python: the sessions with output or news since the last call."""
        touched = self.touched
        self.touched = []
        for session in touched:
            (<Session>session).touched = False
        return touched

    cdef int admit(self) except -1:
        """Let waiting transactions start as far as the window allows."""
        cdef Session session
        while True:
            session = self.admission.next(self.now)
            if session is None:
                return 0
            self.admission.begin(session.parked, self.now)
            session.parked.admitted = True
            session.parked = None
            session.update_stall()

    cdef int bound_snapshots(self) except -1:
        """Take the snapshot from guests' transactions that pin too much of old versions, or for too long."""
        cdef Transaction transaction
        cdef Session session
        cdef unsigned long long pinned
        for transaction, session in self.guest_transactions.items():
            if transaction.view is None:
                continue
            pinned = self.live.tree.history.replaced_bytes - transaction.replaced_at_start
            if pinned == 0:
                continue
            if transaction.pinned_since < 0:
                transaction.pinned_since = self.now
            if pinned > PINNED_MAX or self.now - transaction.pinned_since > PINNED_SECONDS:
                session.lose(transaction)
        return 0

    # --- changes -----------------------------------------------------------------------------------

    cdef int settle(self) except -1:
        """Book what was done to the live tree: on the owners' accounts, and as replaced."""
        cdef Tree tree = self.live.tree
        cdef Ledger ledger = tree.ledger
        cdef Account account
        cdef int i
        for i in range(ledger.used):
            if ledger.rows[i].nodes == 0 and ledger.rows[i].size == 0:
                continue            # given and taken away within one transaction
            account = self.accounts.of(ledger.rows[i].domid)
            account.nodes += ledger.rows[i].nodes
            account.memory += ledger.rows[i].size
            self.accounts.note(account)
        ledger.clear()
        tree.history.replaced_bytes += tree.replaced_bytes
        tree.replaced_bytes = 0
        return 0

    cdef bint within_node_quotas(self, Ledger ledger) except -1:
        """Whether no guest owns more nodes than it may once these changes are made."""
        cdef Account account
        cdef int i
        for i in range(ledger.used):
            if ledger.rows[i].nodes > 0 and ledger.rows[i].domid != 0:
                account = self.accounts.of(ledger.rows[i].domid)
                if not account.allows(Q_NODES, account.nodes + ledger.rows[i].nodes):
                    return False
        return True

    cdef int changed(self, Request *request) except -1:
        """The live view has just executed a request that changed it: book it, and tell the watches."""
        cdef View live = self.live
        self.settle()
        if live.change == REMOVED:
            self.watches.fire_removed(live.tree, request.path, request.path_size, live.removed, live.old_perms)
            live.removed = None
        else:
            self.watches.fire(live.tree, request.path, request.path_size,
                              live.old_perms if request.op == SET_PERMS else None)
        if self.guest_transactions:
            self.bound_snapshots()
        dismantle(4)
        return 0

    cdef int fire_commit(self, Tree before, Log log) except -1:
        """Tell the watches what a commit changed: each path once, in the order of its first access.

        Nodes that exist neither before nor after are not told of.  Inside a removed subtree, only watches set exactly
        on a node are, parents first.
        """
        cdef Tree after = self.live.tree
        cdef dict order = {}            # path: Change, or (Spot, Node, parent Node) inside a removed subtree
        cdef Record *record
        cdef Py_ssize_t at = 0
        cdef bytes path
        cdef Place old
        if self.watches.count == 0:
            return 0
        while at < log.used:
            record = <Record *>(log.data + at)
            path = (<char *>(record + 1))[:record.path_size]
            if record.change != UNCHANGED or path not in order:
                order[path] = record.change
            if record.change == REMOVED:
                old = before.find(path, len(path))
                if old.node != NULL:
                    for name, spot, node, parent in self.watches.below(path, len(path), <Node>old.node, True):
                        if order.get(name, UNCHANGED) == UNCHANGED:
                            order[name] = (spot, node, parent)
            at += (sizeof(Record) + record.path_size + record.rest_size + record.reply_size + 7) & ~7
        for path, change in order.items():
            if type(change) is tuple:
                self.watches.fire_exact(after, path, change[0], change[1], change[2])
            elif change != UNCHANGED:
                self.fire_committed(before, after, path)
        return 0

    def fire_committed(self, Tree before, Tree after, bytes path):
        """Tell of one path that a commit wrote, created or removed."""
        cdef Place old = before.find(path, len(path))
        cdef Place new = after.find(path, len(path))
        if old.node != NULL:
            self.watches.fire(after, path, len(path), before.current_perms(<Node>old.node))
        elif new.node != NULL:
            self.watches.fire(after, path, len(path), None)

    # --- domains: what xenstore.store needs ----------------------------------------------------------

    def event_special(self, bytes name, int domid, bint generic):
        """Tell the watches on @introduceDomain or @releaseDomain of one domain.

        Watches with a depth, and those on "name/domid", hear which domain; the others hear only that something
        happened, and only where `generic` is set.
        """
        cdef bytes specific = b"%s/%d" % (name, domid)
        cdef Place place = self.live.tree.find(name, len(name))
        cdef Perms perms = self.live.tree.current_perms(<Node>place.node)
        cdef Watch watch
        cdef Subscriber subscriber
        cdef bint exact
        for watch in self.watches.matching(specific, len(specific), True):
            if not watch.placed:
                continue
            subscriber = <Subscriber>watch.subscriber
            if not subscriber.may_read(perms):
                continue
            exact = PyBytes_GET_SIZE(watch.path) > len(name)
            if exact or watch.depth > 0:
                subscriber.event(watch, specific, len(specific))
            elif generic:
                subscriber.event(watch, name, len(name))

    def remove_node(self, bytes path):
        """Remove a node with its subtree, telling the watches, whoever owns it."""
        cdef Request request
        cdef Actor dom0
        memset(&dom0, 0, sizeof(dom0))
        dom0.privileged = True
        dom0.target = NO_DOMAIN
        dom0.any_domain = True
        request.op = RM
        request.path = path
        request.path_size = len(path)
        request.rest = NULL
        request.rest_size = 0
        self.live.perform(&dom0, &request)
        if self.live.change != UNCHANGED:
            self.changed(&request)

    def owned_paths(self, int domid) -> list:
        """Paths of the topmost nodes a domain owns.  Cost: all nodes of the store."""
        return owned_paths(self.live.tree, domid)

    def owner_of(self, bytes path):
        """The owner's domid of the node at a path, or None when there is no such node."""
        cdef Place place = self.live.tree.find(path, len(path))
        return None if place.node == NULL else entries((<Node>place.node).perms)[0].domid

    def give_to(self, bytes path, int domid):
        """Make a domain the owner of the existing node at a path; no watch hears of it."""
        cdef Place place = self.live.tree.find(path, len(path))
        cdef Perms perms = self.live.tree.current_perms(<Node>place.node)
        self.live.tree.set_perms(path, len(path), with_owner(perms, domid))
        self.settle()

    def forget_domain(self, int domid):
        """A domain is gone: permission entries that name it count no more (XSA-322), its account is closed."""
        self.live.tree.note_death(domid)
        self.accounts.forget(domid)

    def recount(self) -> dict:
        """{domid: (nodes, bytes of nodes)} counted from the live tree.  Cost: all nodes."""
        cdef Tree tree = self.live.tree
        cdef int i
        tree.charge_subtree(tree.root, 1, 1)
        charge_specials(tree)
        counted = {tree.ledger.rows[i].domid: (tree.ledger.rows[i].nodes, tree.ledger.rows[i].size)
                   for i in range(tree.ledger.used)}
        tree.ledger.clear()
        return counted

    def held_by(self, int domid) -> dict:
        """What the sessions of a domain hold, counted: watches, transactions, outstanding, bytes beside nodes."""
        cdef Session session
        cdef Watch watch
        cdef Transaction transaction
        cdef long watches = 0, transactions = 0, outstanding = 0, held = 0
        for item in self.sessions:
            session = item
            if session.domid != domid:
                continue
            watches += len(session.watches)
            for watch in session.watches.values():
                held += len(watch.path) + len(watch.token)
            for transaction in session.transactions.values():
                held += transaction.log.used
            if not session.privileged:
                transactions += len(session.transactions)
                held += session.out_tail - session.out_head
                outstanding += session.count_messages()
        return {"watches": watches, "transactions": transactions, "outstanding": outstanding, "bytes": held}


cdef charge_specials(Tree tree):
    for name in (b"@introduceDomain", b"@releaseDomain"):
        tree.charge_subtree(<Node>tree.find(name, len(name)).node, len(name), 1)


cdef list owned_paths(Tree tree, int domid):
    cdef list found = []
    cdef list pending = [(b"", tree.root)]
    cdef PyObject **items
    cdef Py_ssize_t i
    cdef Node node
    while pending:
        path, node = pending.pop()
        if entries(node.perms)[0].domid == domid and path:
            found.append(path)
        elif node.children is not None:
            items = in_order(node.children)
            for i in range(node.children.count - 1, -1, -1):
                pending.append((path + b"/" + (<Node>items[i]).name, <Node>items[i]))
            PyMem_Free(items)
    return found
