"""What dom0's kernel knows of the host's PCI functions, and what it can do with them."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from xend.errors import XendError
from xend.hypervisor import HostAccess
from xend.pci.address import Address

__all__ = ["PAGE_SIZE", "Cards", "told"]

PAGE_SIZE = 4096


class Cards(ABC):
    """The host's functions.  What cannot be done raises XendError: device_failed, or unsupported: this kernel
    cannot do that at all.

    Attributes:
        has_hotplug: functions come and go while dom0 runs: made assignable, put into domains and taken out.
        how_chosen: how a function is made assignable, for people.
    """

    has_hotplug: bool
    how_chosen: str

    def assignable(self) -> Sequence[Address]:
        """Those that may be given to domains, rising: the backend's driver has them.

        Raises:
            XendError: unsupported: there is no such driver.
        """
        directory = self._backends_directory()
        try:
            names = os.listdir(directory)
        except OSError as error:
            raise self._without_backend(directory, error) from error
        return sorted(address for name in names if (address := Address.parse(name)) is not None)

    @abstractmethod
    def _backends_directory(self) -> Path:
        """Where the kernel has a file for each that the backend's driver has, called by its address."""

    @abstractmethod
    def _without_backend(self, directory: Path, error: OSError) -> XendError:
        """What is said where that is not to be read."""

    @abstractmethod
    def functions(self, slot: Address) -> Sequence[Address]:
        """All functions of the device that this is one of, rising; none: there is no such device."""

    @abstractmethod
    def driver(self, address: Address) -> str | None:
        """The name of dom0's driver that has it; None: none has, or nobody says which."""

    @abstractmethod
    def resources(self, address: Address) -> HostAccess:
        """Its I/O ports, the frames of its memory, and its interrupt line."""

    @abstractmethod
    def sharers(self, address: Address, irq: int) -> Sequence[str]:
        """The devices that dom0 itself uses by the same interrupt line, each with its driver, as far as the
        kernel says; those that interrupt by messages have no part in it."""

    @abstractmethod
    def can_reset(self, address: Address) -> bool:
        """Whether the kernel has a way to reset it."""

    @abstractmethod
    async def reset(self, address: Address) -> None:
        """Put it into the state that it has after power-on."""

    @abstractmethod
    async def set_permissive(self, address: Address) -> None:
        """Let the guest that has it write to all of its configuration space."""

    @abstractmethod
    async def take_from_driver(self, address: Address) -> Path | None:
        """Take it from dom0's driver; returns what `give_to_driver` takes to undo that, None: none had it."""

    @abstractmethod
    async def make_assignable(self, address: Address) -> None:
        """Give a function that no driver has to the backend's driver."""

    @abstractmethod
    async def make_unassignable(self, address: Address) -> None:
        """Take it from the backend's driver; nothing happens if that has it not."""

    @abstractmethod
    def check_driver(self, driver: str) -> Path:
        """The place of a driver of dom0's, from what was noted of it.

        Whoever wrote the note may be lying: nothing outside of the kernel's drivers is ever returned.

        Raises:
            XendError: device_failed: it is no such place.
        """

    @abstractmethod
    async def give_to_driver(self, address: Address, driver: Path) -> None:
        """Give it to the driver at a place that `check_driver` or `take_from_driver` returned."""


@contextmanager
def told(address: Address, doing: str) -> Iterator[None]:
    """Turns what the kernel refuses into XendError (device_failed); doing: "reset it"."""
    try:
        yield
    except FileNotFoundError as error:
        raise XendError(
            "device_failed",
            f"PCI device {address}: cannot {doing}: it is gone, or the kernel has no such file",
            device=str(address),
            cause=f"{error.filename}: {error.strerror}",
            hint="was it pulled out? lspci shows what is there",
        ) from error
    except (OSError, ValueError) as error:
        where = getattr(error, "filename", None)
        words = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise XendError(
            "device_failed",
            f"PCI device {address}: cannot {doing}",
            device=str(address),
            cause=words if where is None else f"{where}: {words}",
            hint="dmesg may say more",
        ) from error
