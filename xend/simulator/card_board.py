"""What dom0's kernel of a simulated host shows of its PCI functions, as files: sysfs, or NetBSD's kernfs.

The files lie in the host's directory.  Whoever writes to one calls `write`, which does what the kernel would
do; so the host's process has no part in it.  Sources: Linux, drivers/pci/pci-sysfs.c, xen-pciback's
pci_stub.c; NetBSD, sys/arch/xen/xen/pciback.c.
"""

import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from xend.pci.address import Address
from xend.simulator.card import Card

__all__ = ["CardBoard"]

PCIBACK = "pciback"
#: Bits of a line of `resource`: a port, memory (include/linux/ioport.h).
_PORTS, _MEMORY = 0x40101, 0x40200
_LINES = 13
#: What the simulator keeps beside what a kernel shows.
_GSI, _RESET, _RESETS = ".gsi", ".reset", ".resets"


class CardBoard:
    """The files below a host's directory.

    Attributes:
        sysfs, kernfs: /sys/bus/pci, and /kern/xen/pci.
    """

    def __init__(self, directory: str | os.PathLike[str], flavour: str) -> None:
        self._directory = Path(directory)
        self.sysfs = self._directory / "sys/bus/pci"
        self.kernfs = self._directory / "kern/xen/pci"
        self._is_linux = flavour == "linux"

    def furnish(self, cards: Iterable[Card]) -> None:
        """Make the files anew, as they are after boot."""
        tops = (self._directory / "sys", self._directory / "kern")
        for top in tops:
            shutil.rmtree(top, ignore_errors=True)
        if self._is_linux:
            self._furnish_sysfs(cards)
        else:
            self._furnish_kernfs(cards)
        for path in [path for top in tops for path in (top, *top.rglob("*")) if path.exists()]:
            if not path.is_symlink():
                path.chmod(0o700 if path.is_dir() else 0o600)

    def _furnish_kernfs(self, cards: Iterable[Card]) -> None:
        self.kernfs.mkdir(parents=True)
        for card in cards:
            lines = [f"I/O: 0x{first:08x} - 0x{first + size:08x}" for first, size in card.ports]
            lines += [f"mem: 0x{first:08x} - 0x{first + size:08x}" for first, size in card.memory]
            (self.kernfs / str(card.address)).write_text("\n".join([*lines, f"irq: {card.irq}", ""]))

    def _furnish_sysfs(self, cards: Iterable[Card]) -> None:
        driver = self._driver(PCIBACK)
        for name in ("new_slot", "remove_slot", "slots", "permissive"):
            (driver / name).write_text("")
        for card in cards:
            place = self.sysfs / "devices" / str(card.address)
            place.mkdir(parents=True)
            ranges = [(first, size, _PORTS) for first, size in card.ports]
            ranges += [(first, size, _MEMORY) for first, size in card.memory]
            lines = [f"0x{at:016x} 0x{at + size - 1:016x} 0x{flags:016x}" for at, size, flags in ranges]
            lines += [f"0x{0:016x} 0x{0:016x} 0x{0:016x}"] * (_LINES - len(lines))
            (place / "resource").write_text("\n".join([*lines, ""]))
            (place / "irq").write_text(f"{card.bios_irq}\n")
            (place / _GSI).write_text(f"{card.irq}\n")
            (place / _RESET).write_text(card.reset)
            if card.reset != "none":
                (place / "reset").write_text("")
            if card.driver:
                self._driver(card.driver)
                self._bind(card.driver, str(card.address))

    def _driver(self, name: str) -> Path:
        driver = self.sysfs / "drivers" / name
        driver.mkdir(parents=True, exist_ok=True)
        for file in ("bind", "unbind"):
            (driver / file).touch()
        return driver

    def vanish(self, address: Address) -> None:
        """A function is pulled out of the host."""
        name = str(address)
        for link in (self.sysfs / "drivers").glob(f"*/{name}"):
            link.unlink()
        shutil.rmtree(self.sysfs / "devices" / name, ignore_errors=True)
        (self.kernfs / name).unlink(missing_ok=True)

    def break_reset(self, address: Address) -> None:
        """From now on it cannot be reset, though the kernel has a way."""
        (self.sysfs / "devices" / str(address) / _RESET).write_text("fails")

    def resets(self, address: Address) -> int:
        """How often it was reset."""
        try:
            return len((self.sysfs / "devices" / str(address) / _RESETS).read_text())
        except OSError:
            return 0

    def write(self, path: Path, text: str) -> None:
        """Write to one of the files.

        Raises:
            OSError: as the kernel refuses it.
        """
        where, name = path.parent, text.strip()
        if not path.exists() or not path.is_relative_to(self.sysfs):
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))
        if path.name == "reset":
            self._reset(where)
        elif path.name == "unbind":
            self._unbind(where, name)
        elif path.name == "bind":
            self._check_bind(where, name)
            self._bind(where.name, name)
        else:
            self._tell_pciback(path, name)

    def _reset(self, place: Path) -> None:
        if (place / _RESET).read_text() != "works":
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY), os.fspath(place / "reset"))
        with open(place / _RESETS, "a") as file:
            file.write("x")

    def _unbind(self, driver: Path, name: str) -> None:
        if not (driver / name).is_symlink():
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), os.fspath(driver / "unbind"))
        (driver / name).unlink()
        (self.sysfs / "devices" / name / "driver").unlink()

    def _check_bind(self, driver: Path, name: str) -> None:
        place = self.sysfs / "devices" / name
        is_chosen = driver.name != PCIBACK or name in (driver / "slots").read_text().split()
        if not place.is_dir() or (place / "driver").is_symlink() or not is_chosen:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), os.fspath(driver / "bind"))

    def _bind(self, driver: str, name: str) -> None:
        place = self.sysfs / "devices" / name
        (self.sysfs / "drivers" / driver / name).symlink_to(f"../../devices/{name}")
        (place / "driver").symlink_to(f"../../drivers/{driver}")
        (place / "irq").write_text((place / _GSI).read_text())

    def _tell_pciback(self, path: Path, name: str) -> None:
        slots = path.parent / "slots"
        known = slots.read_text().split()
        if path.name == "new_slot":
            slots.write_text("".join(f"{each}\n" for each in [*known, name]))
        elif name not in known:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), os.fspath(path))
        elif path.name == "remove_slot":
            slots.write_text("".join(f"{each}\n" for each in known if each != name))
        else:
            with open(path, "a") as file:
                file.write(f"{name}\n")
