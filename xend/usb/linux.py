"""USB devices of a Linux dom0: sysfs, and the driver usbback that hands them to guests (libxl_usb.c).

A device is known by its ports ("1-2.3": bus 1, port 2, port 3 of the hub there), its interfaces by that and
their numbers ("1-2.3:1.0").  No path of the store is written to unchecked: only names are taken
from there.
"""

import os
import re
from collections.abc import Mapping, Sequence

import attrs

from xend.errors import XendError
from xend.sysfs import DRIVER_NAME, WriteSysfs, write_in_time

__all__ = ["HostDevice", "UsbHost", "is_busid", "node_name"]

_BUSID = re.compile(r"[0-9]{1,3}-[0-9]{1,3}(\.[0-9]{1,3}){0,6}", re.ASCII)
_USBBACK = "usbback"
_HUB_CLASS = 9


def is_busid(text: str) -> bool:
    """Whether a text is a device's name."""
    return _BUSID.fullmatch(text) is not None


def node_name(name: str) -> str:
    """A device's or an interface's name as a node of the store may be called."""
    return name.replace(".", "_").replace(":", "@")


@attrs.frozen
class HostDevice:
    """A device: its name, and whether it is a hub, which nobody may have."""

    busid: str
    is_hub: bool


class UsbHost:
    """Args:
    top: where sysfs shows USB.
    write: writes to one of its files.
    """

    def __init__(self, top: str, write: WriteSysfs = write_in_time) -> None:
        self._write = write
        self._devices = f"{top}/devices"
        self._drivers = f"{top}/drivers"

    def find(self, bus: int, address: int) -> HostDevice | None:
        """The device at an address; None: there is none."""
        try:
            names = os.listdir(self._devices)
        except OSError as error:
            raise XendError(
                "unsupported",
                f"this host shows no USB devices: {self._devices} is not there",
                cause=error.strerror,
                hint="only a Linux dom0 with USB has it",
            ) from error
        for name in filter(is_busid, names):
            if (self._number(name, "busnum"), self._number(name, "devnum")) == (bus, address):
                return HostDevice(name, self._number(name, "bDeviceClass", 16) == _HUB_CLASS)
        return None

    def address(self, busid: str) -> tuple[int, int] | None:
        """The bus and the address of a device; None: it is gone."""
        bus, address = self._number(busid, "busnum"), self._number(busid, "devnum")
        return None if bus is None or address is None else (bus, address)

    async def hand_over(self, busid: str) -> Mapping[str, str]:
        """Have usbback drive all interfaces of a device; returns which drivers had them, by interface.

        Raises:
            OSError: the kernel refuses.
        """
        had = {}
        for interface in self._interfaces(busid):
            driver = self._driver(interface)
            if driver == _USBBACK:
                continue
            if driver is not None:
                had[interface] = driver
                await self._write(f"{self._drivers}/{driver}/unbind", interface)
            await self._write(f"{self._drivers}/{_USBBACK}/bind", interface)
        return had

    async def take_back(self, busid: str, drivers: Mapping[str, str]) -> None:
        """Take a device's interfaces from usbback, and give them to these drivers, by interface.

        Raises:
            OSError: the kernel refuses.
        """
        interfaces = self._interfaces(busid)
        for interface in interfaces:
            if self._driver(interface) == _USBBACK:
                await self._write(f"{self._drivers}/{_USBBACK}/unbind", interface)
        for interface in interfaces:
            driver = drivers.get(interface)
            if driver is not None and DRIVER_NAME.fullmatch(driver) and self._driver(interface) is None:
                await self._write(f"{self._drivers}/{driver}/bind", interface)

    def path_of_driver(self, driver: str) -> str:
        """As libxl writes it down."""
        return f"{self._drivers}/{driver}"

    def driver_of_path(self, path: str) -> str | None:
        """The driver that such a path means; None: it is no such path."""
        driver = path.removeprefix(f"{self._drivers}/")
        return driver if path.startswith(f"{self._drivers}/") and DRIVER_NAME.fullmatch(driver) else None

    def interfaces(self, busid: str) -> Sequence[str]:
        """Those of a device; none where it is gone."""
        try:
            return self._interfaces(busid)
        except OSError:
            return ()

    def _interfaces(self, busid: str) -> list[str]:
        return sorted(name for name in os.listdir(self._devices) if name.startswith(f"{busid}:"))

    def _driver(self, interface: str) -> str | None:
        try:
            return os.path.basename(os.readlink(f"{self._devices}/{interface}/driver"))
        except OSError:
            return None

    def _number(self, name: str, file: str, base: int = 10) -> int | None:
        try:
            with open(f"{self._devices}/{name}/{file}") as found:
                return int(found.read(16), base)
        except (OSError, ValueError):
            return None
