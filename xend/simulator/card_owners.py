"""Which domain of the simulated host has which PCI function, as its IOMMU has it."""

import errno

from xend.hypervisor import HypervisorError
from xend.hypervisor.control import QUARANTINE
from xend.simulator.description import Hardware

DOM0 = 0


class CardOwners:
    """What the hypervisor knows of them, by the functions' numbers."""

    def __init__(self, hardware: Hardware) -> None:
        self._has_iommu = hardware.has_iommu
        self._owners = {card.address.number: DOM0 for card in hardware.cards}
        self._quarantined: set[int] = set()

    def owner(self, device: int) -> int:
        """The domid of the one that has a function; QUARANTINE: nobody."""
        return self._owners[device]

    def check(self, device: int) -> None:
        """See `Control.check_card`."""
        self._require(device)
        if self._owners[device] not in (DOM0, QUARANTINE):
            raise HypervisorError(errno.EINVAL, f"domain {self._owners[device]} has device {device:#x}")

    def assign(self, domid: int, device: int) -> None:
        """See `Control.assign_card`."""
        self.check(device)
        self._owners[device] = domid
        if domid == QUARANTINE:
            self._quarantined.add(device)

    def release(self, domid: int, device: int) -> None:
        """See `Control.release_card`."""
        self._require(device)
        if self._owners[device] != domid:
            raise HypervisorError(errno.ENODEV, f"domain {domid} has not device {device:#x}")
        if domid == QUARANTINE:
            self._quarantined.discard(device)
        self._give_back(device)

    def forget(self, domid: int) -> None:
        """A domain ended."""
        for device, owner in self._owners.items():
            if owner == domid:
                self._give_back(device)

    def _give_back(self, device: int) -> None:
        self._owners[device] = QUARANTINE if device in self._quarantined else DOM0

    def _require(self, device: int) -> None:
        if not self._has_iommu:
            raise HypervisorError(errno.EOPNOTSUPP, "this host has no IOMMU")
        if device not in self._owners:
            raise HypervisorError(errno.ENODEV, f"there is no device {device:#x}")
