"""What both ends of devices say, followed by one stream of watch events: nothing is polled.

A backend is what xend waits for; its frontend, which a guest writes, is only told of.
"""

from collections.abc import Callable, Container
from contextlib import suppress
from typing import Literal

import trio

from xenclient.store.aio import Client, Watch
from xenclient.store.errors import ClientError
from xend.device.device import Device
from xend.device.nodes import value
from xend.device.xenbus import XenbusState
from xend.operation.steps import Work
from xenstore.errors import XenstoreError

End = Literal["backend", "frontend"]


class Backends:
    """The state of each followed device's backend.

    on_state: called as (device, end, state) on each change of either end.
    """

    def __init__(self, store: Client, on_state: Callable[[Device, End, XenbusState], object]) -> None:
        self._store = store
        self._on_state = on_state
        self._ends: dict[str, tuple[Device, End]] = {}
        self._by_domid: dict[int, dict[str, Device]] = {}
        self._states: dict[str, XenbusState] = {}
        #: Who waits for a backend, by the path of its state.
        self._waiting: dict[str, trio.lowlevel.ParkingLot] = {}
        #: Paths that have yet to be read, in the order of their events.
        self._changed: dict[str, None] = {}
        self._something_changed = trio.Event()
        self._watch: Watch | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follow, until cancelled."""
        async with self._store.watch("@releaseDomain", "backends") as watch, trio.open_nursery() as nursery:
            self._watch = watch
            nursery.start_soon(self._read)
            task_status.started()
            while True:
                event = await watch.next()
                if event.path in self._ends:
                    self._changed[event.path] = None
                    self._something_changed.set()

    async def follow(self, device: Device) -> None:
        """Begin; the states are known soon after."""
        assert self._watch is not None
        self._by_domid.setdefault(device.domid, {})[device.backend_path] = device
        for path, end in _paths(device).items():
            if path not in self._ends:
                self._ends[path] = (device, end)
                await self._watch.add(path)

    async def forget(self, device: Device) -> None:
        """End; nothing happens if it was not followed."""
        assert self._watch is not None
        of_domain = self._by_domid.get(device.domid, {})
        of_domain.pop(device.backend_path, None)
        if not of_domain:
            self._by_domid.pop(device.domid, None)
        for path in _paths(device):
            self._states.pop(path, None)
            self._waiting.pop(path, None)
            if self._ends.pop(path, None) is not None:
                await self._watch.remove(path)

    def of_domain(self, domid: int) -> list[Device]:
        """The followed devices of a domain."""
        return list(self._by_domid.get(domid, {}).values())

    def state(self, device: Device) -> XenbusState:
        """What was heard last of its backend; UNKNOWN: nothing, or no backend is there."""
        return self._states.get(f"{device.backend_path}/state", XenbusState.UNKNOWN)

    async def read_anew(self, device: Device) -> None:
        """Read the state of a followed device's backend now.

        It is for those who have just written it: what was heard last is older than that, and `wait` would
        take it for the answer.

        Raises:
            XenstoreError, ClientError.
        """
        path = f"{device.backend_path}/state"
        (found,) = await self._store.together(value(path))
        self._heard(path, XenbusState.parse(found))

    async def wait(self, work: Work, device: Device, wanted: Container[XenbusState], seconds: float) -> None:
        """Returns once a followed device's backend is in one of these states.

        Raises:
            XendError: no_answer.
        """
        names = " or ".join(str(state) for state in XenbusState if state in wanted)
        with work.waiting(f"the backend of {device.name} to become {names}", seconds):
            path = f"{device.backend_path}/state"
            while self._states.get(path) not in wanted:
                await self._waiting.setdefault(path, trio.lowlevel.ParkingLot()).park()

    async def _read(self) -> None:
        """Read what has changed, all at once: one after the other they would queue up behind busy tasks."""
        while True:
            await self._something_changed.wait()
            self._something_changed = trio.Event()
            changed, self._changed = self._changed, {}
            with suppress(XenstoreError, ClientError):  # the store was lost; the watches fire again
                values = await self._store.together(*(value(path) for path in changed))
                for path, found in zip(changed, values, strict=True):
                    self._heard(path, XenbusState.parse(found))

    def _heard(self, path: str, state: XenbusState) -> None:
        if path in self._ends and self._states.get(path) != state:
            self._states[path] = state
            if waiting := self._waiting.get(path):
                waiting.unpark_all()
            self._on_state(*self._ends[path], state)


def _paths(device: Device) -> dict[str, End]:
    return {f"{device.backend_path}/state": "backend", f"{device.frontend_path}/state": "frontend"}
