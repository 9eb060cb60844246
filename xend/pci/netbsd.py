"""PCI functions of a NetBSD dom0: those that were hidden at boot for its driver pciback (guests.md 5.6).

Each has a file in the kernel's file system with its ranges and its interrupt line.  Nothing of them changes
while dom0 runs.  Source: pciback(4), sys/arch/xen/xen/pciback.c.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import trio

from xend.errors import XendError
from xend.hypervisor import HostAccess
from xend.pci.address import Address
from xend.pci.cards import PAGE_SIZE, Cards, told

__all__ = ["NetbsdCards"]

KERNFS = Path("/kern/xen/pci")
#: The end is the first byte behind.
_RANGE = re.compile(r"(I/O|mem): 0x([0-9a-f]{1,16}) - 0x([0-9a-f]{1,16})", re.ASCII)
_IRQ = re.compile(r"irq: ([0-9]{1,5})", re.ASCII)
_NO_IRQS = (0, 255)
_MAX_BYTES = 4096


class NetbsdCards(Cards):
    """top: where the kernel shows them."""

    has_hotplug = False
    how_chosen = "pciback.hide=(bb:dd.f) among the arguments of dom0's kernel, in /boot.cfg, hides it at boot"

    def __init__(self, top: Path = KERNFS) -> None:
        self._top = top

    def _backends_directory(self) -> Path:
        return self._top

    def _without_backend(self, directory: Path, error: OSError) -> XendError:
        return XendError(
            "unsupported",
            f"dom0's kernel has hidden no PCI device for guests: {directory} is not there",
            cause=error.strerror,
            hint=f"{self.how_chosen}; /kern has to be mounted",
        )

    def functions(self, slot: Address) -> Sequence[Address]:
        """Those that are hidden: of the others nothing is known here."""
        try:
            found = self.assignable()
        except XendError:
            return []
        return [each for each in found if each.slot == slot.slot]

    def driver(self, address: Address) -> str | None:
        return None

    def resources(self, address: Address) -> HostAccess:
        with told(address, "read what belongs to it"), open(self._top / str(address)) as file:
            text = file.read(_MAX_BYTES)
        ports, memory = [], []
        for match in _RANGE.finditer(text):
            first, end = int(match[2], 16), int(match[3], 16)
            if not first or end <= first:
                continue
            if match[1] == "I/O":
                ports.append((first, end - first))
            else:
                frame = first // PAGE_SIZE
                memory.append((frame, (end - 1) // PAGE_SIZE - frame + 1, frame))
        irqs = [int(match[1]) for match in _IRQ.finditer(text)]
        return HostAccess(
            memory=memory, ports=ports, irqs=tuple(irq for irq in irqs[:1] if irq not in _NO_IRQS)
        )

    def sharers(self, address: Address, irq: int) -> Sequence[str]:
        return ()  # kernfs has only what is for guests

    def can_reset(self, address: Address) -> bool:
        return False

    async def reset(self, address: Address) -> None:
        raise self._cannot(address, "reset it")

    async def set_permissive(self, address: Address) -> None:
        """It is so always: the driver passes every write on."""
        await trio.lowlevel.checkpoint()

    async def take_from_driver(self, address: Address) -> Path | None:
        raise self._cannot(address, "take it from its driver")

    async def make_assignable(self, address: Address) -> None:
        raise self._cannot(address, "make it assignable")

    async def make_unassignable(self, address: Address) -> None:
        raise self._cannot(address, "take it from pciback")

    def check_driver(self, driver: str) -> Path:
        raise XendError("unsupported", "NetBSD's pciback gives no device back while dom0 runs")

    async def give_to_driver(self, address: Address, driver: Path) -> None:
        raise self._cannot(address, "give it to a driver")

    def _cannot(self, address: Address, doing: str) -> XendError:
        return XendError(
            "unsupported",
            f"PCI device {address}: cannot {doing}: NetBSD's kernel has no way to do that while it runs",
            device=str(address),
            hint=self.how_chosen,
        )
