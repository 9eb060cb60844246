"""domain.create: from a configuration to a domain that runs (or is paused)."""

import errno
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs

from xend.config import DomainConfig
from xend.config.problem import ConfigError
from xend.device.device import Device
from xend.device.files import check_readable
from xend.device.plug import Plug, check
from xend.device.vbd import vbd_device
from xend.device.vif import vif_device
from xend.domain import nodes
from xend.domain.registry import Domain
from xend.domain.serving import backend_domid, check_serving
from xend.domain.sharing import check_disks, claim_disks
from xend.domain.source import Source
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import Blueprint, HypervisorError, Image, Rings
from xend.operation.steps import Action, Plan, Step, Work
from xend.refusals import explained

#: Makes a device: (domid, backend_domid=).
Maker = Callable[..., Device]


def create_plan(host: Host, facts: dict[str, Any]) -> Plan:
    """The plan for facts {source, paused}."""
    creation = Creation(host, Source(**facts["source"]))
    return Plan(
        kind="domain.create",
        domain=creation.config.name,
        facts=facts,
        steps=creation.steps(paused=facts["paused"]),
        on_crash="undo",
    )


class Creation:
    """The steps that make a domain of a source; they keep its domid and rings in the work's facts."""

    def __init__(self, host: Host, source: Source) -> None:
        self.host = host
        self.source = source
        self.config: DomainConfig = source.config()

    def steps(self, *, paused: bool) -> list[Step]:
        """In their order."""
        steps = [
            Step("check what it needs", self.check),
            Step("create an empty domain", self.create, self.destroy),
            Step("give it memory", self.populate, _nothing),
            Step("write its nodes", self.write_nodes, self.remove_nodes),
            Step("load its kernel", self.build, _nothing),
            Step("introduce it to the store", self.introduce, self.release),
            Step("connect its console", self.connect_console, self.end_console),
        ]
        for plug in self.plugs():
            steps += plug.attach()
        if not paused:
            steps.append(Step("start it", self.start))
        return [attrs.evolve(step, do=partial(self.do_while_alive, step.do)) for step in steps]

    async def do_while_alive(self, do: Action, work: Work) -> None:
        """A step; of what fails because the domain is gone that is the reason."""
        try:
            await do(work)
        except XendError as error:
            domid = work.facts.get("domid")
            if domid is None or await self._is_alive(domid):
                raise
            raise XendError(
                "guest_died", "the domain was destroyed while it was made", cause=str(error)
            ) from error

    def plugs(self) -> list[Plug]:
        """One for each device."""
        return [Plug(self.host, name, partial(_made, name, make)) for name, _, make in self._makers()]

    def _makers(self) -> list[tuple[str, str, Maker]]:
        """Name, backend's domain and maker of each device; disks before interfaces, as libxl has it."""
        settings = self.host.settings
        makers: list[tuple[str, str, Maker]] = []
        for disk in self.config.disks:
            make: Maker = partial(vbd_device, config=disk, settings=settings)
            makers.append((f"vbd {disk.name}", disk.backend, make))
        for vif in self.config.vifs:
            make = partial(vif_device, config=vif, settings=settings)
            makers.append((f"vif {vif.devid}", vif.backend, make))
        return makers

    # --- steps --------------------------------------------------------------------------------------------

    async def check(self, work: Work) -> None:
        """Everything that can be refused before anything is done."""
        for warning in self.config.warnings:
            work.warn(ConfigError([warning]))
        for what, path in (("kernel", self.config.kernel), ("ramdisk", self.config.ramdisk)):
            if path is not None:
                check_readable(what, self.host.settings.guest_file(path))
        work.facts["backends"] = await self._serving()
        for name, _, make in self._makers():
            check(make(0, backend_domid=work.facts["backends"][name]))
        check_disks(self.host, self.source.uuid, self.config.name, self.config.disks)
        with explained("ask for the host's memory", self.config.name):
            info = await self.host.hypervisor.host_info()
        if info.free_memory_kib < self.config.memory_kib:
            raise XendError(
                "out_of_memory",
                f"it needs {self.config.memory_kib >> 10} MiB, {info.free_memory_kib >> 10} MiB are free",
                hint="destroy a domain, or give one less memory: xl mem-set",
            )

    async def _serving(self) -> dict[str, int]:
        """The domid of each device's backend, by the device's name; they are the operation's from now on."""
        domids = {name: backend_domid(self.host, backend, name) for name, backend, _ in self._makers()}
        with self._explained("look at the domains of its backends"):
            for name, domid in domids.items():
                await check_serving(self.host, domid, name)
        return domids

    async def create(self, work: Work) -> None:
        # Again, and held from here on: others may have been as far as this meanwhile, and a step that is
        # resumed after a crash was checked by another xend.
        claim_disks(self.host, self.source.uuid, self.config.name, self.config.disks)
        blueprint = Blueprint(
            uuid=self.source.uuid,
            max_vcpus=self.config.max_vcpus,
            max_memory_kib=self.config.max_memory_kib,
        )
        with self._explained("create a domain"):
            domid = await self.host.hypervisor.create(blueprint)
        work.facts["domid"] = domid
        restarts = int(work.facts.get("restarts", 0))
        domain = Domain(source=self.source, config=self.config, domid=domid, restarts=restarts)
        self.host.domains.enter(domain)
        work.result |= {"name": self.config.name, "uuid": self.source.uuid}

    async def destroy(self, work: Work) -> None:
        """Whatever domain has this UUID: after a crash its domid may not be known."""
        with self._explained("destroy the domain"):
            await destroy_domain(self.host, self.source.uuid)
        self.forget(work)
        work.facts["domid"] = None

    def forget(self, work: Work) -> None:
        """It was not to be."""
        self.host.domains.forget(self.source.uuid)

    async def populate(self, work: Work) -> None:
        with self._explained("give it memory"):
            await self.host.hypervisor.populate(_domid(work), self.config.memory_kib)

    async def write_nodes(self, work: Work) -> None:
        with self._explained("write its nodes"):
            await nodes.write_first(self.host.store, _domid(work), self.config)

    async def remove_nodes(self, work: Work) -> None:
        if work.facts.get("domid") is not None:
            with self._explained("remove its nodes"):
                await nodes.remove_all(self.host.store, _domid(work), self.source.uuid)

    async def build(self, work: Work) -> None:
        settings = self.host.settings
        image = Image(
            kernel=settings.guest_file(self.config.kernel or ""),
            ramdisk=None if self.config.ramdisk is None else settings.guest_file(self.config.ramdisk),
            command_line=self.config.command_line,
            vcpus=self.config.vcpus,
        )
        with self._explained("load its kernel"):
            rings = await self.host.hypervisor.build(_domid(work), image)
        work.facts["rings"] = attrs.asdict(rings)

    async def introduce(self, work: Work) -> None:
        rings, domid = _rings(work), _domid(work)
        with self._explained("introduce it to the store"):
            now = self.host.wall_clock()
            await nodes.write_built(self.host.store, domid, self.config, rings, now)
            await self.host.store.introduce(domid, rings.store_gfn, rings.store_port)
        self.host.publish("domain", "created", domid=domid, name=self.config.name, uuid=self.source.uuid)

    async def release(self, work: Work) -> None:
        """The store lets go when the domain dies; before that it would tell everybody of its end twice."""

    async def connect_console(self, work: Work) -> None:
        rings, domid = _rings(work), _domid(work)
        with self._explained("connect its console"):
            await nodes.write_console(self.host.store, domid, rings)
            await self.host.consoles.serve(domid, self.config.name, rings.console_gfn, rings.console_port)
        domain = self.host.domains.get(domid)
        assert domain is not None
        domain.console = (rings.console_gfn, rings.console_port)
        self.host.domains.save(domain)

    async def end_console(self, work: Work) -> None:
        if work.facts.get("domid") is not None:
            await self.host.consoles.end(_domid(work))
            with self._explained("remove its console"):
                await nodes.remove_console(self.host.store, _domid(work))

    async def start(self, work: Work) -> None:
        await start(self.host, _domid(work), self.config.name)

    # --- what they share ----------------------------------------------------------------------------------

    def _explained(self, doing: str) -> Any:
        return explained(doing, self.config.name)

    async def _is_alive(self, domid: int) -> bool:
        info = await self.host.hypervisor.domain(domid)
        return info is not None and info.uuid == self.source.uuid and not info.is_dying


