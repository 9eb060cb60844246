from libc.stdint cimport uint32_t

cdef enum Quota:                    # indexes xenstore.limits.QUOTAS
    Q_NODES
    Q_WATCHES
    Q_OUTSTANDING
    Q_MEMORY
    Q_SOFT_MEMORY
    Q_TRANSACTIONS
    Q_TRANSACTION_NODES
    Q_NODE_PERMISSIONS
    Q_PATH_MAX
    Q_NODE_SIZE
    QUOTA_COUNT


cdef class Account:
    cdef readonly int domid
    cdef public unsigned long long unique   # the domain's identity (Hypervisor.identity); 0: not known
    cdef public long nodes, watches, outstanding, memory, transactions
    cdef Account peak               # the most of each at a time; None in a peak itself
    cdef uint32_t quotas[QUOTA_COUNT]
    cdef double credits, refilled   # write credits of a guest, and when they were last topped up

    cdef bint allows(self, int quota, long value) noexcept
    cdef int rise_to(self, Account account) except -1
    cdef long left(self, int quota, long used) noexcept


cdef class Accounts:
    cdef dict by_domid
    cdef Account control            # dom0's
    cdef public object identify     # callable(domid) -> the identity of a domain just heard of, or None
    cdef uint32_t defaults[QUOTA_COUNT]
    cdef Account largest            # the most that any guest held at a time

    cdef Account of(self, int domid)
    cdef int note(self, Account account) except -1
