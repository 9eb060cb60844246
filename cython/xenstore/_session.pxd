from libc.stdint cimport uint32_t, uint64_t

from xenstore._output cimport Output
from xenstore._transactions cimport Transaction
from xenstore._view cimport Actor, Fault, Request
from xenstore._watches cimport Watch


cdef class Carrier:
    cdef int settle(self) except -1


cdef class Session(Output):
    cdef public uint32_t features      # mask of XENSTORE_SERVER_FEATURE_* bits offered to this client

    cdef char *waiting                 # input not executed yet is waiting[waiting_head:waiting_tail]
    cdef Py_ssize_t waiting_head, waiting_tail, waiting_size
    cdef uint64_t waiting_bytes        # stream position of waiting_head
    cdef uint64_t executed_bytes       # stream position up to which input was executed
    cdef Actor actor
    cdef dict watches                  # (path NUL token): Watch, in order of registration
    cdef dict transactions             # id: Transaction
    cdef uint32_t last_tx_id
    cdef bint more_input               # a further request follows the one being executed
    cdef bint paused                   # the start of a transaction waits in the input until those may start again
    cdef readonly bint postponed       # an administrative request was executed, its reply is to come: see `answer`
    cdef uint32_t[3] postponed_header  # its type, request and transaction
    cdef readonly double transacting_since  # since when there have been open transactions; meaningless without

    # what the driver calls
    cdef int consume(self, const char *data, Py_ssize_t size, int budget) except -1
    cdef int proceed(self, int budget) except -1
    cdef bint has_waiting(self) noexcept

    cdef Py_ssize_t execute_from(self, const char *data, Py_ssize_t size, int *budget) except -1
    cdef int keep(self, const char *data, Py_ssize_t size) except -1
    cdef int execute(self, uint32_t type, uint32_t req_id, uint32_t tx_id, const char *payload, Py_ssize_t size) except -1
    cdef int node_request(self, uint32_t type, uint32_t req_id, uint32_t tx_id, Transaction transaction,
                          const char *payload, Py_ssize_t size) except -1
    cdef Fault locate(self, uint32_t type, const char *payload, Py_ssize_t size, Request *request) noexcept
    cdef Fault check_perms(self, Request *request, Fault fault) except *
    cdef Fault perms_fault(self, Request *request, Fault fault) noexcept
    cdef Py_ssize_t absolute(self, const char *path, Py_ssize_t size, bint special, const char **result) noexcept
    cdef Py_ssize_t spell_out(self, const char *path, Py_ssize_t size, bint special, const char **result) noexcept
    cdef Py_ssize_t spell_out_name(self, bytes name, const char **result) except -1
    cdef int prepare_actor(self, Transaction transaction) except -1
    cdef int prepare_replay(self, Transaction transaction) except -1
    cdef bytes perform_live(self, Request *request, Fault *fault)
    cdef bint may_access(self, Transaction transaction, bytes path) except -1
    cdef bytes perform_inside(self, Transaction transaction, Request *request, Fault *fault)
    cdef int add_watch(self, uint32_t req_id, uint32_t tx_id, const char *payload, Py_ssize_t size) except -1
    cdef int remove_watch(self, uint32_t req_id, uint32_t tx_id, const char *payload, Py_ssize_t size) except -1
    cdef int drop_watch(self, Watch watch) except -1
    cdef int set_watch(self, Watch watch) except -1
    cdef int note_watch(self, int kind, Watch watch) except -1
    cdef int start_transaction(self, uint32_t req_id, uint32_t tx_id) except -1
    cdef bint must_wait(self, Transaction transaction) except -1
    cdef int end_transaction(self, uint32_t req_id, uint32_t tx_id, const char *payload, Py_ssize_t size) except -1
    cdef Fault commit(self, Transaction transaction) except *
    cdef int discard(self, Transaction transaction, bint conflict) except -1
    cdef int administer(self, uint32_t type, uint32_t req_id, uint32_t tx_id, bytes payload) except -1
