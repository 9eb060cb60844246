# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""What each domain holds of the store, and its quotas.

A quota of N allows N; 0 is unlimited.  Sessions decide whom a quota binds; the accounts only count.
"""

cimport cython

from xenstore import errors
from xenstore.limits import QUOTA_INDEX, QUOTAS


@cython.final
cdef class Account:
    """One domain's counts and quotas."""

    def __init__(self, int domid, bint counts_peaks=True):
        self.domid = domid
        self.peak = Account(domid, False) if counts_peaks else None
        self.credits = 50

    cdef bint allows(self, int quota, long value) noexcept:
        return self.quotas[quota] == 0 or value <= <long>self.quotas[quota]

    cdef long left(self, int quota, long used) noexcept:
        """How much more of a quota may be used; negative: any amount."""
        if self.quotas[quota] == 0:
            return -1
        return max(0, <long>self.quotas[quota] - used)

    def usage(self) -> dict:
        """What the domain holds now, by quota name."""
        return {
            "nodes": self.nodes,
            "watches": self.watches,
            "outstanding": self.outstanding,
            "memory": self.memory,
            "transactions": self.transactions,
        }

    def peaks(self) -> dict:
        """The most that the domain ever held at a time, by quota name."""
        return self.peak.usage()

    cdef int rise_to(self, Account account) except -1:
        """For a peak: be no lower than another account."""
        self.nodes = max(self.nodes, account.nodes)
        self.watches = max(self.watches, account.watches)
        self.outstanding = max(self.outstanding, account.outstanding)
        self.memory = max(self.memory, account.memory)
        self.transactions = max(self.transactions, account.transactions)
        return 0

    def quota_values(self) -> dict:
        """The domain's quotas by name."""
        return {quota.name: self.quotas[index] for index, quota in enumerate(QUOTAS)}


@cython.final
cdef class Accounts:
    """The accounts of all domains heard of, and the quotas new ones start with."""

    def __init__(self, quotas=None):
        self.by_domid = {}
        self.largest = Account(-1, False)
        for index, quota in enumerate(QUOTAS):
            self.defaults[index] = quota.default
        for name, value in (quotas or {}).items():
            self.set_quota(name, value)
        self.control = self.of(0)

    cdef Account of(self, int domid):
        """The account of a domain, opened with today's default quotas when it is new."""
        cdef Account account
        cdef int i
        if domid == 0 and self.control is not None:
            return self.control
        account = self.by_domid.get(domid)
        if account is None:
            account = Account(domid)
            for i in range(QUOTA_COUNT):
                account.quotas[i] = self.defaults[i]
            self.by_domid[domid] = account
            if self.identify is not None:
                account.unique = self.identify(domid)
        return account

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return sum(account.nodes for account in self.by_domid.values())

    def open(self, int domid):
        """The account of a domain, opened unless it has one."""
        return self.of(domid)

    def get(self, int domid):
        """The account of a domain, or None when it has none."""
        return self.by_domid.get(domid)

    def forget(self, int domid):
        """Close a dead domain's account: whoever gets its id next starts anew (XSA-483)."""
        if domid != 0:
            self.by_domid.pop(domid, None)

    def __iter__(self):
        return iter(self.by_domid.values())

    def quota_values(self) -> dict:
        """The default quotas by name."""
        return {quota.name: self.defaults[index] for index, quota in enumerate(QUOTAS)}

    def set_quota(self, name, value, domid=None):
        """Change a default, or one domain's quota.

        Raises:
            EINVAL: no quota has that name, or the value is not in 0 .. 2**32 - 2.
            ENOENT: the domain has no account; see `xenstore.store.Store.set_quota`.
        """
        cdef Account account
        index = QUOTA_INDEX.get(name)
        if index is None:
            raise errors.EINVAL(f"no quota is called {name!r}; there are {', '.join(QUOTA_INDEX)}")
        if not 0 <= value < 0xFFFFFFFF:
            raise errors.EINVAL(f"quota {name}: {value} is not in 0 .. 4294967294")
        if domid is None:
            if name == "soft-memory":
                for other in self.by_domid.values():
                    account = other
                    if account.quotas[<int>index] == self.defaults[<int>index]:
                        account.quotas[<int>index] = value
            self.defaults[<int>index] = value
            return
        account = self.by_domid.get(domid)
        if account is None:
            raise errors.ENOENT(f"no domain {domid} is known")
        account.quotas[<int>index] = value

    cdef int note(self, Account account) except -1:
        """Remember the largest values of this domain, and of any guest (xenstore-control quota)."""
        account.peak.rise_to(account)
        if account.domid != 0:
            self.largest.rise_to(account)
        return 0

    def maxima(self, bint reset) -> dict:
        """The largest values seen of any guest, by quota name, since the start or the last reset."""
        seen = self.largest.usage()
        if reset:
            self.largest = Account(-1, False)
        return seen
