"""The guest's device directory: which devices there are, come and go."""

from xend.simulator.guest.frontend import KINDS, Bus, Frontend
from xend.simulator.xenbus import XenbusState, parse_state


class Devices:
    """Its frontends, by kind and devid."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._frontends: dict[tuple[str, str], Frontend] = {}

    def all(self) -> list[Frontend]:
        """Those that are taken on, the oldest first."""
        return list(self._frontends.values())

    async def changed(self, path: str) -> None:
        """Something at or below `device` changed."""
        parts = path.split("/")[1:]
        if len(parts) < 2:
            await self._rescan()
        elif parts[0] in KINDS:
            key = parts[0], parts[1]
            if len(parts) == 2 or (parts[2:] == ["state"] and key not in self._frontends):
                await self._look(key)

    async def backend_changed(self, device: str) -> None:
        """A backend's state changed; device: kind/devid."""
        kind, _, devid = device.partition("/")
        frontend = self._frontends.get((kind, devid))
        if frontend is not None:
            await frontend.backend_changed()

    async def _rescan(self) -> None:
        found = [
            (kind, devid)
            for kind in await self._bus.store.list("device")
            if kind in KINDS
            for devid in await self._bus.store.list(f"device/{kind}")
        ]
        for key in dict.fromkeys([*found, *self._frontends]):
            await self._look(key)

    async def _look(self, key: tuple[str, str]) -> None:
        """One that appeared is taken on, one that is gone forgotten, one that was replaced both."""
        kind, devid = key
        (state,) = await self._bus.store.read_all([f"device/{kind}/{devid}/state"])
        known = self._frontends.get(key)
        is_new = parse_state(state) == XenbusState.INITIALISING and known is not None
        if known is not None and (state is None or (is_new and known.state != XenbusState.INITIALISING)):
            del self._frontends[key]
            await known.forget()
            known = None
        if state is not None and known is None:
            self._frontends[key] = KINDS[kind](self._bus, devid)
            await self._frontends[key].probe()
