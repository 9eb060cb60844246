"""Which domains there are (XEN_SYSCTL_getdomaininfolist), and which is which (XEN_DOMCTL_get_domain_state).

What changes from one version of the hypervisor to the next is the length of struct xen_domctl_getdomaininfo:
it is asked for one domain at a time, and only what has stood is read of it: domain at 0, flags at 4; the
handle at 76 since Xen 4.3.
Xen 4.21 and later number all domains they ever had (`unique_id`), and say so whatever the version.
Source: xen/include/public/sysctl.h (struct xen_sysctl_getdomaininfolist), domctl.h
(struct xen_domctl_getdomaininfo, XEN_DOMINF_*, struct xen_domctl_get_domain_state).
"""

import errno
import struct

from xenstore.platform import DomainState
from xenstore.platform.hypercalls import Hypercalls
from xenstore.platform.sysctl import HYPERVISOR_SYSCTL, find_version

HYPERVISOR_DOMCTL = 36
GETDOMAININFOLIST = 6
GET_DOMAIN_STATE = 90
FIRST_RESERVED_DOMID = 0x7FF0

DYING = 1 << 0
SHUTDOWN = 1 << 2

#: Xen 4.3's, the first with the handle where it is read.
FIRST_WITH_HANDLE = 0xA

#: cmd, interface_version, first_domain, max_domains, buffer, num_domains.
_REQUEST = struct.Struct("=IIH2xIQI")
_NUM_DOMAINS = struct.Struct("=I")
#: domain, flags, handle (as two numbers).
_INFO = struct.Struct("=H2xI68xQQ")

#: cmd, interface_version (0: for every hypervisor), domain; state, caps, pad, unique_id.
_STATE = struct.Struct("=IIH6xHHIQ")

#: Where things lie in the page shared with the hypervisor; the structures are 136 and 144 bytes, the answer
#: about 200.
_NUM_DOMAINS_AT = 24
_ANSWER_AT = 1024


class DomainList:
    """Asks the hypervisor."""

    def __init__(self, hypercalls: Hypercalls) -> None:
        self._call = hypercalls
        self._page = hypercalls.page
        self._version = 0
        self._is_numbered = False

    def probe(self) -> None:
        """Find the interface version, and what domains can be told apart by.

        Raises:
            Unavailable: the hypervisor takes none, or refuses.
        """
        self._version = find_version(lambda version: self._next(0, version))
        self._is_numbered = bool(self._number(0))

    def __call__(self) -> dict[int, DomainState]:
        """All domains, by domid.  Cost: one hypercall for each; two since Xen 4.21.

        A domain's `unique` is the hypervisor's number of it; before Xen 4.21 it is made of the domain's
        UUID, which its toolstack chooses and may give to its next domain, too; dom0, whose UUID may change
        while it runs, has 0 there, like a domain without one.
        """
        found = {}
        domid = self._next(0, self._version)
        while domid is not None:
            _, flags, first, second = self._unpack(_INFO, _ANSWER_AT)
            unique = self._number(domid) if self._is_numbered else self._of_handle(domid, first ^ second)
            if unique is not None:  # None: it ended just now
                found[domid] = DomainState(unique, bool(flags & SHUTDOWN), bool(flags & DYING))
            domid = self._next(domid + 1, self._version)
        return found

    def _of_handle(self, domid: int, folded: int) -> int:
        return folded if domid != 0 and self._version >= FIRST_WITH_HANDLE else 0

    def _number(self, domid: int) -> int | None:
        """The hypervisor's number of a domain, 0 where it has none to tell; None: there is no such domain."""
        with memoryview(self._page) as page:
            _STATE.pack_into(page, 0, GET_DOMAIN_STATE, 0, domid, 0, 0, 0, 0)
        try:
            self._call(HYPERVISOR_DOMCTL, self._page.address)
        except OSError as error:
            return None if error.errno in (errno.ESRCH, errno.ENOENT) else 0
        return self._unpack(_STATE, 0)[-1]

    def _next(self, first: int, version: int) -> int | None:
        """The lowest domid from `first` on, its state in the page; None: there is none."""
        if first >= FIRST_RESERVED_DOMID:
            return None
        with memoryview(self._page) as page:
            answer_at = self._page.address + _ANSWER_AT
            _REQUEST.pack_into(page, 0, GETDOMAININFOLIST, version, first, 1, answer_at, 0)
        self._call(HYPERVISOR_SYSCTL, self._page.address)
        if self._unpack(_NUM_DOMAINS, _NUM_DOMAINS_AT)[0] == 0:
            return None
        return self._unpack(_INFO, _ANSWER_AT)[0]

    def _unpack(self, layout: struct.Struct, at: int) -> tuple[int, ...]:
        with memoryview(self._page) as page:
            return layout.unpack_from(page, at)
