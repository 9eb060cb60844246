"""Which domains there are: the hypercall XEN_SYSCTL_getdomaininfolist.

The tools' hypercalls carry an interface version; the hypervisor answers EACCES to any but its own.  What is
used here is the same in all of them, so the version is found by asking.  What does change from one to the
next is the length of struct xen_domctl_getdomaininfo: it is asked for one domain at a time, and only its
head is read (domain at 0, flags at 4), which has stood since version 6.
Source: xen/include/public/sysctl.h (struct xen_sysctl, struct xen_sysctl_getdomaininfolist), domctl.h
(struct xen_domctl_getdomaininfo, XEN_DOMINF_*), xen.h (__HYPERVISOR_sysctl).
"""

import errno
import struct
from collections.abc import Callable

from xenstore.platform import DomainState, Unavailable
from xenstore.platform.system import Mapping

HYPERVISOR_SYSCTL = 35
GETDOMAININFOLIST = 6
FIRST_RESERVED_DOMID = 0x7FF0

DYING = 1 << 0
SHUTDOWN = 1 << 2

#: Xen 4.17's first, later ones, then earlier ones.
VERSIONS = (*range(0x15, 0x40), *range(0x14, 5, -1))

#: cmd, interface_version, first_domain, max_domains, buffer, num_domains.
_REQUEST = struct.Struct("=IIH2xIQI")
_NUM_DOMAINS = struct.Struct("=I")
_HEAD = struct.Struct("=H2xI")

#: Where things lie in the page shared with the hypervisor; the structure is 136 bytes, the answer about 200.
_NUM_DOMAINS_AT = 24
_ANSWER_AT = 1024


class DomainList:
    """Asks the hypervisor.

    call: makes a hypercall of (number, argument), returns its result, raises OSError with the hypervisor's
    errno.  page: memory that the hypervisor can reach.
    """

    def __init__(self, call: Callable[[int, int], int], page: Mapping) -> None:
        self._call = call
        self._page = page
        self._version = 0

    def probe(self) -> None:
        """Find the interface version.

        Raises:
            Unavailable: the hypervisor takes none, or refuses.
        """
        try:
            self._version = next(version for version in VERSIONS if self._takes(version))
        except StopIteration:
            raise Unavailable(
                f"the hypervisor takes no sysctl interface version of {min(VERSIONS):#x} to "
                f"{max(VERSIONS):#x}: this xenstored does not know it"
            ) from None
        except OSError as error:
            raise Unavailable(
                f"the hypervisor refuses to list the domains ({error.strerror}): xenstored must run in dom0"
            ) from error

    def __call__(self) -> dict[int, DomainState]:
        """All domains, by domid.  Cost: a hypercall for each.

        What tells a domain from an earlier one of the same domid is not known to this hypercall.
        """
        found = {}
        domid = self._next(0, self._version)
        while domid is not None:
            flags = self._unpack(_HEAD, _ANSWER_AT)[1]
            found[domid] = DomainState(0, bool(flags & SHUTDOWN), bool(flags & DYING))
            domid = self._next(domid + 1, self._version)
        return found

    def _takes(self, version: int) -> bool:
        try:
            self._next(0, version)
        except OSError as error:
            if error.errno != errno.EACCES:
                raise
            return False
        return True

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
        return int(self._unpack(_HEAD, _ANSWER_AT)[0])

    def _unpack(self, layout: struct.Struct, at: int) -> tuple[int, ...]:
        with memoryview(self._page) as page:
            return layout.unpack_from(page, at)
