"""The backends that a simulated device model serves, as those of qemu behave (guests.md 3)."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from xend.simulator.backend import Backend
from xend.simulator.drivers import SECTOR_BYTES
from xend.simulator.traffic import disk_traffic
from xend.simulator.xenbus import XenbusState

__all__ = ["KINDS", "Unreadable", "kinds_over"]

#: How an image of a format begins, by what stands before its path.
_MAGIC = {"qcow2": b"QFI\xfb", "qcow": b"QFI\xfb", "vhd": b"conectix", "qed": b"QED\0"}
_READ_ONLY = 4


class Unreadable(Exception):
    """An image that cannot be served: qemu says so in its log, and goes on without the disk."""


class Served(Backend):
    """Any of them: it connects as soon as its frontend's ring is there."""

    awaited = ()
    ready_states: Sequence[XenbusState] = (XenbusState.INITIALISED, XenbusState.CONNECTED)
    #: What it says with the connection.
    shows: Mapping[str, str] = {"hotplug-status": "connected"}

    def traffic(self, seconds: float) -> dict[str, int]:
        return {}

    async def connect(self, awaited: Sequence[str | None]) -> None:
        await self.switch(XenbusState.CONNECTED, self.shows)


class Older(Served):
    """One of qemu's older framework: a frontend that was taken away is nothing that it acts on."""

    async def _follow(
        self,
        own: XenbusState,
        other: XenbusState,
        is_there: bool,
        is_online: bool,
        awaited: Sequence[str | None],
    ) -> None:
        if is_there:
            await super()._follow(own, other, is_there, is_online, awaited)


def _offering(**nodes: str) -> Mapping[str, Mapping[str, str]]:
    """The same for both systems: a device model is the same program there."""
    offered = {name.replace("_", "-"): value for name, value in nodes.items()}
    return {"linux": offered, "netbsd": offered}


class QDisk(Served):
    """A disk whose image qemu reads."""

    offers = _offering(
        feature_flush_cache="1", feature_discard="1", discard_granularity="512", discard_alignment="0"
    )

    def traffic(self, seconds: float) -> dict[str, int]:
        return disk_traffic(seconds)

    def opened(self, path: str) -> int:
        """A descriptor of an image, which the caller closes.  Raises: OSError."""
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    async def _offer(self) -> None:
        params, mode = await self.store.read_all([f"{self.path}/{name}" for name in ("params", "mode")])
        self.shows = {
            "sectors": str(_sectors(params or "", self.opened)),
            "sector-size": str(SECTOR_BYTES),
            "info": "0" if (mode or "").startswith("w") else str(_READ_ONLY),
            "hotplug-status": "connected",
        }
        await super()._offer()


class Framebuffer(Older):
    """vfb."""

    offers = _offering(feature_resize="1")


class Keyboard(Older):
    """vkbd."""

    offers = _offering(feature_abs_pointer="1", feature_raw_pointer="1")


class Shared(Served):
    """9pfs."""

    offers = _offering(versions="1", max_rings="8", max_ring_page_order="9")


class Channel(Older):
    """A console besides the first."""

    offers = _offering()


class Usb(Served):
    """qusb: a controller of USB."""

    ready_states: Sequence[XenbusState] = (XenbusState.CONNECTED,)
    offers = _offering()


#: By what the store calls them.
KINDS: Mapping[str, type[Backend]] = {
    "qdisk": QDisk,
    "vfb": Framebuffer,
    "vkbd": Keyboard,
    "9pfs": Shared,
    "console": Channel,
    "qusb": Usb,
}


class Files(Protocol):
    """What is to be opened."""

    def opened(self, path: str) -> int:
        """A descriptor of an image, which the caller closes.  Raises: OSError."""

    def closed(self, path: str) -> None:
        """An image is in nobody's use any more."""


def kinds_over(files: Files) -> Mapping[str, type[Backend]]:
    """The same, where images are opened so."""

    class OpenedSo(QDisk):
        image = ""

        def opened(self, path: str) -> int:
            self.image = path
            return files.opened(path)

        async def _offer(self) -> None:
            try:
                await super()._offer()
            except Unreadable:
                files.closed(self.image)
                raise

        async def _forget(self) -> None:
            files.closed(self.image)
            await super()._forget()

    return {**KINDS, "qdisk": OpenedSo}


def _sectors(params: str, opened: Callable[[str], int]) -> int:
    """The size of an image.

    Raises:
        Unreadable: it is not there, or of another format.
    """
    protocol, _, path = params.partition(":")
    try:
        with open(opened(path), "rb") as file:
            begin = os.pread(file.fileno(), 8, 0)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise Unreadable(f"Could not open '{path}': {error.strerror}") from error
    if not begin.startswith(_MAGIC.get(protocol, b"")):
        raise Unreadable(f"Image is not in {protocol} format")
    return size // SECTOR_BYTES
