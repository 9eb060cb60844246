"""Which Xen this is, and whether this program knows it.

The interface numbers did not change with every change of meaning (domain-build.md 6), so the release is what
counts; the numbers must be that release's, and dom0's own record must make sense before anything is believed.
"""

import errno

from xend.hypervisor import HypervisorError
from xend.hypervisor.xen.calls import XEN_VERSION, Calls
from xend.hypervisor.xen.domains import GETDOMAININFO, Domains, Record
from xend.hypervisor.xen.host import PHYSINFO, VERSION
from xend.hypervisor.xen.layouts import RELEASES, Release, release_of
from xend.hypervisor.xen.refusal import refusing
from xenstore.platform.hypercalls import Hypercalls

#: More memory than any host has, in KiB: 64 TiB.
_MEMORY_MAX_KIB = 1 << 36
_VCPUS_MAX = 1 << 14
_HINT = "use a xend that was made for it, or Xen's own xl"


def running_release(hypercalls: Hypercalls) -> Release:
    """The release that runs here.

    Raises:
        HypervisorError: EOPNOTSUPP: it is not known, or does not behave as such; EPERM: it does not let this
            program ask.
    """
    with refusing("the hypervisor does not tell its version"):
        version = hypercalls(XEN_VERSION, VERSION, 0)
    major, minor = version >> 16, version & 0xFFFF
    release = release_of(major, minor)
    if release is None:
        raise HypervisorError(
            errno.EOPNOTSUPP,
            f"this is Xen {major}.{minor}, and this program knows {RELEASES[0]} to {RELEASES[-1]}; {_HINT}",
        )
    calls = Calls(hypercalls, release)
    other = {errno.EACCES: f"its interface is not that of {release}; {_HINT}"}
    other[errno.EPERM] = "only a program in dom0 may ask it"
    with refusing(f"this Xen says that it is {release}", other):
        calls.sysctl(PHYSINFO)
        calls.domctl(GETDOMAININFO, 0)
    _check_dom0(Domains(calls).find(0), release)
    return release


def _check_dom0(record: Record | None, release: Release) -> None:
    """Raises HypervisorError unless dom0's record can be one."""
    info = None if record is None else record.info
    if (
        info is None
        or info.is_dying
        or info.is_shutdown
        or not 1 <= info.vcpus <= info.max_vcpus <= _VCPUS_MAX
        or not 0 < info.memory_kib <= _MEMORY_MAX_KIB
    ):
        raise HypervisorError(
            errno.EOPNOTSUPP,
            f"this Xen says that it is {release}, but what it tells of dom0 makes no sense ({info}); {_HINT}",
        )
