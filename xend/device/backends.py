"""What the backends of devices say, followed by one stream of watch events: nothing is polled."""

from collections.abc import Callable, Container

import trio

from xenclient.store.aio import Client, Watch
from xenclient.store.errors import ClientError
from xend.device.device import Device
from xend.device.xenbus import XenbusState
from xend.operation.steps import Work
from xenstore.errors import ENOENT, XenstoreError


class Backends:
    """The state of each followed device's backend.

    on_state: called as (device, state) on each change.
    """

    def __init__(self, store: Client, on_state: Callable[[Device, XenbusState], object]) -> None:
        self._store = store
        self._on_state = on_state
        self._devices: dict[str, Device] = {}
        self._by_domid: dict[int, dict[str, Device]] = {}
        self._states: dict[str, XenbusState] = {}
        self._changed = trio.lowlevel.ParkingLot()
        self._watch: Watch | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follow, until cancelled."""
        async with self._store.watch("@releaseDomain", "backends") as watch:
            self._watch = watch
            task_status.started()
            while True:
                event = await watch.next()
                await self._look(event.path)

    async def follow(self, device: Device) -> None:
        """Begin; the state is known soon after."""
        path = self._path(device)
        if path not in self._devices:
            self._devices[path] = device
            self._by_domid.setdefault(device.domid, {})[path] = device
            assert self._watch is not None
            await self._watch.add(path)

    async def forget(self, device: Device) -> None:
        """End; nothing happens if it was not followed."""
        path = self._path(device)
        self._states.pop(path, None)
        if self._devices.pop(path, None) is not None:
            of_domain = self._by_domid[device.domid]
            of_domain.pop(path)
            if not of_domain:
                del self._by_domid[device.domid]
            assert self._watch is not None
            await self._watch.remove(path)

    def of_domain(self, domid: int) -> list[Device]:
        """The followed devices of a domain."""
        return list(self._by_domid.get(domid, {}).values())

    def state(self, device: Device) -> XenbusState:
        """What was heard last; UNKNOWN: nothing, or no backend is there."""
        return self._states.get(self._path(device), XenbusState.UNKNOWN)

    async def wait(self, work: Work, device: Device, wanted: Container[XenbusState], seconds: float) -> None:
        """Returns once a followed device's backend is in one of these states.

        Raises:
            XendError: no_answer.
        """
        names = " or ".join(str(state) for state in XenbusState if state in wanted)
        with work.waiting(f"the backend of {device.name} to become {names}", seconds):
            while self._states.get(self._path(device)) not in wanted:
                await self._changed.park()

    async def _look(self, path: str) -> None:
        device = self._devices.get(path)
        if device is None:
            return
        try:
            state = XenbusState.parse(await self._store.read(path))
        except ENOENT:
            state = XenbusState.UNKNOWN
        except (XenstoreError, ClientError):
            return  # the store was lost; the watch fires again once it is back
        if path in self._devices and self._states.get(path) != state:
            self._states[path] = state
            self._changed.unpark_all()
            self._on_state(device, state)

    @staticmethod
    def _path(device: Device) -> str:
        return f"{device.backend_path}/state"
