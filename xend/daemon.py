"""xend itself: everything wired together, under trio."""

import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import attrs
import trio

import xend
from xenclient.store.aio import Client
from xenclient.store.errors import ClientError
from xend.autostart.files import ConfigDirectory
from xend.autostart.runs import Runs
from xend.bootloader.run import run_cell
from xend.bus.events import EventLog
from xend.bus.hello import hello
from xend.bus.methods import Method
from xend.bus.streaming import event_methods
from xend.calls.autostart import AutostartCalls
from xend.calls.card_changes import CardChangeCalls
from xend.calls.cards import CardCalls
from xend.calls.check import CheckCalls
from xend.calls.consoles import ConsoleCalls
from xend.calls.devices import DeviceCalls
from xend.calls.domain_map import DomainMaps
from xend.calls.domains import DomainCalls
from xend.calls.host import HostCalls
from xend.calls.host_control import HostControlCalls
from xend.calls.managed import ManagedCalls
from xend.calls.media import MediaCalls
from xend.calls.operation_methods import operation_methods
from xend.calls.pools import PoolCalls
from xend.calls.quotas import QuotaCalls
from xend.calls.saving import SavingCalls
from xend.calls.scheduling import SchedulingCalls
from xend.calls.screens import ScreenCalls
from xend.calls.starter import OperationStarter
from xend.calls.stats import StatsCalls
from xend.calls.usb import UsbCalls
from xend.console.pty import Pty, open_pty
from xend.console.service import Consoles
from xend.counters import system_counters
from xend.device import scripts
from xend.device.backends import Backends, End
from xend.device.device import Device
from xend.device.runner import run_script
from xend.device.stored import devices_in_store
from xend.device.story import Stories
from xend.device.xenbus import XenbusState
from xend.disk import Disks, system_disks
from xend.domain.booting import forget_all_files
from xend.domain.device_model import end_strangers, note_death, tell_death
from xend.domain.keeper import Keeper
from xend.domain.registry import Domain, Domains
from xend.domain.sharing import claim_unknown
from xend.domain.target import DOM0
from xend.domain.targets import Targets
from xend.errors import XendError
from xend.host import Host, RunCell, RunScript
from xend.hypervisor import DomainInfo, Hypervisor
from xend.identity import is_domain, uuid_of
from xend.kinds import DOMAIN_METHODS, KINDS
from xend.managed.fates import Fates
from xend.model.models import Model, Models
from xend.model.system import System, SystemProcesses
from xend.operation.kind import Effect
from xend.operation.registry import OperationRegistry
from xend.operation.running import Operation
from xend.pci.cards import Cards
from xend.pci.choose import system_cards
from xend.refusals import explained
from xend.settings import Settings
from xend.sysfs import WriteSysfs, write_in_time
from xenstore.daemon.groups import alone
from xenstore.errors import EINVAL, XenstoreError


def die(operation: Operation, failpoint: str) -> None:
    """Kill this process where a test asks for it: at "KIND:STEP", STEP the step's key."""
    if failpoint == f"{operation.kind.name}:{operation.steps[operation.step].key}":
        os.kill(os.getpid(), signal.SIGKILL)


@attrs.frozen(kw_only=True)
class Seams:
    """What a simulated world puts its own in the place of; the clock is trio's.

    cards: None: those of this system.
    """

    random: Random = attrs.field(factory=SystemRandom)
    wall_clock: Callable[[], float] = time.time
    open_pty: Callable[[], Pty] = open_pty
    run_script: RunScript = run_script
    run_cell: RunCell = run_cell
    models: System = attrs.field(factory=SystemProcesses)
    disks: Disks = attrs.field(factory=lambda: system_disks(sys.platform))
    cards: Cards | None = None
    write_sysfs: WriteSysfs = write_in_time
    on_step: Callable[[Operation], object] = lambda operation: None


