"""Follows the backends of one domain and runs their scripts: as they appear, and as they have closed.

Whoever makes and removes devices is not asked: a backend in InitWait whose hotplug-status is empty or missing
is put in, one that is Closed for good is taken out and its directory removed.
"""

from collections.abc import Callable

import attrs
import trio

from xenclient.store.aio import Client
from xenclient.store.errors import ClientError
from xend.device import scripts
from xend.device.device import Device
from xend.device.kinds import KINDS
from xend.device.nodes import children, texts, value_of
from xend.device.paths import script_path
from xend.device.vbd import BLOCK
from xend.device.xenbus import XenbusState
from xend.errors import XendError
from xend.faults import as_xend_error
from xend.host import RunScript
from xend.operation.facts import Facts
from xend.operation.steps import Work
from xend.settings import Settings
from xenstore.errors import XenstoreError

#: The types whose scripts are run here.
SCRIPTED = tuple(name for name, kind in KINDS.items() if kind.script is not None)
#: Below this domain's home: toolstacks that run scripts themselves write it (libxl).
DISABLED = "libxl/disable_udev"

Key = tuple[str, int, int]  # kind, domid, devid


@attrs.define(eq=False)
class Coordinator:
    """Serves the backends of the domain whose store connection this is.

    Attributes:
        default_script: of backends that name none.
        log: gets a line about each device.
    """

    store: Client
    settings: Settings
    run_script: RunScript
    log: Callable[[str], object]
    default_script: str = BLOCK
    _busy: dict[Key, bool] = attrs.field(factory=dict, init=False)
    #: What was done for each device that was put in, by its backend's path.
    _works: dict[str, Work] = attrs.field(factory=dict, init=False)
    _domid: int = attrs.field(default=0, init=False)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled."""
        self._domid = int(await value_of(self.store, "domid") or 0)
        async with trio.open_nursery() as nursery, self.store.watch("backend") as watch:
            task_status.started()
            while True:
                event = await watch.next()
                await self._changed(nursery, event.path)

    async def _changed(self, nursery: trio.Nursery, path: str) -> None:
        key = _key(path)
        if key is not None:
            self._look_soon(nursery, key)
        elif path.count("/") < 3:  # the watch is new, or was lost: look at all
            for found in await self._all():
                self._look_soon(nursery, found)

    async def _all(self) -> list[Key]:
        found = []
        for kind in SCRIPTED:
            for domid in await children(self.store, f"backend/{kind}"):
                for devid in await children(self.store, f"backend/{kind}/{domid}"):
                    key = _key(f"backend/{kind}/{domid}/{devid}/state")
                    found += [] if key is None else [key]
        return found

    def _look_soon(self, nursery: trio.Nursery, key: Key) -> None:
        """One at a time for each device, once more for what came meanwhile."""
        if key not in self._busy:
            nursery.start_soon(self._look, key)
        self._busy[key] = True

    async def _look(self, key: Key) -> None:
        try:
            while self._busy[key]:
                self._busy[key] = False
                try:
                    await self._act(key)
                except (XendError, XenstoreError, ClientError) as error:
                    self.log(f"{_path(key)}: {error}")
                except Exception as error:  # noqa: BLE001 - one device's trouble is not the others'
                    self.log(f"{_path(key)}: {as_xend_error(error, _path(key), self.log)}")
        finally:
            del self._busy[key]

    async def _act(self, key: Key) -> None:
        path = _path(key)
        if await value_of(self.store, DISABLED) is not None:
            return
        state = XenbusState.parse(await value_of(self.store, f"{path}/state"))
        if state == XenbusState.INIT_WAIT and not await value_of(self.store, f"{path}/hotplug-status"):
            await self._put_in(await self._device(key))
        elif state == XenbusState.CLOSED and await value_of(self.store, f"{path}/online") in (None, b"0"):
            await self._take_out(await self._device(key))

    async def _put_in(self, device: Device) -> None:
        work = self._works[device.backend_path] = _work_on(device)
        try:
            await scripts.plug(self, work, device)
        except XendError as error:
            await self._report(device, error)
            raise
        self.log(f"{device.backend_path}: connected by {device.script}")

    async def _report(self, device: Device, error: XendError) -> None:
        """Whoever waits for the device learns of it, also where the script could not."""
        async with self.store.transaction() as tx:
            await tx.read(f"{device.backend_path}/state")
            await tx.write(f"{device.backend_path}/hotplug-error", str(error))
            await tx.write(f"{device.backend_path}/hotplug-status", "error")

    async def _take_out(self, device: Device) -> None:
        work = self._works.pop(device.backend_path, None) or _work_on(device)
        try:
            await scripts.unplug(self, work, device)
        except XendError as error:  # whoever waits for the device waits for its directory to go
            self.log(f"{device.backend_path}: {error}")
        await self.store.rm(device.backend_path)
        self.log(f"{device.backend_path}: removed")

    async def _device(self, key: Key) -> Device:
        kind, domid, devid = key
        row = KINDS[kind]
        name = row.label(devid)
        backend = await texts(self.store, _path(key), ("script", "gatewaydev"))
        given = backend.pop("script", "") or self.default_script
        return Device(
            kind=kind,
            domid=domid,
            devid=devid,
            backend_domid=self._domid,
            name=name,
            frontend={},
            backend=backend,
            script=script_path(self.settings, given, name),
            interface=None if row.interface is None else row.interface(domid, devid, self.settings),
        )


def _path(key: Key) -> str:
    return f"backend/{key[0]}/{key[1]}/{key[2]}"


def _key(path: str) -> Key | None:
    """The device to look at; None: what changed says nothing of one."""
    match path.split("/"):
        case ["backend", kind, domid, devid, "state" | "online"] if (
            kind in SCRIPTED and domid.isdigit() and devid.isdigit()
        ):
            return kind, int(domid), int(devid)
    return None


def _work_on(device: Device) -> Work:
    """What the scripts of a device keep from its way in to its way out; its domain has another manager."""
    return Work(Facts(name=str(device.domid), uuid="", domid=device.domid))
