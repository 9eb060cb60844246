"""A driver domain's coordinator, with scripts that always succeed: what xenbackendd does there."""

from collections.abc import Callable

import trio

from xend.simulator.store_client import StoreClient, StoreError
from xend.simulator.xenbus import XenbusState, parse_state
from xenstore.wire import MessageType

_TOKEN = "scripts"
#: The number of the device that a script has attached, as each system writes it.
_DEVICE_NUMBERS = {"linux": "7:0", "netbsd": "3584"}


class Scripts:
    """say: prints a line on the console."""

    def __init__(self, store: StoreClient, flavour: str, say: Callable[[str], None]) -> None:
        self._store = store
        self._number = _DEVICE_NUMBERS[flavour]
        self._say = say

    async def attend(self) -> None:
        """Watch for devices."""
        await self._store.watch("backend", _TOKEN)

    async def handle(self, nursery: trio.Nursery, path: str, token: str) -> bool:
        """Act on an event; False: it is not for scripts."""
        if token != _TOKEN:
            return False
        match path.split("/"):
            case ["backend", kind, domid, devid, "state" | "online"]:
                try:
                    await self._look(kind, f"backend/{kind}/{domid}/{devid}")
                except StoreError as error:
                    self._say(f"{path}: {error.name}")
        return True

    async def _look(self, kind: str, path: str) -> None:
        state, status, online = await self._store.read_all(
            [f"{path}/{name}" for name in ("state", "hotplug-status", "online")]
        )
        if parse_state(state) == XenbusState.INIT_WAIT and not status:
            await self._put_in(kind, path)
        elif parse_state(state) == XenbusState.CLOSED and online == "0":
            self._say(f"{path}: removed")
            await self._store.ask(MessageType.RM, path.encode() + b"\0")

    async def _put_in(self, kind: str, path: str) -> None:
        self._say(f"{path}: connected")
        nodes = {f"{path}/physical-device": self._number} if kind == "vbd" else {}
        await self._store.write_where(f"{path}/state", {**nodes, f"{path}/hotplug-status": "connected"})
