from libc.stdint cimport uint32_t, uint64_t

from xenstore._accounts cimport Account, Accounts
from xenstore._admission cimport Admission
from xenstore._ledger cimport Ledger
from xenstore._transactions cimport Log, Transaction
from xenstore._tree cimport Node, Tree
from xenstore._view cimport Actor, Fault, Request, View
from xenstore._watches cimport Subscriber, Watch, WatchIndex


cdef class Carrier:
    cdef int settle(self) except -1


cdef class Session(Subscriber):
    cdef readonly Store store
    # inherited: domid, privileged, closed (nothing is read or executed any more)
    cdef readonly bint stalled         # no further request may be executed now; lifted by sent(), admission or time
    cdef bint touched                  # already on store.touched
    cdef public object owner           # whoever moves this session's bytes: the pump's connection, or a Carrier
    cdef public bint on_ring           # over a shared page, which cannot be closed for reading too slowly
    cdef public uint32_t features      # mask of XENSTORE_SERVER_FEATURE_* bits offered to this client

    cdef char *out                     # unsent output is out[out_head:out_tail]; NULL when there is none
    cdef Py_ssize_t out_head, out_tail, out_size
    cdef uint64_t sent_bytes           # stream position of out_head
    cdef Py_ssize_t message_left       # bytes of a message begun to be sent that are still unsent
    cdef char *waiting                 # input not executed yet is waiting[waiting_head:waiting_tail]
    cdef Py_ssize_t waiting_head, waiting_tail, waiting_size
    cdef uint64_t *pending             # hashes and stream positions of the watch events in out
    cdef int pending_used, pending_size

    cdef object event_times            # deque of (stream position, time) of the watch events queued to a guest

    cdef Account account
    cdef Actor actor
    cdef dict watches                  # (path NUL token): Watch, in order of registration
    cdef dict transactions             # id: Transaction
    cdef uint32_t last_tx_id
    cdef Transaction parked            # the transaction whose first operation waits in the input for admission
    cdef bint more_input               # a further request follows the one being executed

    # what the driver calls
    cdef int consume(self, const char *data, Py_ssize_t size, int budget) except -1
    cdef int proceed(self, int budget) except -1
    cdef bint has_waiting(self) noexcept
    cdef int sent(self, Py_ssize_t size) except -1
    cpdef close(self)

    cdef Py_ssize_t execute_from(self, const char *data, Py_ssize_t size, int *budget) except -1
    cdef int keep(self, const char *data, Py_ssize_t size) except -1
    cdef int execute(self, uint32_t type, uint32_t req_id, uint32_t tx_id, const char *payload, Py_ssize_t size) except -1
    cdef int node_request(self, uint32_t type, uint32_t req_id, uint32_t tx_id, Transaction transaction,
                          const char *payload, Py_ssize_t size) except -1
    cdef Fault locate(self, uint32_t type, const char *payload, Py_ssize_t size, Request *request) noexcept
    cdef Py_ssize_t absolute(self, const char *path, Py_ssize_t size, bint special, const char **result) noexcept
    cdef int prepare_actor(self, Transaction transaction) except -1
    cdef int prepare_replay(self, Transaction transaction) except -1
    cdef bytes perform_live(self, Request *request, Fault *fault)
    cdef bytes perform_inside(self, Transaction transaction, Request *request, Fault *fault)
    cdef int add_watch(self, uint32_t req_id, uint32_t tx_id, const char *payload, Py_ssize_t size) except -1
    cdef int remove_watch(self, uint32_t req_id, uint32_t tx_id, const char *payload, Py_ssize_t size) except -1
    cdef int drop_watch(self, Watch watch) except -1
    cdef int start_transaction(self, uint32_t req_id, uint32_t tx_id) except -1
    cdef bint must_wait(self, Transaction transaction) except -1
    cdef int end_transaction(self, uint32_t req_id, uint32_t tx_id, const char *payload, Py_ssize_t size) except -1
    cdef Fault commit(self, Transaction transaction) except *
    cdef int discard(self, Transaction transaction, bint conflict) except -1
    cdef int lose(self, Transaction transaction) except -1
    cdef int administer(self, uint32_t type, uint32_t req_id, uint32_t tx_id, bytes payload) except -1
    cdef char *room(self, Py_ssize_t size) except NULL
    cdef int touch(self) except -1
    cdef int message(self, uint32_t type, uint32_t req_id, uint32_t tx_id, const char *payload, Py_ssize_t size) except -1
    cdef int reply(self, uint32_t type, uint32_t req_id, uint32_t tx_id, bytes payload) except -1
    cdef int refuse(self, uint32_t req_id, uint32_t tx_id, Fault fault) except -1
    cdef int queue_event(self, Watch watch, const char *path, Py_ssize_t size, bint repeat) except -1
    cdef bint is_pending(self, uint64_t hash, const char *text, Py_ssize_t size) noexcept
    cdef int note_pending(self, uint64_t hash, uint64_t position) except -1
    cdef int renew_pending(self) except -1
    cdef void forget_pending(self) noexcept
    cdef int update_stall(self) except -1


cdef class Store:
    cdef public double now             # seconds on a monotonic clock, set by the driver before each batch
    cdef list touched                  # sessions that got output, were closed or may proceed since the driver last looked
    cdef public object control         # callable(session, [bytes arguments]) -> bytes, or None
    cdef public object trace           # callable(direction, session, type, payload), or None
    cdef public object log             # callable(str): one line about something an administrator should know
    cdef View live
    cdef readonly WatchIndex watches
    cdef readonly Accounts accounts
    cdef Admission admission
    cdef set sessions
    cdef public double watch_event_seconds  # age at which an event is dropped that a guest does not read; 0: never
    cdef set guests                    # the unprivileged sessions among them
    cdef readonly long open_transactions
    cdef dict guest_transactions       # those whose snapshots are bounded, and their sessions

    # what the driver calls
    cdef double deadline(self) except? -2
    cdef int tick(self) except -1

    cdef int settle(self) except -1
    cdef bint within_node_quotas(self, Ledger ledger) except -1
    cdef int changed(self, Request *request) except -1
    cdef int fire_commit(self, Tree before, Log log) except -1
    cdef int admit(self) except -1
    cdef int bound_snapshots(self) except -1
