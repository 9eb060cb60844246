# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Sessions: one client each, bytes in, whole replies and events out.

A session does no I/O and knows no clock: a driver hands it input (`consume`), sends what lies in `out`
and reports it (`sent`).  Requests of one session are answered strictly in order.

Everything that comes from a client is checked here before anything below looks at it: framing, strings,
paths, quotas.  A framing violation closes the session; nothing a client sends raises an exception.
"""

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdio cimport sprintf
from libc.string cimport memchr, memcpy, memset

from xenstore._accounts cimport (
    Account, Q_MEMORY, Q_NODE_PERMISSIONS, Q_NODE_SIZE, Q_NODES, Q_OUTSTANDING, Q_PATH_MAX, Q_TRANSACTION_NODES,
    Q_TRANSACTIONS, Q_WATCHES,
)
from xenstore._output cimport HEADER_SIZE, Header, put_header
from xenstore._ledger cimport Row
from xenstore._names cimport keep_pace
from xenstore._path cimport home_prefix, valid_path
from xenstore._perms cimport NO_DOMAIN, READ, Perms, rights
from xenstore._recorder cimport (
    END as R_END, INPUT as R_INPUT, RESET as R_RESET, RING as R_RING, START as R_START, UNWATCH as R_UNWATCH,
    WATCH as R_WATCH, Recorder, RingState,
)
from xenstore._store cimport Store
from xenstore._transactions cimport start
from xenstore._tree cimport Tree
from xenstore._view cimport (
    DIRECTORY_PART, ERROR, F_EACCES, F_EAGAIN, F_EBUSY, F_EEXIST, F_EINVAL, F_ENOENT, F_ENOMEM, F_ENOSPC, F_ENOSYS,
    NO_FAULT, OK, PAYLOAD_MAX, RESET_WATCHES, SET_PERMS, TRANSACTION_END, TRANSACTION_START, UNCHANGED, UNWATCH, WATCH,
    WATCH_EVENT, View, strings,
)

from collections import deque

from xenstore import errors

cdef extern from "limits.h":
    long LONG_MAX

cdef extern from "Python.h":
    char *PyBytes_AS_STRING(object) noexcept
    Py_ssize_t PyBytes_GET_SIZE(object) noexcept
    bytes PyBytes_FromStringAndSize(const char *, Py_ssize_t)
    Py_ssize_t PY_SSIZE_T_MAX

cdef enum:
    TYPES = 27

cdef enum Kind:                     # what a message type is, one bit each
    KNOWN = 1
    NODE = 2                        # concerns one node: its payload begins with a path
    PRIVILEGED = 4
    ANY_TRANSACTION = 8             # the transaction id is ignored
    ONE_STRING = 16
    SPECIALS = 32                   # the path may be @introduceDomain or @releaseDomain
    WRITES = 64

#: Above what no stream of bytes has gone, nor ever will.
cdef uint64_t POSITION_MAX = <uint64_t>1 << 62

#: Write credits (XSA-206): a guest's write costs one while somebody else's transaction is open.
cdef double CREDITS_PER_SECOND = 200.0
cdef double CREDITS_MAX = 50.0

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


cdef inline bint one_string(const char *payload, Py_ssize_t size) noexcept:
    """Whether a payload is one NUL-terminated string and nothing else."""
    return size > 0 and memchr(payload, 0, size) == payload + size - 1


cdef inline Py_ssize_t string_end(const char *payload, Py_ssize_t begin, Py_ssize_t size) noexcept:
    """Where the string from begin on ends (its NUL), or -1."""
    cdef const char *nul = <const char *>memchr(payload + begin, 0, size - begin) if begin < size else NULL
    return -1 if nul == NULL else nul - payload


cdef bint whole_messages(const char *data, Py_ssize_t at, Py_ssize_t size) noexcept:
    """Whether from an offset on there are messages and nothing else, as events are looked for in output."""
    cdef Header header
    while 0 <= at <= size - HEADER_SIZE:
        memcpy(&header, data + at, HEADER_SIZE)
        if header.size > PAYLOAD_MAX or (header.type == WATCH_EVENT and header.size < 2):
            return False
        at += HEADER_SIZE + header.size
    return at == size


cdef inline bint is_recorded(int kind, uint32_t type, uint32_t tx_id) noexcept:
    """Whether the journal may have to record what a request of a socket's client does."""
    return type == TRANSACTION_END or (tx_id == 0 and kind & (WRITES | PRIVILEGED) != 0)


