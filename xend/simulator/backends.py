"""The backends that one kernel drives over its store ring: dom0's, or a driver domain's."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

import attrs
import trio

from xend.simulator.backend import Backend
from xend.simulator.channel import Channel
from xend.simulator.drivers import KINDS
from xend.simulator.gate import Gate
from xend.simulator.guest.vcpus import CPUS, wanted
from xend.simulator.inbox import Inbox
from xend.simulator.store_client import BackendStore, StoreClient, StoreError
from xend.simulator.traffic import Row

#: Nodes of a backend's directory that a driver looks at, up to the first hyphen; others may change as they
#: like.
_LOOKED_AT = ("state", "online", "hotplug", "physical", "frontend")
_ROOT = "backend"
TARGET = "memory/target"

Key = tuple[str, str, str]


class Drivers:
    """A kernel's backend drivers, or those of a device model.

    Args:
        flavour: "linux" or "netbsd".
        faults: words for all backends (xend.simulator.backend).
        kinds: the drivers there are.
        of: the domid of the only domain that they are for; None: any.
    """

    def __init__(
        self,
        store: BackendStore,
        flavour: str,
        faults: str = "",
        kinds: Mapping[str, type[Backend]] = KINDS,
        of: str | None = None,
    ) -> None:
        self._store = store
        self._kinds = kinds
        self._of = of
        self._flavour = flavour
        self._faults = faults
        self._backends: dict[Key, Backend] = {}
        #: Devices that are being looked at; True: to be looked at once more.
        self._busy: dict[Key, bool] = {}

    def counted(self) -> list[Row]:
        """What those that are connected have counted."""
        return [
            (kind, int(domid), int(devid), counted)
            for (kind, domid, devid), backend in self._backends.items()
            if (counted := backend.counted())
        ]

    async def attend(self) -> None:
        """Watch for devices."""
        await self._store.watch(_ROOT, _ROOT)

    async def handle(self, nursery: trio.Nursery, path: str, token: str) -> bool:
        """Act on an event, in the nursery; False: it is not for backends."""
        if token == _ROOT:
            await self._changed(nursery, path)
        elif token.startswith("frontend "):
            kind, domid, devid = token.removeprefix("frontend ").split("/")
            self._look_soon(nursery, (kind, domid, devid))
        else:
            return False
        return True

    async def _changed(self, nursery: trio.Nursery, path: str) -> None:
        """Something at or below `backend` changed."""
        parts = path.split("/")[1:]
        if len(parts) < 3:
            for key in await self._below(parts):
                self._look_soon(nursery, key)
        elif self._is_ours(parts) and (len(parts) == 3 or parts[3].partition("-")[0] in _LOOKED_AT):
            self._look_soon(nursery, (parts[0], parts[1], parts[2]))

    async def _below(self, parts: list[str]) -> list[Key]:
        """The devices at or below a directory, known ones that may be gone included."""
        paths = [tuple(parts)]
        for depth in range(len(parts), 3):
            paths = [
                (*path, name)
                for path in paths
                for name in await self._store.list("/".join((_ROOT, *path)))
                if depth or name in self._kinds
            ]
        known = [key for key in self._backends if key[: len(parts)] == tuple(parts)]
        found = [(path[0], path[1], path[2]) for path in paths]
        return [key for key in dict.fromkeys([*known, *found]) if self._is_ours(key)]

    def _is_ours(self, parts: Sequence[str]) -> bool:
        return parts[0] in self._kinds and self._of in (None, parts[1])

    def _look_soon(self, nursery: trio.Nursery, key: Key) -> None:
        if key in self._busy:
            self._busy[key] = True
        else:
            self._busy[key] = True
            nursery.start_soon(self._look, key)

    async def _look(self, key: Key) -> None:
        backend = self._backends.get(key)
        if backend is None:
            backend = self._kinds[key[0]](self._store, *key, self._flavour, self._faults)
            self._backends[key] = backend
        try:
            while self._busy[key]:
                self._busy[key] = False
                await self._attempt(backend)
        finally:
            del self._busy[key]
        if backend.is_gone:
            self._backends.pop(key, None)

    async def _attempt(self, backend: Backend) -> None:
        with suppress(StoreError):  # the directory is going: the event of that comes next
            await backend.look()


@attrs.frozen(kw_only=True)
class Tuning:
    """What dom0's kernel does to itself as the store says: as `Machine` has it."""

    max_vcpus: int
    set_online: Callable[[Collection[int]], None]
    set_memory: Callable[[int], object]


class Dom0Kernel:
    """dom0's kernel: its drivers, its memory and its vCPUs.

    begins_anew: the page was another kernel's, and a store may be serving it.
    """

    def __init__(
        self,
        page: object,
        channel: Channel,
        fire: Callable[[], object],
        flavour: str,
        faults: str,
        begins_anew: bool,
        tuning: Tuning,
    ) -> None:
        gate = Gate()
        gate.open()
        self._inbox = Inbox()
        self._store = StoreClient(page, channel, fire, self._inbox.put, gate)
        self._drivers = Drivers(self._store, flavour, faults)
        self._begins_anew = begins_anew
        self._tuning = tuning

    def counted(self) -> list[Row]:
        """What its backends have counted."""
        return self._drivers.counted()

    async def run(self) -> None:
        """Until cancelled."""
        if self._begins_anew:
            await self._store.begin_anew()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._store.run)
            await self._drivers.attend()
            for path in (CPUS, TARGET):
                await self._store.watch(path, path)
            while True:
                path, token = await self._inbox.take()
                if not await self._drivers.handle(nursery, path, token):
                    with suppress(StoreError):
                        await self._tune(token)

    async def _tune(self, token: str) -> None:
        if token == CPUS:
            self._tuning.set_online(await wanted(self._store, self._tuning.max_vcpus))
        elif token == TARGET:
            (target,) = await self._store.read_all([TARGET])
            if target and target.isascii() and target.isdigit():
                self._tuning.set_memory(int(target[:12]))
