"""The hypercall of the tools, whose arguments carry an interface version.

The hypervisor answers EACCES to any but its own; what is used here is the same in all of them, so the version
is found by asking.
Source: xen/include/public/sysctl.h (struct xen_sysctl), xen.h (__HYPERVISOR_sysctl).
"""

import errno
from collections.abc import Callable

from xenstore.platform import Unavailable

HYPERVISOR_SYSCTL = 35

#: Xen 4.17's first, later ones, then earlier ones.
VERSIONS: tuple[int, ...] = (*range(0x15, 0x40), *range(0x14, 5, -1))


def find_version(ask: Callable[[int], object]) -> int:
    """The version with which `ask`, a call that changes nothing, does not end in EACCES.

    Raises:
        Unavailable: the hypervisor takes none, or refuses.
    """
    try:
        for version in VERSIONS:
            if _takes(ask, version):
                return version
    except OSError as error:
        raise Unavailable(
            f"the hypervisor does not answer the tools' questions ({error.strerror}): "
            "only a program in dom0 may ask them"
        ) from error
    raise Unavailable(
        f"the hypervisor takes no sysctl interface version of {min(VERSIONS):#x} to {max(VERSIONS):#x}: "
        "this program does not know it"
    )


def _takes(ask: Callable[[int], object], version: int) -> bool:
    try:
        ask(version)
    except OSError as error:
        if error.errno != errno.EACCES:
            raise
        return False
    return True
