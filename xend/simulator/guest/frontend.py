"""Frontends: the guest's side of the XenbusState machine (xen/include/public/io/xenbus.h)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from random import Random

import attrs

from xend.simulator.store_client import StoreClient
from xend.simulator.xenbus import XenbusState, parse_state

#: What a guest writes that jumps states.
WILD_STATES = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "-1", "4294967296", "connected", "")


@attrs.frozen
class Bus:
    """What frontends need of their kernel.

    Attributes:
        next_grant, next_port: a number that no other grant, or port, of this guest has.
        is_wild: the states that are written mean nothing.
    """

    store: StoreClient
    say: Callable[[str], None]
    next_grant: Callable[[], int]
    next_port: Callable[[], int]
    random: Random
    is_wild: bool


class Frontend(ABC):
    """One device.  What it does depends on the states as they are, not on how they became so."""

    kind: str

    def __init__(self, bus: Bus, devid: str) -> None:
        self.bus = bus
        self.devid = devid
        self.path = f"device/{self.kind}/{devid}"
        self.name = f"{self.kind} {devid}"
        self.token = f"backend {self.kind}/{devid}"
        self.state = XenbusState.INITIALISING
        self.backend = ""

    async def probe(self) -> None:
        """Take the device on: nothing happens if it names no backend."""
        (backend,) = await self.bus.store.read_all([f"{self.path}/backend"])
        if not backend:
            self.bus.say(f"{self.name}: names no backend")
            return
        self.backend = backend
        self.bus.say(f"{self.name}: at {backend}")
        await self.bus.store.watch(f"{backend}/state", self.token)

    async def forget(self) -> None:
        """The device was removed."""
        if self.backend:
            await self.bus.store.unwatch(f"{self.backend}/state", self.token)

    async def backend_changed(self) -> None:
        """The backend's state may have changed."""
        if self.bus.is_wild:
            await self._jump()
            return
        (text,) = await self.bus.store.read_all([f"{self.backend}/state"])
        match parse_state(text):
            case XenbusState.INIT_WAIT:
                await self._backend_waits()
            case XenbusState.CONNECTED if self.state == XenbusState.INITIALISED:
                await self._backend_connected()
            case XenbusState.CLOSING | XenbusState.CLOSED if self.state != XenbusState.CLOSED:
                await self.switch(XenbusState.CLOSED)
                self.bus.say(f"{self.name}: closed")

    async def switch(self, state: XenbusState) -> None:
        """Go to a state, and show it."""
        self.state = state
        await self.bus.store.write(f"{self.path}/state", str(int(state)))

    async def _backend_waits(self) -> None:
        if self.state in (XenbusState.CLOSING, XenbusState.INITIALISED):
            return
        if self.state != XenbusState.INITIALISING:
            await self.switch(XenbusState.INITIALISING)
        nodes = await self.ring_nodes()
        self.state = self.ready_state
        where = {f"{self.path}/{name}": value for name, value in nodes.items()}
        await self.bus.store.write_all({**where, f"{self.path}/state": str(int(self.state))})
        if self.state == XenbusState.CONNECTED:
            self.bus.say(f"{self.name}: connected")

    async def _backend_connected(self) -> None:
        await self.switch(XenbusState.CONNECTED)
        self.bus.say(f"{self.name}: {await self.describe()}")

    async def _jump(self) -> None:
        state = self.bus.random.choice(WILD_STATES)
        await self.bus.store.write(f"{self.path}/state", state)

    #: The state that shows that the rings are there.
    ready_state: XenbusState

    @abstractmethod
    async def ring_nodes(self) -> Mapping[str, str]:
        """What the backend is told of the rings, by name below the device's directory."""

    @abstractmethod
    async def describe(self) -> str:
        """What the kernel says of a device that was connected by its backend."""


class NetFront(Frontend):
    """netif.h: two rings, and a channel for each where the backend can."""

    kind = "vif"
    ready_state = XenbusState.CONNECTED

    async def ring_nodes(self) -> Mapping[str, str]:
        (split,) = await self.bus.store.read_all([f"{self.backend}/feature-split-event-channels"])
        channels = ("event-channel-tx", "event-channel-rx") if split == "1" else ("event-channel",)
        return {
            "tx-ring-ref": str(self.bus.next_grant()),
            "rx-ring-ref": str(self.bus.next_grant()),
            **{name: str(self.bus.next_port()) for name in channels},
            "request-rx-copy": "1",
            "feature-rx-notify": "1",
            "feature-sg": "1",
            "feature-gso-tcpv4": "1",
            "feature-gso-tcpv6": "1",
            "feature-ipv6-csum-offload": "1",
        }

    async def describe(self) -> str:
        return "connected"


