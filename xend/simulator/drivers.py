"""dom0's backend drivers: what netback and blkback offer, and what they need before they connect."""

import os
import re
import stat
from collections.abc import Mapping, Sequence

from xend.simulator.backend import Backend
from xend.simulator.pciback import PciBack
from xend.simulator.traffic import disk_traffic, interface_traffic
from xend.simulator.xenbus import XenbusState

#: A disk whose file says no size has so many sectors.
DEFAULT_SECTORS = 2 * 1024 * 1024
SECTOR_BYTES = 512
_CDROM, _REMOVABLE, _READ_ONLY = 1, 2, 4

_NETBACK_OFFERS = {
    "linux": {
        "feature-sg": "1",
        "feature-gso-tcpv4": "1",
        "feature-gso-tcpv6": "1",
        "feature-ipv6-csum-offload": "1",
        "feature-rx-copy": "1",
        "feature-xdp-headroom": "1",
        "feature-rx-flip": "0",
        "feature-multicast-control": "1",
        "feature-dynamic-multicast-control": "1",
        "feature-split-event-channels": "1",
        "multi-queue-max-queues": "1",
        "feature-ctrl-ring": "1",
    },
    "netbsd": {"vifname": "xvif{domid}i{devid}", "feature-rx-copy": "1"},
}
_BLKBACK_OFFERS: Mapping[str, Mapping[str, str]] = {
    "linux": {
        "feature-max-indirect-segments": "256",
        "multi-queue-max-queues": "1",
        "max-ring-page-order": "4",
    },
    "netbsd": {},
}
#: What is offered with the connection, beside what the disk is like.
_BLKBACK_FEATURES = {
    "linux": {
        "feature-flush-cache": "1",
        "discard-granularity": "4096",
        "discard-alignment": "0",
        "discard-secure": "0",
        "feature-discard": "1",
        "feature-barrier": "1",
        "feature-persistent": "1",
    },
    "netbsd": {"feature-flush-cache": "1"},
}
#: How a device number looks: hexadecimal major:minor, or one decimal number.
_DEVICE_NUMBERS = {"linux": re.compile("[0-9a-f]+:[0-9a-f]+"), "netbsd": re.compile("[0-9]+")}


class NetBack(Backend):
    """netif.h; the interface's name is the driver's on NetBSD, the toolstack's on Linux."""

    awaited = ("hotplug-status",)
    ready_states = (XenbusState.CONNECTED,)
    offers = _NETBACK_OFFERS

    def traffic(self, seconds: float) -> dict[str, int]:
        return interface_traffic(seconds)

    async def connect(self, awaited: Sequence[str | None]) -> None:
        (status,) = awaited
        if status in (None, "connected"):
            await self.switch(XenbusState.CONNECTED)


class BlkBack(Backend):
    """blkif.h; which device it is comes from the hotplug script, as each system writes numbers."""

    awaited = ("physical-device",)
    ready_states = (XenbusState.INITIALISED, XenbusState.CONNECTED)
    offers = _BLKBACK_OFFERS

    def traffic(self, seconds: float) -> dict[str, int]:
        return disk_traffic(seconds)

    async def connect(self, awaited: Sequence[str | None]) -> None:
        (number,) = awaited
        if number is None:
            return
        if not _DEVICE_NUMBERS[self.flavour].fullmatch(number):
            await self.fail(f"physical-device {number!r} is no device number of {self.flavour}'s")
            return
        await self.switch(XenbusState.CONNECTED, {**_BLKBACK_FEATURES[self.flavour], **await self._disk()})

    async def _disk(self) -> Mapping[str, str]:
        params, mode, type, removable = await self.store.read_all(
            [f"{self.path}/{name}" for name in ("params", "mode", "device-type", "removable")]
        )
        info = 0 if (mode or "").startswith("w") else _READ_ONLY
        info |= _CDROM if type == "cdrom" else 0
        info |= _REMOVABLE if removable == "1" else 0
        disk = {"sectors": str(_sectors(params)), "info": str(info), "sector-size": str(SECTOR_BYTES)}
        return disk | ({"physical-sector-size": str(SECTOR_BYTES)} if self.flavour == "linux" else {})


class UsbBack(Backend):
    """usbif.h; what is in its ports it is told while it is connected."""

    awaited = ()
    ready_states = (XenbusState.CONNECTED,)
    offers: Mapping[str, Mapping[str, str]] = {"linux": {}, "netbsd": {}}

    def traffic(self, seconds: float) -> dict[str, int]:
        return {}  # it counts nothing

    async def connect(self, awaited: Sequence[str | None]) -> None:
        await self.switch(XenbusState.CONNECTED)


#: The backend drivers there are, by kind.
KINDS: Mapping[str, type[Backend]] = {"vif": NetBack, "vbd": BlkBack, "pci": PciBack, "vusb": UsbBack}


def _sectors(params: str | None) -> int:
    """The size of the file that the disk is; of what is no file, a usual one."""
    try:
        status = os.stat(params or "")
    except (OSError, ValueError):
        return DEFAULT_SECTORS
    return status.st_size // SECTOR_BYTES if stat.S_ISREG(status.st_mode) else DEFAULT_SECTORS
