"""The host's hardware in a domain's hands: XEN_DOMCTL_{iomem,ioport,irq}_permission, memory_mapping.

Source: xen/include/public/{domctl,physdev}.h
"""

import errno

from xend.hypervisor import HostAccess, HypervisorError
from xend.hypervisor.xen.calls import PHYSDEV_OP, Calls
from xend.hypervisor.xen.domains import Domains
from xend.hypervisor.xen.layouts import (
    IOMEM_PERMISSION,
    IOPORT_PERMISSION,
    MAP_PIRQ,
    MEMORY_MAPPING,
    UNMAP_PIRQ,
)
from xend.hypervisor.xen.refusal import refusing

IRQ_PERMISSION_OP = 19
IOMEM_PERMISSION_OP = 20
IOPORT_PERMISSION_OP = 21
MEMORY_MAPPING_OP = 39
MAP_PIRQ_OP = 13
UNMAP_PIRQ_OP = 14
#: MAP_PIRQ_TYPE_GSI.
_GSI = 1
_ADD = 1
_PORTS = 1 << 16
_FRAMES = 1 << 52


class Access:
    """Gives it."""

    def __init__(self, calls: Calls, domains: Domains) -> None:
        self._calls = calls
        self._domains = domains

    def allow(self, domid: int, access: HostAccess) -> None:
        """See `Hypervisor.allow_access`.  What was given before a refusal stays: destroy the domain."""
        is_to_map = self._domains.alive(domid).is_hvm and access.is_mapped
        for first, count in access.ports:
            what = f"domain {domid} cannot have {count} I/O ports from {first:#x}"
            _check(what, first, count, _PORTS)
            with refusing(what):
                arguments = IOPORT_PERMISSION.pack(first_port=first, nr_ports=count, allow_access=1)
                self._calls.domctl(IOPORT_PERMISSION_OP, domid, arguments)
        for irq in access.irqs:
            what = f"domain {domid} cannot have IRQ {irq}"
            _check(what, irq, 1, 1 << 31)
            with refusing(what):
                self._allow_irq(domid, irq)
        for first, count, own in access.memory:
            what = f"domain {domid} cannot have {count} frames of the host from {first:#x} at its {own:#x}"
            _check(what, first, count, _FRAMES)
            _check(what, own, count, _FRAMES)
            with refusing(what):
                arguments = IOMEM_PERMISSION.pack(first_mfn=first, nr_mfns=count, allow_access=1)
                self._calls.domctl(IOMEM_PERMISSION_OP, domid, arguments)
                if is_to_map:
                    self._map(domid, own, first, count)

    def deny(self, domid: int, access: HostAccess) -> None:
        """See `Hypervisor.deny_access`."""
        self._domains.alive(domid)
        for first, count in access.ports:
            with refusing(f"domain {domid}'s {count} I/O ports from {first:#x} cannot be taken back"):
                arguments = IOPORT_PERMISSION.pack(first_port=first, nr_ports=count, allow_access=0)
                self._calls.domctl(IOPORT_PERMISSION_OP, domid, arguments)
        for irq in access.irqs:
            with refusing(f"domain {domid}'s IRQ {irq} cannot be taken back"):
                self._deny_irq(domid, irq)
        for first, count, _ in access.memory:
            with refusing(
                f"domain {domid}'s {count} frames of the host from {first:#x} cannot be taken back"
            ):
                arguments = IOMEM_PERMISSION.pack(first_mfn=first, nr_mfns=count, allow_access=0)
                self._calls.domctl(IOMEM_PERMISSION_OP, domid, arguments)

    def _deny_irq(self, domid: int, irq: int) -> None:
        """Take the line, and the right to it; one that it never mapped is no error.  Raises OSError."""
        try:
            self._calls.operation(PHYSDEV_OP, UNMAP_PIRQ_OP, UNMAP_PIRQ, domid=domid, pirq=irq)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        layout = self._calls.release.irq_permission
        self._calls.domctl(IRQ_PERMISSION_OP, domid, layout.pack(pirq=irq, allow_access=0))

    def _allow_irq(self, domid: int, irq: int) -> None:
        """Give it the line under the same number, and the right to use it; raises OSError."""
        mapped = self._calls.operation(
            PHYSDEV_OP, MAP_PIRQ_OP, MAP_PIRQ, domid=domid, type=_GSI, index=irq, pirq=irq
        )
        layout = self._calls.release.irq_permission
        self._calls.domctl(IRQ_PERMISSION_OP, domid, layout.pack(pirq=mapped["pirq"], allow_access=1))

    def _map(self, domid: int, gfn: int, mfn: int, count: int) -> None:
        """Have the host's frames appear among the domain's own.  The hypervisor takes only so many at a time,
        and says how many of them it took where these were not all.  Raises OSError."""
        done, batch = 0, count
        while done < count:
            size = min(batch, count - done)
            arguments = MEMORY_MAPPING.pack(
                first_gfn=gfn + done, first_mfn=mfn + done, nr_mfns=size, add_mapping=_ADD
            )
            try:
                done += self._calls.domctl_result(MEMORY_MAPPING_OP, domid, arguments) or size
            except OSError as error:
                if error.errno != errno.E2BIG or batch == 1:
                    raise
                batch //= 2


def _check(what: str, first: int, count: int, limit: int) -> None:
    if first < 0 or count < 1 or first + count > limit:
        raise HypervisorError(errno.EINVAL, f"{what}: there are 0 to {limit - 1:#x}")
