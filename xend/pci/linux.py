"""PCI functions of a Linux dom0: sysfs, and its driver xen-pciback (guests.md 5.2).

Sources: Documentation/ABI/testing/sysfs-bus-pci, sysfs-driver-pciback; libxl_pci.c for the order of writes.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import trio

from xend.errors import XendError
from xend.hypervisor import HostAccess
from xend.pci.address import Address
from xend.pci.cards import PAGE_SIZE, Cards, told
from xend.sysfs import DRIVER_NAME, write_in_time

__all__ = ["LinuxCards"]

SYSFS = Path("/sys/bus/pci")
#: The name of the driver of what is for guests.
PCIBACK = "pciback"
#: Of the lines of `resource`: six ranges and the ROM.
_RANGES = 7
_IS_PORTS = 1
#: What the interrupt line is where there is none.
_NO_IRQS = (0, 255)


class LinuxCards(Cards):
    """Args:
    top: where sysfs shows the PCI bus.
    write: writes to one of its files; None: as usual, in a thread, since the kernel may take its time.
    """

    has_hotplug = True
    how_chosen = "xl pci-assignable-add BDF takes it from dom0's driver, as seize=1 in its item does"

    def __init__(self, top: Path = SYSFS, write: Callable[[Path, str], object] | None = None) -> None:
        self._devices = top / "devices"
        self._drivers = top / "drivers"
        self._pciback = self._drivers / PCIBACK
        self._write_at_once = write

    def _backends_directory(self) -> Path:
        return self._pciback

    def _without_backend(self, directory: Path, error: OSError) -> XendError:
        return XendError(
            "unsupported",
            f"dom0's kernel has no driver xen-pciback: {directory} is not there",
            cause=error.strerror,
            hint="modprobe xen-pciback",
        )

    def functions(self, slot: Address) -> Sequence[Address]:
        places = [Address(slot.segment, slot.bus, slot.device, function) for function in range(8)]
        return [each for each in places if self._device(each).is_dir()]

    def driver(self, address: Address) -> str | None:
        driver = self._driver_of(address)
        return None if driver is None else driver.name

    def _driver_of(self, address: Address) -> Path | None:
        try:
            return self._drivers / os.path.basename(os.readlink(self._device(address) / "driver"))
        except OSError:
            return None

    def resources(self, address: Address) -> HostAccess:
        with told(address, "read what belongs to it"):
            lines = (self._device(address) / "resource").read_text().splitlines()[:_RANGES]
            irq = self._irq(address)
            ranges = [tuple(int(word, 16) for word in line.split()) for line in lines]
        ports = [(first, last - first + 1) for first, last, flags in ranges if first and flags & _IS_PORTS]
        memory = [_frames(first, last) for first, last, flags in ranges if first and not flags & _IS_PORTS]
        return HostAccess(memory=memory, ports=ports, irqs=() if irq in _NO_IRQS else (irq,))

    def sharers(self, address: Address, irq: int) -> Sequence[str]:
        found = []
        for other in sorted(filter(None, map(Address.parse, os.listdir(self._devices)))):
            driver = self.driver(other)
            with suppress(OSError, ValueError):  # it has just been pulled out
                if other != address and driver not in (None, PCIBACK) and self._irq(other) == irq:
                    found += [] if self._interrupts_by_messages(other) else [f"{other} ({driver})"]
        return found

    def _irq(self, address: Address) -> int:
        return int((self._device(address) / "irq").read_text())

    def _interrupts_by_messages(self, address: Address) -> bool:
        """Whether its driver uses MSI or MSI-X."""
        messages = self._device(address) / "msi_irqs"
        return messages.is_dir() and bool(os.listdir(messages))

    def can_reset(self, address: Address) -> bool:
        return (self._device(address) / "reset").exists() or (self._pciback / "do_flr").exists()

    async def reset(self, address: Address) -> None:
        with told(address, "reset it"):
            if (self._pciback / "do_flr").exists():
                await self._write(self._pciback / "do_flr", str(address))
            else:
                await self._write(self._device(address) / "reset", "1")

    async def set_permissive(self, address: Address) -> None:
        with told(address, "let its guest write to all of its configuration space"):
            await self._write(self._pciback / "permissive", str(address))

    async def take_from_driver(self, address: Address) -> Path | None:
        driver = self._driver_of(address)
        if driver is not None:
            with told(address, f"take it from dom0's driver {driver.name}"):
                await self._write(driver / "unbind", str(address))
        return driver

    async def make_assignable(self, address: Address) -> None:
        with told(address, "give it to pciback"):
            if str(address) not in (self._pciback / "slots").read_text().split():
                await self._write(self._pciback / "new_slot", str(address))
            await self._write(self._pciback / "bind", str(address))

    async def make_unassignable(self, address: Address) -> None:
        with told(address, "take it from pciback"):
            if (self._pciback / str(address)).exists():
                await self._write(self._pciback / "unbind", str(address))
            if str(address) in (self._pciback / "slots").read_text().split():
                await self._write(self._pciback / "remove_slot", str(address))

    def check_driver(self, driver: str) -> Path:
        path = Path(driver)
        found = self._drivers / path.name
        is_one = DRIVER_NAME.fullmatch(path.name) and found != self._pciback and not found.is_symlink()
        is_named = os.path.realpath(driver) == os.path.realpath(found)
        if not is_one or ".." in path.parts or not is_named or not (found / "bind").exists():
            raise XendError(
                "device_failed",
                f"{driver!r} is no driver of dom0's kernel below {self._drivers}, as the store says",
                hint="nothing was written there; modprobe the driver, or bind the device by hand",
            )
        return found

    async def give_to_driver(self, address: Address, driver: Path) -> None:
        with told(address, f"give it to dom0's driver {driver.name}"):
            await self._write(driver / "bind", str(address))

    def _device(self, address: Address) -> Path:
        return self._devices / str(address)

    async def _write(self, path: Path, text: str) -> None:
        if self._write_at_once is not None:
            await trio.lowlevel.checkpoint()
            self._write_at_once(path, text)
            return
        await write_in_time(path, text)


def _frames(first: int, last: int) -> tuple[int, int, int]:
    """The frames that hold some bytes, as HostAccess has memory; the guest chooses where it sees them."""
    frame = first // PAGE_SIZE
    return frame, last // PAGE_SIZE - frame + 1, frame
