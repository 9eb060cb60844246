"""domain.create: from a configuration to a domain that runs (or is paused)."""

from contextlib import AbstractContextManager
from functools import cached_property, partial

import attrs

from xend.bootloader.outcome import Outcome, outcome_of
from xend.config import DomainConfig
from xend.config.place import listed
from xend.config.problem import ConfigError
from xend.config.share import Share
from xend.config.terms import StoreTerms
from xend.console.maker import ConsoleTaken
from xend.device.device import Device
from xend.device.kinds import KINDS
from xend.device.pci import DEVID, PCI, Function, functions_of, pci_device
from xend.device.plug import Plug, check
from xend.domain import nodes
from xend.domain.ballooning import make_room, spare_kib
from xend.domain.blueprint import access_of, blueprint_of, image_of, kernel_of
from xend.domain.booting import booted, check_files, remove_files, run_boot_loader
from xend.domain.capabilities import check_host
from xend.domain.card_checks import check as check_cards
from xend.domain.card_checks import functions_of_items
from xend.domain.cards import give_all as give_all_cards
from xend.domain.cards import take_all
from xend.domain.claims import disks_of
from xend.domain.device_model import check_model, end_model, has_tree, start_model
from xend.domain.granted import check_terms, grant_share, grant_terms
from xend.domain.labels import check_labels, set_running_label
from xend.domain.machine import check_machine
from xend.domain.machine_cards import put_in
from xend.domain.makers import Maker, machine_parts, makers_of
from xend.domain.model_images import let_go
from xend.domain.model_ready import await_model
from xend.domain.model_rights import rights_of, shown_images
from xend.domain.placing import is_placed, places_of, pool_number
from xend.domain.power import destroy_domain, start
from xend.domain.registry import Domain
from xend.domain.same_uuid import made_unknown, others_with
from xend.domain.serving import backend_domid, check_serving
from xend.domain.sharing import check_disks, claim_disks
from xend.domain.source import Source, source_of
from xend.domain.twins import twins_of
from xend.domain.usb import check_all, give_all, in_ports, take_back_all
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import HostAccess, Rings, rings_of
from xend.identity import is_domain, uuid_of
from xend.model.part import Part
from xend.operation.facts import Facts
from xend.operation.steps import Action, Step, Work, nothing
from xend.refusals import explained
from xend.validators import count, domids, typed


@attrs.define(kw_only=True)
class LifeFacts(Facts):
    """What every operation that begins a life of a domain knows, and finds out.

    Attributes:
        source: what the domain is made of.
        restarts: how often it was restarted in a row without having run for a while.
        backends: by a device's name, the domid of the domain that has its backend.
        found: what its boot loader found.
        rings: the shared pages of the domain, once it was built.
        functions: of the host's PCI devices those that it is given, once they were found.
        strangers: domids of other toolstacks' domains with the same UUID, which are never touched.
    """

    source: Source = attrs.field(converter=source_of)
    restarts: int = attrs.field(default=0, validator=count)
    backends: dict[str, int] = attrs.field(factory=dict, validator=typed(dict))
    found: Outcome | None = attrs.field(default=None, converter=attrs.converters.optional(outcome_of))
    rings: Rings | None = attrs.field(default=None, converter=attrs.converters.optional(rings_of))
    functions: list[Function] = attrs.field(factory=list, converter=functions_of)
    strangers: list[int] = attrs.field(factory=list, validator=domids)


@attrs.define(kw_only=True)
class CreateFacts(LifeFacts):
    """Those of domain.create; paused: the domain is not started."""

    KIND = "domain.create"

    paused: bool = attrs.field(validator=typed(bool))


def create_steps(host: Host, facts: CreateFacts) -> list[Step]:
    """The steps of domain.create."""
    return Creation(host, facts).steps(paused=facts.paused)


