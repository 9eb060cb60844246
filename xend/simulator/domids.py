"""Which domid the next domain gets."""

import errno
from collections.abc import Container

from xend.hypervisor import HypervisorError

#: Domids from here on are the hypervisor's own (xen/include/public/xen.h, DOMID_FIRST_RESERVED).
DOMID_LIMIT = 0x7FF0


class Domids:
    """They rise, and begin again once all were used; 0 is dom0's."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, in_use: Container[int]) -> int:
        """One that is not in use.

        Raises:
            HypervisorError: ENOSPC: there is none.
        """
        for _ in range(1, DOMID_LIMIT):
            self._last = self._last % (DOMID_LIMIT - 1) + 1
            if self._last not in in_use:
                return self._last
        raise HypervisorError(errno.ENOSPC, "all domids are in use")
