"""pciback, dom0's driver that hands PCI functions to guests, as Linux's and NetBSD's kernels have it.

Linux: functions come and go while both ends are Reconfiguring (7), until the driver says Reconfigured (8), or
while the backend is Initialised (3), as that of a guest without a driver for it stays (xen-pciback,
xenbus.c).  NetBSD reads the functions once, as it probes the device, and panics where the guest's end is
Closed while it has the device (pciback.c 1.18; guests.md 5.6).
"""

from collections.abc import Mapping, Sequence

from xend.simulator.backend import Backend
from xend.simulator.xenbus import XenbusState, parse_state

#: The slots of the bus that Linux's driver makes up for its guest.
_SLOTS = 32


class Panic(Exception):
    """dom0's kernel goes down."""


class PciBack(Backend):
    """pciif.h."""

    awaited = ()
    ready_states = (XenbusState.INITIALISED,)
    waiting_states = (XenbusState.INIT_WAIT, XenbusState.INITIALISED)
    offers: Mapping[str, Mapping[str, str]] = {"linux": {}, "netbsd": {}}

    async def _offer(self) -> None:
        await super()._offer()
        places = range(await self._count())
        groups = await self.store.read_all([f"{self.path}/dev-{place}" for place in places])
        if None in groups or not groups or "error" in self._faults:
            await self.fail(self._faults.get("error") or "it cannot read which functions these are")
            return
        if self.flavour == "netbsd":
            buses = sorted({(dev or "").rpartition(":")[0] for dev in groups})
            nodes = {f"root-{number}": bus for number, bus in enumerate(buses)}
            nodes["root_num"] = str(len(buses))
        else:
            nodes = {"root-0": "0000:00", "root_num": "1"}
            for place in places:
                nodes |= self._exported(place)
        await self.switch(XenbusState.INITIALISED, nodes)

    async def _count(self) -> int:
        (count,) = await self.store.read_all([f"{self.path}/num_devs"])
        return int(count) if count and count.isdigit() and len(count) < 4 else 0

    def _exported(self, place: int) -> dict[str, str]:
        initialised = str(int(XenbusState.INITIALISED))
        return {f"vdev-{place}": f"0000:00:{place % _SLOTS:02x}.00", f"state-{place}": initialised}

    def traffic(self, seconds: float) -> dict[str, int]:
        return {}  # it counts nothing

    async def connect(self, awaited: Sequence[str | None]) -> None:
        await self.switch(XenbusState.CONNECTED)

    async def _follow(
        self,
        own: XenbusState,
        other: XenbusState,
        is_there: bool,
        is_online: bool,
        awaited: Sequence[str | None],
    ) -> None:
        if self.flavour == "netbsd":
            if is_there and other == XenbusState.CLOSED:
                raise Panic("pciback_xenbus_frontend_changed: closed")
            if own == XenbusState.RECONFIGURING:
                return  # it knows nothing of that
        elif own == XenbusState.RECONFIGURING:
            if other == XenbusState.RECONFIGURING and "never-reconfigure" not in self._faults:
                await self.switch(XenbusState.RECONFIGURED, await self._changed())
            return
        elif own == other == XenbusState.INITIALISED:
            pass  # the guest's driver has just begun
        elif own == XenbusState.INITIALISED and is_there and "never-reconfigure" not in self._faults:
            if nodes := await self._changed():
                await self.switch(XenbusState.INITIALISED, nodes)
        elif own == XenbusState.RECONFIGURED:
            if other == XenbusState.CONNECTED:
                await self.switch(XenbusState.CONNECTED)
            return
        await super()._follow(own, other, is_there, is_online, awaited)

    async def _changed(self) -> dict[str, str]:
        """What it says of functions that come and go."""
        nodes: dict[str, str] = {}
        places = range(await self._count())
        states = await self.store.read_all([f"{self.path}/state-{place}" for place in places])
        for place, state in zip(places, map(parse_state, states), strict=True):
            if state == XenbusState.INITIALISING:
                nodes |= self._exported(place)
            elif state == XenbusState.CLOSING:
                nodes[f"state-{place}"] = str(int(XenbusState.CLOSED))
        return nodes