class Xend:
    """The manager of one host.

    read_settings: how the host is set up now; log: takes a line.
    """

    def __init__(
        self,
        *,
        hypervisor: Hypervisor,
        store: Client,
        read_settings: Callable[[], Settings],
        rundir: Path,
        log_directory: Path,
        log: Callable[[str], object],
        seams: Seams | None = None,
    ) -> None:
        seams = seams or Seams()
        self.log = log
        self.events = EventLog(last_seq=int(seams.wall_clock() * 1000))
        self.operations = OperationRegistry(
            rundir / "operations",
            KINDS,
            lambda: self.host,
            self._operation_changed,
            log,
            seams.wall_clock,
            seams.on_step,
        )
        self.host = Host(
            hypervisor=hypervisor,
            store=store,
            read_settings=read_settings,
            domains=Domains(rundir / "domains", log),
            backends=Backends(store, self._state_changed),
            stories=Stories(seams.wall_clock),
            consoles=Consoles(hypervisor, store, os.fspath(log_directory / "console"), seams.open_pty, log),
            disks=seams.disks,
            cards=seams.cards or system_cards(read_settings().platform),
            write_sysfs=seams.write_sysfs,
            models=Models(seams.models, rundir / "models", self._model_died, log),
            model_log_directory=os.fspath(log_directory),
            run_script=seams.run_script,
            run_cell=seams.run_cell,
            loader_directory=rundir / "bootloader",
            random=seams.random,
            wall_clock=seams.wall_clock,
            publish=self.publish,
            log=log,
        )
        self.fates = Fates(rundir / "ends", seams.wall_clock, log)
        self.keeper = Keeper(self.host, self.operations)
        self.autostarts = Runs(self.events.publish, log)
        self._connected: set[str] = set()

    def methods(self) -> list[Method]:
        """Everything the bus offers."""
        targets, starter = Targets(self.host, self.operations), OperationStarter(self.operations)
        maps = DomainMaps(self.host, self.operations)
        domains = DomainCalls(self.host, starter, targets, maps, self.keeper.acted_on)
        # Scripts stand in a directory of their own within that of configurations.
        directory = ConfigDirectory(os.fspath(self.host.settings.script_directory.parent))
        saving = SavingCalls(self.host, starter, targets, domains)
        autostart = AutostartCalls(
            self.host, self.operations, domains, saving, targets, self.autostarts, directory
        )
        counters = self.host.hypervisor.counters() or system_counters(sys.platform)
        about = {"server": "xend", "version": xend.VERSION, "hypervisor": self.host.hypervisor.name}
        return [
            hello(about),
            *HostCalls(self.host).methods(),
            *HostControlCalls(self.host).methods(),
            *PoolCalls(self.host).methods(),
            *SchedulingCalls(self.host, targets).methods(),
            *QuotaCalls(self.host, targets).methods(),
            *domains.methods(),
            *saving.methods(),
            *StatsCalls(self.host, targets, counters).methods(),
            *(each.method(self.host, targets, starter) for each in DOMAIN_METHODS),
            *autostart.methods(),
            *CheckCalls(self.host, domains, directory).methods(),
            *ManagedCalls(self.host, self.fates, directory).methods(),
            *DeviceCalls(self.host, starter, targets).methods(),
            *CardCalls(self.host, starter, targets).methods(),
            *CardChangeCalls(self.host, starter, targets).methods(),
            *UsbCalls(self.host, starter, targets).methods(),
            *ScreenCalls(self.host, targets).methods(),
            *MediaCalls(self.host, starter, targets).methods(),
            *ConsoleCalls(self.host.consoles, targets).methods(),
            *operation_methods(self.operations),
            *event_methods(self.events, self._watch_paths, self.log),
        ]

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Manage, until cancelled; domains and operations are left as they stand then."""
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(self.host.backends.run)
                await nursery.start(self.host.consoles.run)
                await nursery.start(self.host.models.run)
                self.operations.serve_in(nursery)
                self.autostarts.serve_in(nursery)
                await self._introduce_dom0()
                self.host.domains.load()
                for domain in self.host.domains.all():
                    claim_unknown(self.host, domain)
                forget_all_files(self.host)
                self.operations.recover()
                await end_strangers(self.host, lambda locks: self.operations.holder(locks) is not None)
                await self._take_up(nursery)
                nursery.start_soon(scripts.reclaim, self.host)
                nursery.start_soon(self.keeper.run)
                self.keeper.look_soon()
                task_status.started()
                await trio.sleep_forever()
        finally:
            self.operations.stop()

    def publish(self, kind: str, what: str, **fields: Any) -> None:
        """Tell listeners, and the log."""
        if (identity := fields.get("uuid")) is not None:
            fields["uuid"] = uuid_of(identity)
        self.fates.heard(kind, what, **fields)
        self.events.publish(
            kind, what, **{name: value for name, value in fields.items() if value is not None}
        )
        name = fields.get("name", fields.get("device", ""))
        reason = f": {fields['reason']}" if fields.get("reason") else ""
        domid = fields.get("domid")
        who = name if domid is None else f"{name} (domain {domid})"
        self.log(f"{kind} {who}: {what}{reason}")

    def _operation_changed(self, what: str, operation: Operation) -> None:
        self.events.publish("operation", what, operation=operation.as_map())
        who = f"{operation.kind.name} {operation.domain}"
        if what == "started":
            self.log(f"{who}: started (operation {operation.id})")
        elif what in ("done", "failed", "cancelled"):
            why = "" if operation.error is None else f": {operation.error}"
            step = "" if operation.error is None else operation.error.fields.get("step", "")
            self.log(f"{who}: {what}{f' at {step!r}' if step else ''}{why}")
            if what == "failed" and operation.kind.effect in (Effect.MAKES, Effect.RESTARTS):
                self.fates.failed(operation.domain, str(operation.error))
            self.keeper.operation_ended(operation)

    async def _model_died(self, model: Model) -> None:
        await tell_death(self.host, model)

    def _state_changed(self, device: Device, end: End, state: XenbusState) -> None:
        self.host.stories.state(device, end, state)
        if end == "backend":
            self._backend_changed(device, state)

    def _backend_changed(self, device: Device, state: XenbusState) -> None:
        was = device.backend_path in self._connected
        if state == XenbusState.CONNECTED and not was:
            self._connected.add(device.backend_path)
            self.publish("device", "connected", domid=device.domid, device=device.name)
        elif state != XenbusState.CONNECTED and was:
            self._connected.discard(device.backend_path)
            self.publish("device", "removing", domid=device.domid, device=device.name)

    async def _introduce_dom0(self) -> None:
        """The nodes that say who dom0 is, where nobody wrote them (xen-init-dom0)."""
        nodes = {
            "/local/domain/0/domid": "0",
            "/local/domain/0/name": "Domain-0",
            "/local/pool/0/name": "Pool-0",
        }
        for path, value in nodes.items():
            if not await self.host.store.exists(path):
                await self.host.store.write(path, value)

    async def _take_up(self, nursery: trio.Nursery) -> None:
        """Go on with the domains that the xend before this one left, each once nothing that it began runs."""
        infos = {info.domid: info for info in await self.host.hypervisor.domains()}
        await self._follow_devices(DOM0)
        for domain in list(self.host.domains):
            operation = self.operations.holder(domain.locks)
            if operation is not None:
                nursery.start_soon(self._take_up_after, operation, domain.uuid)
            elif domain.domid is not None:
                await self._take_up_one(domain, infos.get(domain.domid))

    async def _take_up_after(self, operation: Operation, uuid: str) -> None:
        await operation.ended.wait()
        domain = self.host.domains.by_uuid(uuid)
        if domain is None or domain.domid is None or domain.domid in self.host.consoles.domids:
            return  # gone, or it has made it
        try:
            with explained("look at it", domain.name):
                info = await self.host.hypervisor.domain(domain.domid)
        except XendError as error:
            self.log(f"{domain.name} (domain {domain.domid}): cannot be taken up: {error}")
            return
        await self._take_up_one(domain, info)

    async def _take_up_one(self, domain: Domain, info: DomainInfo | None) -> None:
        if not is_domain(info, domain.uuid) or info.is_dying:
            return  # the keeper reaps it
        try:
            await self._follow_devices(info.domid)
            if domain.console is not None:
                await self.host.consoles.serve(info.domid, domain.name, *domain.console)
        except (XendError, XenstoreError, ClientError) as error:
            self.log(f"{domain.name} (domain {domain.domid}): cannot be taken up wholly: {error}")

    async def _follow_devices(self, domid: int) -> None:
        for device in await devices_in_store(self.host, domid):
            self.host.stories.begin(device)
            note_death(self.host, device)
            await self.host.backends.follow(device)

    @asynccontextmanager
    async def _watch_paths(
        self, paths: Iterable[str], publish: Callable[[str, str], object]
    ) -> AsyncIterator[None]:
        """Watches store paths for a listener."""
        with alone(XendError):
            async with trio.open_nursery() as nursery:
                for path in paths:
                    await nursery.start(self._watch_path, path, publish)
                yield
                nursery.cancel_scope.cancel()

    async def _watch_path(
        self,
        path: str,
        publish: Callable[[str, str], object],
        *,
        task_status: trio.TaskStatus[None],
    ) -> None:
        try:
            async with self.host.store.watch(path) as watch:
                task_status.started()
                async for event in watch:
                    publish(event.path, path)
        except EINVAL as error:
            raise XendError(
                "bad_request", f"{path!r} cannot be watched: it is no path of the store"
            ) from error
        except (XenstoreError, ClientError) as error:
            raise XendError("store_failed", f"cannot watch {path} in the store", cause=str(error)) from error