class Creation:
    """The steps that make a domain; they keep its domid and rings in the facts."""

    def __init__(self, host: Host, facts: LifeFacts) -> None:
        self.host = host
        self.facts = facts
        self.source = facts.source
        self.config: DomainConfig = facts.source.config()

    def steps(self, *, paused: bool) -> list[Step]:
        """In their order."""
        steps = [
            Step("check", "check what it needs", self.check),
            Step("create", "create an empty domain", self.create, self.destroy),
            Step("claim", "set memory aside for it", self.claim, nothing),
        ]
        if is_placed(self.config):
            steps.append(Step("place", "say on which CPUs it runs", self.place, nothing))
        if self.config.share != Share():
            steps.append(Step("share", "say how much of the CPUs it gets", self.share, nothing))
        if access_of(self.config) != HostAccess():
            steps.append(Step("allow-access", "let it touch the host's hardware", self.allow_access, nothing))
        steps += [self.writing(), *self.building()]
        if self.config.labels.running is not None:
            steps.append(Step("label", "give it its security label", self.label, nothing))
        if self.config.store_terms != StoreTerms():
            steps.append(Step("store-terms", "say what the store grants it", self.store_terms, nothing))
        return [*map(self._while_alive, steps), *self.steps_of_built(paused=paused)]

    def building(self) -> list[Step]:
        """Those that give it memory, and what runs in it."""
        steps = []
        if self.config.boot_loader is not None:
            steps.append(Step("boot-loader", "run its boot loader", self.run_loader, self.remove_loader))
        return [*steps, Step("build", "give it its memory and kernel", self.build, nothing)]

    def writing(self) -> Step:
        """Of a domain that has none yet."""
        return Step("write-nodes", "write its nodes", self.write_nodes, self.remove_nodes)

    def steps_of_built(self, *, paused: bool) -> list[Step]:
        """Those that a domain takes that has its rings, whether it is new or was reset."""
        steps = [
            Step("introduce", "introduce it to the store", self.introduce, self.release),
            Step("connect-console", "connect its console", self.connect_console, self.end_console),
        ]
        first, served, others = self.plugs()
        for plug in first:
            steps += plug.attach()
        if served or self.is_machine:
            steps += [step for plug in served for step in plug.adding()]
            steps += self.modelling()
            steps += [step for plug in served for step in plug.connecting()]
            if any(part.image is not None for part in self.parts()):
                steps.append(
                    Step("model.let-go", "have its device model let go of images", self.let_go, nothing)
                )
        for plug in others:
            steps += plug.attach()
        if devices := in_ports(self.config):
            steps.append(
                Step(
                    "usbdev.put-in",
                    f"give it the host's USB {'device' if len(devices) == 1 else 'devices'}",
                    self.give_usb,
                    self.take_usb,
                )
            )
        if self.config.of_kind(PCI.name):
            steps += self.cards()
        if not paused:
            steps.append(Step("start", "start it", self.start))
        return list(map(self._while_alive, steps))

    def cards(self) -> list[Step]:
        """Those that give it PCI devices of the host."""
        plug = Plug(
            self.host,
            PCI.name,
            DEVID,
            PCI.label(DEVID),
            lambda work: pci_device(self.domid, [each.group() for each in self.facts.functions]),
        )
        give = Step(
            f"{plug.key}.give",
            f"{plug.name}: give it the host's PCI devices",
            self.give_cards,
            self.take_cards,
        )
        if not self.is_machine:
            return [give, *plug.attach()]
        # Undone with the device model.
        show = Step(
            f"{plug.key}.put-in", f"{plug.name}: have its device model show them", self.put_cards_in, nothing
        )
        return [give, show, *plug.attach()]

    def _while_alive(self, step: Step) -> Step:
        return attrs.evolve(step, do=partial(self.do_while_alive, step.do))

    async def do_while_alive(self, do: Action, work: Work) -> None:
        """A step; of what fails because the domain is gone that is the reason."""
        try:
            await do(work)
        except XendError as error:
            domid = self.facts.domid
            if domid is None or await self._is_alive(domid):
                raise
            raise XendError(
                "guest_died", "the domain was destroyed while it was made", cause=str(error)
            ) from error

    def modelling(self) -> list[Step]:
        """Those that start its device model, for the devices whose nodes stand there."""
        return [
            Step("model.start", "start its device model", self.start_model, self.end_model),
            Step("model.await", "wait for its device model", self.await_model, nothing),
        ]

    def plugs(self) -> tuple[list[Plug], list[Plug], list[Plug]]:
        """One for each device: disks that dom0's kernel has, what a device model serves, and the others.

        An emulated disk is opened as the device model starts, and its interfaces are there only then.
        """
        first: list[Plug] = []
        served: list[Plug] = []
        others: list[Plug] = []
        for each in self._makers():
            plug = Plug(
                self.host,
                each.kind,
                each.devid,
                each.name,
                partial(self._device, each),
                is_of_model=each.is_of_model,
                shown=self.shown,
            )
            (served if plug.is_of_model else first if plug.kind.is_disk else others).append(plug)
        return first, served, others

    def parts(self) -> list[Part]:
        """What its devices want of a device model; of an hvm domain it plays the whole machine."""
        served = [each.part() for each in self._makers() if each.is_of_model]
        return [*machine_parts(self.config, self.host.settings, self.facts.domid or 0), *served]

    @cached_property
    def _gets_tree(self) -> bool:
        """Whether its device model will have a tree of its own.  Looks into images: once for all devices."""
        return rights_of(self.host.settings.platform, self.config, self.parts(), 1).has_tree

    def shown(self, device: Device) -> Device:
        """A device as its nodes are written."""
        kind = KINDS[device.kind]
        return kind.model_shows(device) if kind.is_of_model(device) and self._gets_tree else device

    def _device(self, maker: Maker, work: Work) -> Device:
        return maker.make(self.domid, backend_domid=self.facts.backends.get(maker.name, 0))

    def _makers(self) -> list[Maker]:
        return makers_of(self.config, self.host.settings)

    # --- steps --------------------------------------------------------------------------------------------

    async def check(self, work: Work) -> None:
        """Everything that can be refused before anything is done."""
        for warning in [*self.host.settings.problems, *self.config.warnings]:
            work.warn(ConfigError([warning]))
        kernel = self.check_image()
        self.facts.backends = await self._serving()
        for each in self._makers():
            check(each.make(0, backend_domid=self.facts.backends[each.name]))
        self.facts.functions = await functions_of_items(self.host, self.config.of_kind(PCI.name))
        await check_cards(self.host, self.facts.functions, is_machine=self.is_machine)
        await check_all(self.host, self.source.uuid, self.config)
        check_disks(self.host, self.source.uuid, self.config.name, disks_of(self.config))
        with explained("ask for the host", self.config.name):
            info = await self.host.hypervisor.host_info()
        check_host(info, self.config, kernel, await spare_kib(self.host, info))
        parts = self.parts()
        check_machine(self.host, self.config, info, parts)
        await check_model(self.host, self.config, parts)
        for twin in await twins_of(self.host, self.config, parts):
            work.warn(twin)
        await pool_number(self.host, self.config)
        await places_of(self.host, self.config)
        await check_labels(self.host, self.config)
        await check_terms(self.host.store, self.config.store_terms, self.config.name)
        await self.check_uuid()

    def check_image(self) -> str | None:
        """See that what it boots is there; the kernel's path, None: a boot loader finds it, or firmware.

        Raises:
            XendError: bad_image.
        """
        check_files(self.host, self.config)
        return kernel_of(self.host, self.config)

    def claimed_kib(self) -> int:
        """How much memory is set aside for it."""
        return self.config.memory_kib

    async def check_uuid(self) -> None:
        """See that no other toolstack has a domain with the UUID that the configuration gives.

        One that was chosen at random is nobody else's.

        Raises:
            XendError: uuid_in_use.
        """
        if "uuid" not in self.config.given:
            return
        with self._explained("look at the host's domains"):
            others = await others_with(self.host, self.source.uuid)
        self.facts.strangers = [info.domid for info in others]
        if others:
            raise XendError(
                "uuid_in_use",
                f"another toolstack's domain, domid {others[0].domid}, has the UUID "
                f"{uuid_of(self.source.uuid)}",
                domain=self.config.name,
                hint="end that one with the tool that made it, or give this one another uuid",
            )

    async def _serving(self) -> dict[str, int]:
        """The domid of each device's backend, by the device's name; they are the operation's from now on."""
        domids = {each.name: backend_domid(self.host, each.backend, each.name) for each in self._makers()}
        with self._explained("look at the domains of its backends"):
            for name, domid in domids.items():
                await check_serving(self.host, domid, name)
        return domids

    async def create(self, work: Work) -> None:
        # Again, and held from here on: others may have been as far as this meanwhile, and a step that is
        # resumed after a crash was checked by another xend.
        claim_disks(self.host, self.source.uuid, self.config.name, disks_of(self.config))
        blueprint = await blueprint_of(self.host, self.source.uuid, self.config)
        await self.check_uuid()  # another toolstack may have been as fast
        with self._explained("create a domain"):
            domid = await self.host.hypervisor.create(blueprint)
        self.facts.domid = domid
        self.host.domains.enter(self.record(domid))
        work.result |= {"name": self.config.name, "uuid": uuid_of(self.source.uuid)}

    def record(self, domid: int) -> Domain:
        """What xend is to know of the domain that was made."""
        restarts = self.facts.restarts
        return Domain(source=self.source, config=self.config, domid=domid, restarts=restarts)

    async def destroy(self, work: Work) -> None:
        """The domain that was made, and none of another toolstack's with its UUID.

        Its domid is not known where xend died, or was cancelled, as the domain was made.
        """
        with self._explained("destroy the domain"):
            domid = self.facts.domid
            if domid is None:
                made = await made_unknown(self.host, self.source.uuid, self.facts.strangers)
                domid = None if made is None else made.domid
            if domid is not None:
                await destroy_domain(self.host, self.source.uuid, domid)
        self.forget()
        self.facts.domid = None

    def forget(self) -> None:
        """xend knows the domain no longer: it was not made."""
        self.host.domains.forget(self.source.uuid)

    async def claim(self, work: Work) -> None:
        async with self.host.making_room:
            await make_room(self.host, work, self.config)
            if not self.host.settings.claims_memory:
                return  # claim_mode=0 of xl.conf
            with self._explained("set memory aside for it"):
                await self.host.hypervisor.claim(self.domid, self.claimed_kib())

    async def place(self, work: Work) -> None:
        for each in await places_of(self.host, self.config):
            with self._explained(f"say on which CPUs its virtual CPU {each.vcpu} runs"):
                await self.host.hypervisor.set_affinity(self.domid, each.vcpu, each.hard, each.soft)

    async def share(self, work: Work) -> None:
        with self._explained("say how much of the CPUs it gets"):
            without = await grant_share(self.host.hypervisor, self.domid, self.config.share)
        if without:
            work.warn(
                XendError(
                    "unsupported",
                    f"{listed(without, 'and')} of the configuration has no effect: the scheduler of the CPU "
                    "pool has no such parameter",
                    domain=self.config.name,
                    hint="xl info shows the scheduler, xl cpupool-list that of another pool",
                )
            )

    async def label(self, work: Work) -> None:
        await set_running_label(self.host, self.config, self.domid)

    async def store_terms(self, work: Work) -> None:
        with self._explained("say what the store grants it"):
            await grant_terms(self.host.store, self.domid, self.config.store_terms)

    async def allow_access(self, work: Work) -> None:
        with self._explained("let it touch the host's hardware"):
            await self.host.hypervisor.allow_access(self.domid, access_of(self.config))

    async def write_nodes(self, work: Work) -> None:
        with self._explained("write its nodes"):
            await nodes.write_first(self.host.store, self.domid, self.config)

    async def remove_nodes(self, work: Work) -> None:
        if self.facts.domid is not None:
            with self._explained("remove its nodes"):
                await nodes.remove_all(self.host.store, self.domid, self.source.uuid)

    async def run_loader(self, work: Work) -> None:
        with self._explained("make its console"):
            await nodes.write_loader_console(self.host.store, self.domid)
        self.facts.found = await run_boot_loader(self.host, work, self.config, self.source.uuid, self.domid)

    async def remove_loader(self, work: Work) -> None:
        remove_files(self.host, self.source.uuid)
        self.facts.found = None
        if self.facts.domid is not None:
            await self.host.consoles.end(self.domid)

    async def build(self, work: Work) -> None:
        image = await image_of(self.host, self.source.uuid, self.config, self.facts.found)
        with self._explained("load its kernel"):
            rings = await self.host.hypervisor.build(self.domid, image)
        await self.limit_memory(image.memory_kib)
        self.facts.rings = rings
        remove_files(self.host, self.source.uuid)

    async def limit_memory(self, memory_kib: int) -> None:
        """It takes no more than it begins with, whatever maxmem says, until somebody sets its memory."""
        with self._explained("set its memory limit"):
            await self.host.hypervisor.set_max_memory(self.domid, memory_kib)

    async def introduce(self, work: Work) -> None:
        rings, domid = self.rings, self.domid
        with self._explained("introduce it to the store"):
            now = self.host.wall_clock()
            config = booted(self.config, self.facts.found)
            await nodes.write_built(self.host.store, domid, config, rings, now)
            await self.host.store.introduce(domid, rings.store_gfn, rings.store_port)
        self.host.publish("domain", "created", domid=domid, name=self.config.name, uuid=self.source.uuid)

    async def release(self, work: Work) -> None:
        """The store lets go when the domain dies; before that it would tell everybody of its end twice."""

    async def connect_console(self, work: Work) -> None:
        rings, domid = self.rings, self.domid
        with self._explained("connect its console"):
            await nodes.write_console(self.host.store, domid, rings)
            try:
                await self.host.consoles.serve(domid, self.config.name, rings.console_gfn, rings.console_port)
            except ConsoleTaken as error:
                work.warn(_taken(error))
        domain = self.host.domains.get(domid)
        assert domain is not None
        domain.console = (rings.console_gfn, rings.console_port)
        self.host.domains.save(domain)

    async def end_console(self, work: Work) -> None:
        if self.facts.domid is not None:
            await self.host.consoles.end(self.domid)
            with self._explained("remove its console"):
                await nodes.remove_console(self.host.store, self.domid)

    async def start_model(self, work: Work) -> None:
        await start_model(self.host, self.config, self.parts(), self.source.uuid, self.domid)

    async def await_model(self, work: Work) -> None:
        machine = self.config.machine
        lines = 0 if machine is None else len(machine.devices.serial)
        await await_model(self.host, work, self.config.name, self.parts(), self.domid, lines)

    async def let_go(self, work: Work) -> None:
        if images := shown_images(has_tree(self.host, self.domid), self.parts()):
            await let_go(self.host, work, self.domid, self.config.name, images)

    async def end_model(self, work: Work) -> None:
        if self.facts.domid is not None:
            await end_model(self.host, self.domid, self.config.name)

    async def give_usb(self, work: Work) -> None:
        await give_all(self.host, self.source.uuid, self.domid, in_ports(self.config))

    async def take_usb(self, work: Work) -> None:
        if self.facts.domid is not None:
            await take_back_all(self.host, self.domid, in_ports(self.config))

    async def give_cards(self, work: Work) -> None:
        functions = self.facts.functions
        await give_all_cards(self.host, work, self.domid, functions, is_machine=self.is_machine)

    async def put_cards_in(self, work: Work) -> None:
        functions = self.facts.functions
        self.facts.functions = await put_in(self.host, work, self.domid, self.config.name, functions)

    async def take_cards(self, work: Work) -> None:
        if self.facts.domid is not None:
            await take_all(self.host, work, self.domid)

    async def start(self, work: Work) -> None:
        await start(self.host, self.domid, self.config.name)

    # --- what they share ----------------------------------------------------------------------------------

    @property
    def is_machine(self) -> bool:
        """Whether it is an hvm domain."""
        return self.config.machine is not None

    @property
    def domid(self) -> int:
        """Of the domain that was made."""
        assert self.facts.domid is not None
        return self.facts.domid

    @property
    def rings(self) -> Rings:
        """Of the domain that was built."""
        assert self.facts.rings is not None
        return self.facts.rings

    def _explained(self, doing: str) -> AbstractContextManager[None]:
        return explained(doing, self.config.name)

    async def _is_alive(self, domid: int) -> bool:
        info = await self.host.hypervisor.domain(domid)
        return is_domain(info, self.source.uuid) and not info.is_dying


def _taken(error: ConsoleTaken) -> XendError:
    """What is said of a new domain's console that another program has: the ring is right, so one does."""
    return XendError(
        "hypervisor_failed",
        "xend does not serve its console, another program does",
        device="console",
        cause=error.fields["cause"],
        hint="if that is Xen's xenconsoled: stop it, and restart xend",
    )
