"""Which domain has a PCI function: XEN_DOMCTL_{test_assign,assign,deassign}_device, with an IOMMU.

Source: xen/include/public/domctl.h, xen/drivers/passthrough/{iommu,pci}.c
"""

import errno

from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.layouts import ASSIGN_DEVICE
from xend.hypervisor.xen.refusal import refusing

ASSIGN_DEVICE_OP = 37
TEST_ASSIGN_DEVICE_OP = 45
DEASSIGN_DEVICE_OP = 47
#: "Of no domain": DOMID_INVALID.
DOMID_INVALID = 0x7FF4
#: XEN_DOMCTL_DEV_PCI, XEN_DOMCTL_DEV_RDM_RELAXED.
_PCI, _RDM_RELAXED = 0, 1


class Cards:
    """Gives and takes them."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def check(self, device: int) -> None:
        """See `Control.check_card`."""
        self._do(TEST_ASSIGN_DEVICE_OP, DOMID_INVALID, device, "cannot be given to a domain")

    def assign(self, domid: int, device: int, is_strict: bool) -> None:
        """See `Control.assign_card`."""
        flags = 0 if is_strict else _RDM_RELAXED
        self._do(ASSIGN_DEVICE_OP, domid, device, f"cannot be given to domain {domid}", flags)

    def release(self, domid: int, device: int) -> None:
        """See `Control.release_card`."""
        self._do(DEASSIGN_DEVICE_OP, domid, device, f"cannot be taken from domain {domid}")

    def _do(self, command: int, domid: int, device: int, what: str, flags: int = 0) -> None:
        named = f"PCI device {device:#x} {what}"
        reasons = {
            errno.EOPNOTSUPP: "there is no IOMMU on this host, or the domain was created without one",
            errno.ENODEV: "Xen knows no such device, or another domain has it",
            errno.EBUSY: "another domain has it, or memory that the firmware reserved for it (RMRR) is the "
            "domain's by now: rdm_policy=relaxed in its item takes that",
            errno.EINVAL: "another domain has it, or Xen knows no such device",
        }
        with refusing(named, reasons):
            self._calls.domctl(command, domid, ASSIGN_DEVICE.pack(dev=_PCI, flags=flags, sbdf=device))
