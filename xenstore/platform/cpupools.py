"""Which cpupools there are: the hypercall XEN_SYSCTL_cpupool_op.

Source: xen/include/public/sysctl.h (struct xen_sysctl_cpupool_op).
"""

import errno
import struct
import sys

from xenstore._system import System
from xenstore.platform import choose
from xenstore.platform.hypercalls import Hypercalls
from xenstore.platform.linux import LinuxHypercalls
from xenstore.platform.netbsd import NetBSDHypercalls
from xenstore.platform.sysctl import HYPERVISOR_SYSCTL, find_version

CPUPOOL_OP = 18
INFO = 3

#: cmd, interface_version; op, cpupool_id, sched_id, domid, cpu, n_dom, cpumap.{bitmap, nr_bits}.
_REQUEST = struct.Struct("=II6IQI")
_CPUMAP_AT = 1024
_CPUMAP_BITS = 4096


def of_this_host(system: System | None = None, operating_system: str = sys.platform) -> list[int]:
    """The numbers of the host's cpupools, rising; a host without Xen has pool 0.

    Raises:
        Unavailable: there is a hypervisor, but it cannot be asked; the text says why and what to do.
    """
    system = system or System()
    if operating_system.startswith(choose.LINUX) and choose.missing_on_linux(system) is None:
        return _listed(LinuxHypercalls(system))
    if operating_system.startswith(choose.NETBSD) and choose.missing_on_netbsd(system) is None:
        return _listed(NetBSDHypercalls(system))
    return [0]


def _listed(hypercalls: Hypercalls) -> list[int]:
    try:
        version = find_version(lambda version: _next(hypercalls, version, 0))
        found = []
        pool = _next(hypercalls, version, 0)
        while pool is not None:
            found.append(pool)
            pool = _next(hypercalls, version, pool + 1)
        return found
    finally:
        hypercalls.close()


def _next(hypercalls: Hypercalls, version: int, first: int) -> int | None:
    """The lowest number from `first` on; None: there is none.  Raises OSError."""
    address = hypercalls.page.address
    question = (CPUPOOL_OP, version, INFO, first, 0, 0, 0, 0, address + _CPUMAP_AT, _CPUMAP_BITS)
    with memoryview(hypercalls.page) as page:
        _REQUEST.pack_into(page, 0, *question)
    try:
        hypercalls(HYPERVISOR_SYSCTL, address)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESRCH):
            return None
        raise
    with memoryview(hypercalls.page) as page:
        return int(_REQUEST.unpack_from(page)[3])