class BlkFront(Frontend):
    """blkif.h: one ring; what the disk is like comes with the backend's Connected."""

    kind = "vbd"
    ready_state = XenbusState.INITIALISED

    async def ring_nodes(self) -> Mapping[str, str]:
        return {
            "ring-ref": str(self.bus.next_grant()),
            "event-channel": str(self.bus.next_port()),
            "protocol": "x86_64-abi",
            "feature-persistent": "1",
        }

    async def describe(self) -> str:
        sectors, size = await self.bus.store.read_all(
            [f"{self.backend}/sectors", f"{self.backend}/sector-size"]
        )
        return f"{sectors} sectors of {size} bytes"


class PciFront(Frontend):
    """pciif.h: one page and one channel for all functions; the backend goes first."""

    kind = "pci"
    ready_state = XenbusState.INITIALISED

    async def probe(self) -> None:
        """Kernels of whole machines have no driver for it: they find the functions on the machine's bus."""
        (firmware,) = await self.bus.store.read_all(["hvmloader/bios"])
        if firmware is None:
            await super().probe()

    async def backend_changed(self) -> None:
        if self.bus.is_wild:
            await self._jump()
            return
        (text,) = await self.bus.store.read_all([f"{self.backend}/state"])
        match parse_state(text):
            case XenbusState.INIT_WAIT:
                return
            case XenbusState.INITIALISED:
                await self._backend_waits()
            case XenbusState.RECONFIGURING if self.state == XenbusState.CONNECTED:
                await self.switch(XenbusState.RECONFIGURING)
            case XenbusState.RECONFIGURED if self.state == XenbusState.RECONFIGURING:
                await self._backend_connected()
            case _:
                await super().backend_changed()

    async def ring_nodes(self) -> Mapping[str, str]:
        return {
            "pci-op-ref": str(self.bus.next_grant()),
            "event-channel": str(self.bus.next_port()),
            "magic": "7",
        }

    async def describe(self) -> str:
        (count,) = await self.bus.store.read_all([f"{self.backend}/num_devs"])
        return f"{count} functions"


class _OfModel(Frontend):
    """One whose backend is in a device model: one ring, or two, and a channel."""

    ready_state = XenbusState.INITIALISED

    async def describe(self) -> str:
        return "connected"


class FramebufferFront(_OfModel):
    """fbif.h: the page is a raw frame."""

    kind = "vfb"

    async def ring_nodes(self) -> Mapping[str, str]:
        return {
            "page-ref": str(self.bus.next_grant()),
            "event-channel": str(self.bus.next_port()),
            "protocol": "x86_64-abi",
            "feature-update": "1",
        }


class KeyboardFront(_OfModel):
    """kbdif.h."""

    kind = "vkbd"

    async def ring_nodes(self) -> Mapping[str, str]:
        page = str(self.bus.next_grant())
        return {
            "page-ref": page,
            "page-gref": page,
            "event-channel": str(self.bus.next_port()),
            "request-abs-pointer": "1",
        }


class SharedFront(_OfModel):
    """9pfs.h."""

    kind = "9pfs"

    async def ring_nodes(self) -> Mapping[str, str]:
        return {
            "version": "1",
            "num-rings": "1",
            "ring-ref0": str(self.bus.next_grant()),
            "event-channel-0": str(self.bus.next_port()),
        }


class ChannelFront(_OfModel):
    """A console besides the first (console.h)."""

    kind = "console"

    async def ring_nodes(self) -> Mapping[str, str]:
        return {"ring-ref": str(self.bus.next_grant()), "port": str(self.bus.next_port())}


class UsbFront(_OfModel):
    """usbif.h: a ring for what is sent, and one for what comes and goes."""

    kind = "vusb"
    ready_state = XenbusState.CONNECTED

    async def ring_nodes(self) -> Mapping[str, str]:
        return {
            "urb-ring-ref": str(self.bus.next_grant()),
            "conn-ring-ref": str(self.bus.next_grant()),
            "event-channel": str(self.bus.next_port()),
        }


#: The frontends there are, by kind.
KINDS: Mapping[str, type[Frontend]] = {
    each.kind: each
    for each in (
        NetFront,
        BlkFront,
        PciFront,
        FramebufferFront,
        KeyboardFront,
        SharedFront,
        ChannelFront,
        UsbFront,
    )
}