async def start(host: Host, domid: int, name: str) -> None:
    """Let a domain run; its time counts from the first one on."""
    with explained("start it", name):
        await host.hypervisor.unpause(domid)
    domain = host.domains.get(domid)
    if domain is not None and domain.start_time is None:
        domain.start_time = host.wall_clock()
        host.domains.save(domain)
    host.publish("domain", "unpaused", domid=domid, name=name)


async def destroy_domain(host: Host, uuid: str, domid: int | None = None) -> None:
    """End the domain with this UUID, if it is there: a domid (None: not known) may be another's by now."""
    infos = await host.hypervisor.domains() if domid is None else [await host.hypervisor.domain(domid)]
    for info in infos:
        if info is not None and info.uuid == uuid and not info.is_dying:
            try:
                await host.hypervisor.destroy(info.domid)
            except HypervisorError as error:
                if error.errno != errno.ESRCH:  # somebody was faster
                    raise


async def _nothing(work: Work) -> None:
    """What it did goes with the domain."""


def _made(name: str, make: Maker, work: Work) -> Device:
    return make(_domid(work), backend_domid=work.facts.get("backends", {}).get(name, 0))


def _domid(work: Work) -> int:
    domid = work.facts["domid"]
    assert isinstance(domid, int)
    return domid


def _rings(work: Work) -> Rings:
    return Rings(**work.facts["rings"])
