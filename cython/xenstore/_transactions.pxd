from libc.stdint cimport uint32_t

from xenstore._tree cimport Node, Tree
from xenstore._view cimport Actor, Fault, Request, View


cdef struct Record:                 # one operation in a transaction's log; path, rest, reply and perms follow it
    int op
    Fault fault
    int change
    uint32_t path_size, rest_size, reply_size
    uint32_t perms_size             # of the packed permissions that SET_PERMS gave the node


cdef inline Py_ssize_t record_size(Record *record) noexcept:
    """Bytes from one record of a log to the next."""
    return (sizeof(Record) + record.path_size + record.rest_size + record.reply_size + record.perms_size + 7) & ~7


cdef class Log:
    cdef char *data
    cdef Py_ssize_t used, size

    cdef int append(self, Request *request, Fault fault, int change, bytes reply, bytes perms) except -1


cdef class Transaction:
    cdef readonly uint32_t id
    cdef bint admitted              # it has a place in the window of contended transactions
    cdef readonly bint lost         # its snapshot was taken away: it will end with EAGAIN
    cdef readonly bint doomed       # an operation exceeded a quota: it will end with ENOMEM
    cdef readonly long operations
    cdef View view                  # None until the first operation
    cdef Log log
    cdef Node base_root, base_specials
    cdef long writes
    cdef unsigned long long replaced_at_start
    cdef double pinned_since        # when this was first seen to hold replaced nodes; negative: not yet
    cdef list removed               # what each operation took away (Node), in order; empty where none did
    cdef set accessed               # paths, for the quota transaction-nodes; None where it does not bind

    cdef bytes perform(self, View live, Actor *who, Request *request, Fault *fault)
    cdef Tree prepare(self, View live, Actor *who, Fault *fault)
    cdef Tree replay(self, View live, Actor *who)
    cdef int snapshot(self, View live) except -1
    cdef int lose(self, View live) except -1
    cdef int keep_removed(self, View view) except -1
    cdef bytes perms_after(self, View view, Request *request)


cdef Transaction start(uint32_t id, bint count_nodes)