cdef long long growth_of(Request *request) noexcept:
    """What a request adds to the store's content, at most: each missing node above its own has a path, too."""
    return request.rest_size + (request.path_size // 2 + 1) * (request.path_size + 64)


cdef bytes registered_path(Watch watch):
    """A watch's path as its client registered it."""
    return watch.path[watch.prefix:] if watch.relative else watch.path


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


cdef class Session(Output):
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
        self.features = 15
        store.sessions.add(self)
        if not privileged:
            self.event_times = deque()
            store.guests.add(self)

    def __dealloc__(self):
        PyMem_Free(self.waiting)

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
            self.waiting_bytes = self.executed_bytes
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
        if held == 0:
            self.waiting_bytes = self.executed_bytes
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
        cdef Recorder recorder = self.store.recorder
        cdef uint64_t before = 0
        while budget[0] > 0 and size - at >= HEADER_SIZE and not self.stalled and not self.closed:
            memcpy(&header, data + at, HEADER_SIZE)
            if header.size > PAYLOAD_MAX:
                self.close()
                break
            if size - at < HEADER_SIZE + <Py_ssize_t>header.size:
                break
            at += HEADER_SIZE + header.size
            self.executed_bytes += HEADER_SIZE + header.size    # before: what it says may be recorded meanwhile
            self.more_input = size > at
            if recorder is not None:
                before = recorder.here()
            self.execute(header.type, header.req_id, header.tx_id, data + at - header.size, header.size)
            keep_pace()
            if recorder is not None:
                self.charge(recorder.here() - before)
            if self.parked is not None or self.paused or self.behind:
                at -= HEADER_SIZE + header.size     # the request stays in the input until it is admitted
                self.executed_bytes -= HEADER_SIZE + header.size
                break
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
        if self.store.transactions_paused and type == TRANSACTION_START and not self.transactions:
            self.paused = self.stalled = True
            return 0
        if self.store.recorder is not None and not self.store.recorder.is_open() \
                and (self.recorded or is_recorded(kind, type, tx_id)) and self.store.must_wait_for_log(self):
            self.stalled = True
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
        cdef bytes reply = None
        cdef Fault fault = self.locate(type, payload, size, &request)
        if type == SET_PERMS and (fault != NO_FAULT or transaction is not None):
            fault = self.check_perms(&request, fault)
        if fault != NO_FAULT:
            pass
        elif transaction is None:
            reply = self.perform_live(&request, &fault)
        else:
            reply = self.perform_inside(transaction, &request, &fault)
        if reply is None:
            return self.refuse(req_id, tx_id, self.perms_fault(&request, fault) if type == SET_PERMS else fault)
        return self.reply(type, req_id, tx_id, reply)

    cdef Fault locate(self, uint32_t type, const char *payload, Py_ssize_t size, Request *request) noexcept:
        """Split the payload of a request about a node and check its path."""
        cdef int kind = kinds[type]
        cdef Py_ssize_t end
        request.op = type
        request.rest = payload
        request.rest_size = 0
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
        request.rest = payload + end + 1
        request.rest_size = size - end - 1
        request.path_size = self.absolute(payload, end, kind & SPECIALS, &request.path)
        return F_EINVAL if request.path_size < 0 else NO_FAULT

    cdef Fault check_perms(self, Request *request, Fault fault) except *:
        """What is wrong with a SET_PERMS: its permissions come before the path, whose fault is given.

        Asked where `View.perform` would come too late: the path is bad, or a transaction would count the node.
        """
        if not self.privileged:
            self.prepare_actor(None)
        return fault if self.store.live.asked_perms(&self.actor, request) is not None else self.store.live.fault

    cdef Fault perms_fault(self, Request *request, Fault fault) noexcept:
        """What a SET_PERMS that is refused is told.

        xenstored since 4.22 refuses as many permissions as the quota says before it looks at anything else.  Here so
        many are allowed; but where they are refused all the same, the answer is the same.
        """
        cdef uint32_t quota = self.account.quotas[<int>Q_NODE_PERMISSIONS]
        if self.privileged or quota == 0 or strings(request.rest, request.rest_size) != quota:
            return fault
        return F_ENOSPC

    cdef Py_ssize_t absolute(self, const char *path, Py_ssize_t size, bint special, const char **result) noexcept:
        """The size of the absolute form of a client's path, which result points to; -1: EINVAL."""
        size = self.spell_out(path, size, special, result)
        if size > 0 and not self.privileged and not self.account.allows(Q_PATH_MAX, size - home_prefix(result[0], size)):
            return -1
        return size

    cdef Py_ssize_t spell_out(self, const char *path, Py_ssize_t size, bint special, const char **result) noexcept:
        """As `absolute`, whatever the quota says."""
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
        self.actor.growth_left = self.store.growth_left(0)
        self.actor.any_domain = self.features & 8
        return 0

    cdef int prepare_replay(self, Transaction transaction) except -1:
        """Bring a guest's bounds up to date for the replay of a transaction, after which its log is gone."""
        self.prepare_actor(None)
        self.actor.nodes_left = -1
        self.actor.growth_left = LONG_MAX   # `commit` looks at all of it
        self.actor.bytes_left = self.account.left(Q_MEMORY, self.account.memory - transaction.log.used)
        return 0

    cdef bytes perform_live(self, Request *request, Fault *fault):
        cdef View live = self.store.live
        cdef bytes reply
        if not self.privileged:
            if kinds[request.op] & WRITES:
                self.store.growth_left(growth_of(request))
                self.spend_credit()
            self.prepare_actor(None)
        reply = live.perform(&self.actor, request)
        fault[0] = live.fault
        if live.change != UNCHANGED:
            self.store.changed(request, NO_DOMAIN if self.privileged else self.domid)
        return reply

    cdef bytes perform_inside(self, Transaction transaction, Request *request, Fault *fault):
        cdef Py_ssize_t before = transaction.log.used
        cdef bytes reply
        if transaction.view is None:
            transaction.snapshot(self.store.live)
            if self.privileged and not transaction.admitted:
                self.store.admission.begin(transaction, self.store.now)
        if not self.privileged:
            if kinds[request.op] & WRITES:
                self.store.growth_left(growth_of(request))
            self.prepare_actor(transaction)
            if not self.may_access(transaction, request.path[:request.path_size]):
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

    cdef bint may_access(self, Transaction transaction, bytes path) except -1:
        """Whether a guest's transaction may touch a node, which counts once."""
        if transaction.lost or path in transaction.accessed:
            return True
        if not self.account.allows(Q_TRANSACTION_NODES, len(transaction.accessed) + 1):
            return False
        transaction.accessed.add(path)
        return True

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
        if answer is None:
            self.postponed = self.stalled = True
            self.postponed_header = [type, req_id, tx_id]
            return 0
        if len(answer) > PAYLOAD_MAX:
            answer = answer[: PAYLOAD_MAX - 1] + b"\0"
        self.reply(type, req_id, tx_id, answer)
        self.store.after_reply()
        return 0

    def answer(self, bytes payload):
        """Send the reply that was postponed; nothing happens once this client is gone."""
        if self.closed:
            return
        self.postponed = False
        self.reply(self.postponed_header[0], self.postponed_header[1], self.postponed_header[2], payload)
        self.update_stall()

    def postponed_reply(self, bytes payload) -> bytes:
        """The bytes that `answer` would send."""
        cdef char[HEADER_SIZE] header
        put_header(header, self.postponed_header[0], self.postponed_header[1], self.postponed_header[2], len(payload))
        return header[:HEADER_SIZE] + payload

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
        if not self.privileged and self.store.growth_left(path_size + token_end) < path_size + token_end:
            return self.refuse(req_id, tx_id, F_ENOSPC)
        watch = Watch(self, path[:path_size], payload[path_end + 1:token_end], depth,
                      payload[0] != c'/' and payload[0] != c'@', path_size - path_end)
        self.set_watch(watch)
        self.note_watch(R_WATCH, watch)
        self.reply(WATCH, req_id, tx_id, OK)
        self.initial_event(watch)
        return 0

    cdef int set_watch(self, Watch watch) except -1:
        self.watches[watch.path + b"\0" + watch.token] = watch
        self.store.watches.add(watch)
        self.account.watches += 1
        self.account.memory += PyBytes_GET_SIZE(watch.path) + PyBytes_GET_SIZE(watch.token)
        if not self.privileged:
            self.store.content += PyBytes_GET_SIZE(watch.path) + PyBytes_GET_SIZE(watch.token)
        return 0

    cdef int note_watch(self, int kind, Watch watch) except -1:
        """Record that a watch was set or removed."""
        if self.recorded:
            self.store.record_entry(kind, self.domid, watch.depth, registered_path(watch), watch.token)
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
        self.note_watch(R_UNWATCH, watch)
        return self.reply(UNWATCH, req_id, tx_id, OK)

    cdef int drop_watch(self, Watch watch) except -1:
        self.store.watches.discard(watch)
        self.account.watches -= 1
        self.account.memory -= PyBytes_GET_SIZE(watch.path) + PyBytes_GET_SIZE(watch.token)
        if not self.privileged:
            self.store.content -= PyBytes_GET_SIZE(watch.path) + PyBytes_GET_SIZE(watch.token)
        return 0

    def reset(self):
        """Drop all watches and transactions (RESET_WATCHES; XSA-330, XSA-484)."""
        for watch in self.watches.values():
            self.drop_watch(watch)
        self.watches.clear()
        for transaction in list(self.transactions.values()):
            self.discard(transaction, False)
        if self.recorded:
            self.store.record_entry(R_RESET, self.domid)

    cdef int event(self, Watch watch, const char *path, Py_ssize_t size) except -1:
        """Queue the event of a change unless the same one is still unsent (XSA-326)."""
        return self.queue_event(watch, path, size, False)

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
        if not self.transactions:
            self.transacting_since = self.store.now
        transaction = start(self.last_tx_id, not self.privileged)
        self.transactions[self.last_tx_id] = transaction
        self.store.open_transactions += 1
        if not self.privileged:
            self.account.transactions += 1
            self.store.watch_over(transaction, self)
        if self.recorded:
            self.store.record_entry(R_START, self.domid, self.last_tx_id)
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
        if tx_id and transaction is None:
            return self.refuse(req_id, tx_id, F_ENOENT)
        if size != 2 or payload[1] != 0 or (payload[0] != c'T' and payload[0] != c'F'):
            return self.refuse(req_id, tx_id, F_EINVAL)
        if transaction is None:
            return self.refuse(req_id, tx_id, F_ENOENT)
        if payload[0] == c'T':
            fault = self.commit(transaction)
            if self.closed:
                return 0            # cut off for the events of its own commit
        self.discard(transaction, fault == F_EAGAIN)
        if self.recorded:
            self.store.record_entry(R_END, self.domid, tx_id)
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
            if not self.store.within_node_quotas(after.ledger) or not self.store.has_room_for(after.ledger):
                return F_ENOSPC
            if not self.account.allows(
                    Q_MEMORY, self.account.memory - transaction.log.used + after.ledger.of(self.domid).size):
                return F_ENOMEM
        before = live.tree
        live.tree = after
        self.store.settle()
        if self.store.recorder is not None:
            self.store.record_commit(transaction.log, NO_DOMAIN if self.privileged else self.domid)
        self.store.fire_commit(before, transaction)
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

    # --- what the store and the output ask ---------------------------------------------------------

    cdef int admitted(self) except -1:
        self.parked.admitted = True
        self.parked = None
        return self.update_stall()

    def unpause(self):
        self.paused = False
        self.update_stall()

    cdef int go_on(self) except -1:
        return self.update_stall()

    cdef bint comes_first(self) noexcept:
        return self.on_ring and self.domid == 0

    cdef int pass_time(self) except -1:
        if self.event_times:
            self.drop_old_events(self.store.now - self.store.watch_event_seconds)
        if self.stalled:
            self.refill()
        return self.stalled or len(self.event_times) > 0

    def held(self) -> dict:
        cdef Transaction transaction
        cdef Watch watch
        cdef long size = 0
        for watch in self.watches.values():
            size += len(watch.path) + len(watch.token)
        for transaction in self.transactions.values():
            size += transaction.log.used
        held = {"watches": len(self.watches), "transactions": 0, "outstanding": 0, "bytes": size}
        if not self.privileged:
            held["transactions"] = len(self.transactions)
            held["outstanding"] = self.count_messages()
            held["bytes"] += self.out_tail - self.out_head
        return held

    cdef int update_stall(self) except -1:
        """Decide anew whether requests may be executed; tells the driver when they may again."""
        cdef bint stalled = (self.parked is not None or self.paused or self.behind or self.postponed
                             or self.is_full())
        if not self.privileged:
            self.store.accounts.note(self.account)
            stalled = (
                stalled
                or not self.account.allows(Q_OUTSTANDING, self.account.outstanding + 1)
                or not self.account.allows(Q_MEMORY, self.account.memory)
                or self.account.credits < 0
            )
            self.store.guests_wait = self.store.guests_wait or stalled
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
        self.count_output()
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
        self.store.seal()
        while self.out_tail > self.out_head and limit > 0:
            output = self.out[self.out_head:self.out_head + min(limit, self.out_tail - self.out_head)]
            parts.append(output)
            limit -= len(output)
            self.sent(len(output))
            if not self.stalled:
                self.proceed(0x7FFFFFFF)
            self.store.seal()
        return b"".join(parts)

    def export(self) -> dict:
        """The session's whole state as a value that `take_over` understands.

        Keys: domid, privileged, target, features, input (not executed yet), output (unsent), message_left (bytes of
        a message begun to be sent, 0: none), sent_bytes (position in the output stream), executed_bytes (in the input
        stream, up to where input begins), watches (path as
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
            "executed_bytes": self.executed_bytes,
            "watches": [(registered_path(watch), (<Watch>watch).token, (<Watch>watch).depth)
                        for watch in self.watches.values()],
            "last_tx_id": self.last_tx_id,
            "transactions": list(self.transactions),
        }

    def take_over(self, state):
        """Become, fresh as this session is, what another one's `export` described."""
        self.actor.target = NO_DOMAIN if state["target"] is None else state["target"]
        self.features = state["features"]
        self.last_tx_id = state["last_tx_id"]
        self.sent_bytes = state["sent_bytes"]
        self.executed_bytes = state["executed_bytes"]
        for path, token, depth in state["watches"]:
            self.take_watch(path, token, depth)
        for tx_id in state["transactions"]:
            self.take_transaction(tx_id)
        self.take_output(state["output"], state["message_left"])
        self.take_input(state["input"])
        self.taken_over()

    def take_watch(self, bytes name, bytes token, int depth):
        """Set a watch again, silently; name: the path as it was registered.

        Raises:
            ValueError: no such path is valid.
        """
        cdef const char *path
        cdef Py_ssize_t size = self.spell_out_name(name, &path)
        if depth < -1 or len(token) > PAYLOAD_MAX:
            raise ValueError(f"watch on {name!r}: depth {depth}, or a token of {len(token)} bytes")
        if path[:size] + b"\0" + token in self.watches:
            raise ValueError(f"a second watch on {name!r} with the token {token!r}")
        self.set_watch(Watch(self, path[:size], token, depth, name[:1] not in (b"/", b"@"), size - len(name)))

    def take_transaction(self, uint32_t tx_id):
        """Open a transaction again that will end with EAGAIN.

        Raises:
            ValueError: that is no id, or one that is open.
        """
        cdef Transaction transaction = start(tx_id, not self.privileged)
        if tx_id == 0 or tx_id in self.transactions:
            raise ValueError(f"a transaction {tx_id}, which is no id, or open already")
        transaction.lost = True
        self.last_tx_id = tx_id
        if not self.transactions:
            self.transacting_since = self.store.now
        self.transactions[tx_id] = transaction
        self.store.open_transactions += 1
        if not self.privileged:
            self.account.transactions += 1
            self.store.watch_over(transaction, self)

    def take_output(self, bytes output, Py_ssize_t message_left):
        """Have more unsent output, of which so many bytes at the front belong to a message begun before.

        Raises:
            ValueError: it is no sequence of messages.
        """
        cdef const char *p = output
        cdef int before = self.count_messages()
        if not output:
            return
        if not whole_messages(p, message_left, len(output)):
            raise ValueError(f"the output of {len(output)} bytes is no sequence of messages after the first {message_left}")
        memcpy(self.room(len(output)), p, len(output))
        self.out_tail += len(output)
        self.message_left = max(self.message_left, message_left)
        if not self.privileged:
            self.account.memory += len(output)
            self.account.outstanding += self.count_messages() - before

    def take_input(self, bytes data):
        """Have other input that waits, after what was executed."""
        cdef const char *p = data
        self.waiting_head = self.waiting_tail = 0
        if data:
            self.keep(p, len(data))

    def taken_over(self):
        """All is taken over, and recorded where that came from: go on from here."""
        self.recorded_bytes = self.sent_bytes + (self.out_tail - self.out_head)
        self.forget_pending()
        if self.event_times is not None:
            self.event_times.clear()
        self.find_pending()
        self.touch()
        self.update_stall()

    @property
    def transaction_count(self) -> int:
        """How many transactions this client has open."""
        return len(self.transactions)

    # --- the record of changes -------------------------------------------------------------------------

    cdef int record(self) except -1:
        """Put into the frame how far input was executed, which output there is, and what waits."""
        cdef RingState state
        cdef uint64_t end = self.sent_bytes + (self.out_tail - self.out_head)
        cdef Py_ssize_t at
        if self.closed:
            return 0
        state.whole = self.rewritten or self.recorded_bytes < self.sent_bytes
        state.executed = self.executed_bytes
        state.sent = self.sent_bytes
        state.output_at = self.sent_bytes if state.whole else self.recorded_bytes
        state.message_left = <uint32_t>self.message_left
        self.store.recorder.entry(R_RING, self.domid, 0, <char *>&state, sizeof(RingState),
                                  self.out + self.out_head + (state.output_at - self.sent_bytes), end - state.output_at)
        self.charge(sizeof(RingState) + end - state.output_at)
        self.rewritten = False
        self.recorded_bytes = end
        if self.waiting_tail > self.waiting_head:
            at = self.waiting_head + (self.executed_bytes - self.waiting_bytes)
            self.store.recorder.entry(R_INPUT, self.domid, 0, self.waiting + at, self.waiting_tail - at, NULL, 0)
            self.charge(self.waiting_tail - at)
        return 0

    def recall(self, int kind, int number, bytes first, bytes second):
        """Do again what an entry of the journal says happened to this session.

        Raises:
            ValueError: the entry is none, or does not fit what came before.
        """
        cdef RingState state
        if self.closed:
            if kind in (R_RING, R_INPUT, R_WATCH, R_START):
                raise ValueError(f"an entry of kind {kind} for a ring that is ignored")
            return
        if kind == R_RING:
            if len(first) != sizeof(RingState):
                raise ValueError("a ring's state of another size")
            memcpy(&state, PyBytes_AS_STRING(first), sizeof(RingState))
            self.recall_ring(state.executed, state.sent, state.output_at, state.message_left, state.whole, second)
        elif kind == R_INPUT:
            self.take_input(first)
        elif kind == R_WATCH:
            self.take_watch(first, second, number)
        elif kind == R_UNWATCH:
            self.recall_unwatch(first, second)
        elif kind == R_RESET:
            self.reset()
        elif kind == R_START:
            self.take_transaction(max(0, number))
        elif kind == R_END:
            if number not in self.transactions:
                raise ValueError(f"no transaction {number} is open")
            self.discard(self.transactions[number], False)
        else:
            raise ValueError(f"there are no entries of kind {kind}")

    def recall_ring(self, uint64_t executed, uint64_t sent, uint64_t output_at, uint32_t message_left, bint whole,
                    bytes output):
        cdef uint64_t end = self.sent_bytes + (self.out_tail - self.out_head)
        if executed > POSITION_MAX or sent > POSITION_MAX or output_at > POSITION_MAX:
            raise ValueError(f"positions {executed}, {sent}, {output_at} are out of range")
        self.executed_bytes = executed
        self.take_input(b"")
        if whole:
            self.sent(self.out_tail - self.out_head)
            self.sent_bytes = output_at
            self.message_left = 0
            self.take_output(output, message_left)
            return
        if output_at != end or not self.sent_bytes <= sent <= end:
            raise ValueError(f"output at {output_at} does not follow {end}")
        self.sent(sent - self.sent_bytes)
        self.take_output(output, 0)

    def recall_unwatch(self, bytes name, bytes token):
        cdef const char *path
        cdef Py_ssize_t size = self.spell_out_name(name, &path)
        cdef Watch watch = self.watches.pop(path[:size] + b"\0" + token, None)
        if watch is None:
            raise ValueError(f"there is no watch on {name!r} with the token {token[:80]!r}")
        self.drop_watch(watch)

    cdef Py_ssize_t spell_out_name(self, bytes name, const char **result) except -1:
        """The absolute path of a watch that was registered by this name, which comes from a file."""
        cdef Py_ssize_t size = -1
        if len(name) <= PAYLOAD_MAX:
            size = self.spell_out(name, len(name), True, result)
        if size < 0:
            raise ValueError(f"watch on {name[:80]!r}: no such path is valid")
        return size

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
