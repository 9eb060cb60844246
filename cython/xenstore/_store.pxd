from libc.stdint cimport uint64_t

from xenstore._accounts cimport Account, Accounts
from xenstore._admission cimport Admission
from xenstore._ledger cimport Ledger
from xenstore._recorder cimport Recorder
from xenstore._transactions cimport Log, Transaction
from xenstore._tree cimport Node, Tree
from xenstore._view cimport Actor, Request, View
from xenstore._watches cimport Inside, Subscriber, Watch, WatchIndex


cdef class Client(Subscriber):
    # inherited: domid, privileged, closed (nothing is read or executed any more)
    cdef readonly Store store
    cdef readonly bint stalled         # no further request may be executed now; lifted by sent(), admission or time
    cdef bint touched                  # already on store.touched
    cdef bint unrecorded               # already on store.unrecorded
    cdef Account account
    cdef Transaction parked            # the transaction whose first operation waits in the input for admission
    cdef bint behind                   # a request that would be recorded waits in the input for the journal
    cdef uint64_t recorded_here        # bytes it has recorded in the recorder's round `round`
    cdef uint64_t round

    cdef int admitted(self) except -1
    cdef int pass_time(self) except -1
    cdef int lose(self, Transaction transaction) except -1
    cdef int record(self) except -1
    cdef Py_ssize_t hold(self) noexcept
    cdef int cut_off(self) except -1
    cdef int go_on(self) except -1
    cpdef close(self)
    cdef int charge(self, uint64_t size) except -1
    cdef bint comes_first(self) noexcept


cdef class Store:
    cdef public double now             # seconds on a monotonic clock, set by the driver before each batch
    cdef list touched                  # sessions with output or news since the driver last looked
    cdef public object control         # callable(session, [bytes arguments]) -> bytes, or None
    cdef public object trace           # callable(direction, session, type, payload), or None
    cdef public object log             # callable(str): one line about something an administrator should know
    cdef public double watch_event_seconds  # age at which an event is dropped that a guest does not read; 0: never
    cdef public Recorder recorder      # where changes are recorded before anybody learns of them, or None
    cdef list unrecorded               # ring sessions with changes that are in no frame yet
    cdef public object work            # callable() -> bool: does a slice of what can wait; whether there is more
    cdef public bint has_work          # `work` has something to do
    cdef public bint is_urgent         # it is not to wait while clients are served
    cdef object waiting_for_log        # deque of sessions that are `behind`
    cdef readonly long long content    # bytes that an image of nodes and guests' watches takes, or a little less
    cdef public long long content_max  # up to where guests may let that grow
    cdef public object make_room       # callable(bytes): raise content_max, if there is room; or None
    cdef View live
    cdef readonly WatchIndex watches
    cdef readonly Accounts accounts
    cdef Admission admission
    cdef set sessions
    cdef set guests                    # the unprivileged sessions among them
    cdef bint guests_wait              # some guest may be stalled or leave events unread: time matters to it
    cdef double look_at                # when guests are looked at next; INFINITY: it is not decided
    cdef readonly long open_transactions
    cdef readonly bint transactions_paused  # clients without open ones wait with their start
    cdef public Py_ssize_t output_held  # bytes of the buffers of output of all clients of the socket
    cdef dict guest_transactions       # those whose snapshots are bounded, and their sessions
    cdef unsigned long long replaced_before  # replaced bytes when the oldest of them began, or earlier
    cdef unsigned long long bound_again  # how many replaced bytes make `bound_snapshots` worth its cost

    # what the driver calls
    cdef double deadline(self) except? -2
    cdef int tick(self) except -1
    cdef int do_work(self) except -1

    cdef int watch_over(self, Transaction transaction, Client session) except -1
    cdef bint may_pin(self) noexcept
    cdef int settle(self) except -1
    cdef int disconnect_slowest(self) except -1
    cdef bint must_wait_for_log(self, Client session) except -1
    cdef bint has_room_for(self, Ledger ledger) except -1
    cdef long long growth_left(self, long long wanted) except? -2
    cdef bint within_node_quotas(self, Ledger ledger) except -1
    cdef int seal(self) except -1
    cdef int record_change(self, Request *request, int creator) except -1
    cdef int record_commit(self, Log log, int creator) except -1
    cdef int changed(self, Request *request, int creator) except -1
    cdef int fire_commit(self, Tree before, Transaction transaction) except -1
    cdef int admit(self) except -1
    cdef int bound_snapshots(self) except -1
