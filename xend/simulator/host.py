"""The simulated hypervisor, in this process."""

import errno
import os
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import trio
from sortedcontainers import SortedDict

from xend._sum import Sum
from xend.counters import Counters
from xend.hypervisor import (
    SHUTDOWN_REASONS,
    Blueprint,
    ConsoleRing,
    CpuPool,
    DomainInfo,
    HostAccess,
    HostInfo,
    Hypervisor,
    HypervisorError,
    Image,
    Rings,
    VcpuInfo,
)
from xend.simulator import core_file, description, saved
from xend.simulator.affinity import everywhere
from xend.simulator.card_board import CardBoard
from xend.simulator.console_ring import MappedConsole
from xend.simulator.control import SimulatedControl
from xend.simulator.description import Hardware
from xend.simulator.domain import ConsoleHolder, Domain
from xend.simulator.domids import Domids
from xend.simulator.guest.faults import has_drivers
from xend.simulator.image import check as check_image
from xend.simulator.kernels import Kernels
from xend.simulator.limits import check_access, check_blueprint, without
from xend.simulator.machine import SOFT_RESET, SUSPEND, WATCHDOG
from xend.simulator.memory import PAGE_KIB, Memory, in_pages
from xend.simulator.messages import MessageBuffer
from xend.simulator.place import DOMAIN_CHANGES, Place
from xend.simulator.pools import Pools
from xend.simulator.traffic import Row, SimulatedCounters
from xend.simulator.watchdog import Watchdogs

#: Most characters of a command line.
_COMMAND_LINE_MAX = 4096


class SimulatedHost(SimulatedControl, Hypervisor):
    """The host in a directory, as it is after boot: dom0 alone.  Its kernels run while `run` does.

    Made within trio's run, before a store is started with this directory as its platform.

    random: the only source of chance.

    Attributes:
        reset: why it went down by itself, one line; empty while it has not.
        was_reset: set then.

    Raises:
        OSError: the directory cannot be used.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        random: random.Random,
        hardware: Hardware | None = None,
    ) -> None:
        super().__init__(hardware or Hardware())
        self.place = Place(directory)
        self.name = f"simulated host in {self.place.directory}"
        self.store_platform = f"sim:{self.place.directory}"
        self._random = random
        self._pools = Pools(self.hardware.cpus, self.hardware.pools(), description.SCHEDULER)
        self._boot_number = self.place.prepare()
        CardBoard(self.place.directory, self.hardware.flavour).furnish(self.hardware.cards)
        self._booted_at = trio.current_time()
        self._messages = MessageBuffer(self._now)
        self._memory = Memory(
            self.hardware.memory_kib - description.HYPERVISOR_KIB - self.hardware.dom0_memory_kib
        )
        self._domains: SortedDict[int, Domain] = SortedDict()
        self._created = 0
        self._domids = Domids()
        #: Called whenever a domain is gone for good.
        self.on_gone: Callable[[], object] = lambda: None
        self.reset = ""
        self.was_reset = trio.Event()
        self._watchdogs = Watchdogs(self._watchdog_expired)
        for line in description.boot_lines(self.hardware):
            self._messages.say(line)
        dom0 = self._domains[0] = self._dom0()
        self._kernels = Kernels(
            self.place, self.hardware, self._messages.say, self.guest_shutdown, dom0, self._balloon
        )
        self._kernels.doorbell.fire(DOMAIN_CHANGES)  # a store that lives may know domains that are gone

    def _now(self) -> float:
        """Seconds since the host came up."""
        return trio.current_time() - self._booted_at

    def _dom0(self) -> Domain:
        blueprint = Blueprint(
            uuid="00000000-0000-0000-0000-000000000000",
            max_vcpus=self.hardware.cpus,
            max_memory_kib=self.hardware.dom0_memory_kib,
        )
        dom0 = Domain(0, blueprint, self.place.domain(0), self._now)
        dom0.memory_kib = self.hardware.dom0_memory_kib
        dom0.online = set(range(self.hardware.cpus))
        dom0.is_paused = False
        dom0.cpu.load = 1.0
        dom0.cpu.run()
        return dom0

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve the kernels of all domains, until cancelled or reset."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watchdogs.run)
            await nursery.start(self._kernels.serve)
            task_status.started()
            await self.was_reset.wait()
            nursery.cancel_scope.cancel()

    @property
    def faults(self) -> list[str]:
        """Errors of the simulator's own, one line each; none if it is right."""
        return self._kernels.errors

    @property
    def has_guests(self) -> bool:
        """Whether there is any domain beside dom0."""
        return len(self._domains) > 1

    # --- looking ----------------------------------------------------------------------------------------

    async def host_info(self) -> HostInfo:
        await trio.lowlevel.checkpoint()
        claimed = sum(domain.outstanding_kib for domain in self._domains.values())
        return description.host_info(self.hardware, self._memory.free_kib, claimed)

    async def domains(self) -> list[DomainInfo]:
        await trio.lowlevel.checkpoint()
        return [domain.info() for domain in self._domains.values()]

    async def domain(self, domid: int) -> DomainInfo | None:
        await trio.lowlevel.checkpoint()
        domain = self._domains.get(domid)
        return None if domain is None else domain.info()

    async def vcpus(self, domid: int) -> list[VcpuInfo]:
        await trio.lowlevel.checkpoint()
        domain = self._alive(domid)
        return domain.vcpu_infos(self._pools.get(domain.pool).cpus, self.hardware.cpus)

    async def pools(self) -> list[CpuPool]:
        await trio.lowlevel.checkpoint()
        members = [domain.pool for domain in self._domains.values()]
        return [
            CpuPool(
                number=number, scheduler=pool.scheduler, domains=members.count(number), cpus=tuple(pool.cpus)
            )
            for number, pool in self._pools.items()
        ]

    def counters(self) -> Counters:
        return SimulatedCounters(self.counted)

    async def counted(self) -> list[Row]:
        """What dom0's backends have counted."""
        await trio.lowlevel.checkpoint()
        return self._kernels.counted()

    async def message_buffer(self, clear: bool = False) -> bytes:
        await trio.lowlevel.checkpoint()
        return self._messages.read(clear)

    # --- making a domain --------------------------------------------------------------------------------

    async def create(self, blueprint: Blueprint) -> int:
        await trio.lowlevel.checkpoint()
        check_blueprint(blueprint, self.hardware, self._pools.numbers())
        domid = self._domids.next(self._domains)
        domain = Domain(domid, blueprint, self.place.domain(domid), self._now)
        try:
            domain.files.create((self._boot_number << 32) + self._created + 1)
        except OSError as error:
            domain.files.remove()
            raise HypervisorError(error.errno or errno.EIO, f"domain {domid}: {error}") from error
        self._created += 1
        self._domains[domid] = domain
        self._messages.say(
            f"d{domid}: created, {blueprint.type}, {blueprint.uuid}, {blueprint.max_vcpus} vCPUs, "
            f"at most {blueprint.max_memory_kib} KiB"
        )
        return domid

    async def claim(self, domid: int, memory_kib: int) -> None:
        await trio.lowlevel.checkpoint()
        domain = self._guest(domid)
        wanted = in_pages(memory_kib)
        if domain.outstanding_kib:
            raise HypervisorError(
                errno.EINVAL, f"for domain {domid} {domain.outstanding_kib} KiB are claimed"
            )
        self._check_bound(domain, memory_kib)
        self._take(domain, wanted)
        domain.outstanding_kib = wanted

    async def set_affinity(
        self,
        domid: int,
        vcpu: int,
        hard: Sequence[int] | None,
        soft: Sequence[int] | None,
        force: bool = False,
    ) -> None:
        await trio.lowlevel.checkpoint()
        domain = self._alive(domid)
        if not 0 <= vcpu < domain.max_vcpus:
            raise HypervisorError(errno.EINVAL, f"domain {domid} has no vCPU {vcpu}")
        pool = self._pools.get(domain.pool).cpus
        before = domain.affinity.get(vcpu) or everywhere(self.hardware.cpus)
        domain.affinity[vcpu] = before.changed(hard, soft, pool)

    async def allow_access(self, domid: int, access: HostAccess) -> None:
        await trio.lowlevel.checkpoint()
        domain = self._guest(domid)
        check_access(access)
        domain.access.append(access)

    async def deny_access(self, domid: int, access: HostAccess) -> None:
        await trio.lowlevel.checkpoint()
        domain = self._guest(domid)
        domain.access = [left for each in domain.access if (left := without(each, access)) != HostAccess()]

    async def build(self, domid: int, image: Image) -> Rings:
        await trio.lowlevel.checkpoint()
        domain = self._guest(domid)
        if domain.rings is not None:
            raise HypervisorError(errno.EEXIST, f"domain {domid} was built already")
        self._memory.give(domain.outstanding_kib)
        domain.outstanding_kib = 0
        memory_kib = in_pages(image.memory_kib)
        self._check_bound(domain, image.memory_kib)
        if not 1 <= image.vcpus <= domain.max_vcpus or len(image.command_line) > _COMMAND_LINE_MAX:
            raise HypervisorError(
                errno.EINVAL,
                f"domain {domid}: 1 to {domain.max_vcpus} vCPUs, a command line of at most "
                f"{_COMMAND_LINE_MAX} characters",
            )
        check_image(image)
        self._take(domain, memory_kib)
        try:
            domain.files.make_pages()
            rings = domain.built(image, 0x40000 + self._random.randrange(0x40000) * 2)
        except OSError as error:
            self._memory.give(memory_kib)
            raise HypervisorError(error.errno or errno.EIO, f"domain {domid}: {error}") from error
        domain.memory_kib = memory_kib
        self._messages.say(f"d{domid}: built from {image.kernel}, {domain.memory_kib} KiB")
        if not domain.is_paused:  # Xen lets one run that was not built, and what is there then runs
            self._run_kernel(domain)
        return rings

    def _check_bound(self, domain: Domain, memory_kib: int) -> None:
        if not 0 <= in_pages(memory_kib) <= in_pages(domain.max_memory_kib):
            raise HypervisorError(
                errno.EINVAL, f"domain {domain.domid} may have {domain.max_memory_kib} KiB, not {memory_kib}"
            )

    def _take(self, domain: Domain, kib: int) -> None:
        if not self._memory.take(kib):
            raise HypervisorError(
                errno.ENOMEM,
                f"domain {domain.domid} cannot have {kib} KiB: {self._memory.free_kib} KiB are free",
            )

    # --- its life ---------------------------------------------------------------------------------------

    async def unpause(self, domid: int) -> None:
        await trio.lowlevel.checkpoint()
        domain = self._guest(domid)
        if domain.reason is not None or not domain.is_paused:
            return
        domain.is_paused = False
        self._run_kernel(domain)
        self._messages.say(f"d{domid}: runs")

    def _run_kernel(self, domain: Domain) -> None:
        """It goes on, or boots; one that was not built has nothing to run."""
        domain.cpu.run()
        domain.gate.open()
        if domain.rings is not None and not domain.is_started:
            domain.is_started = True
            self._kernels.start(domain, self._random.getrandbits(64), self._balloon, self._watchdogs.set)

    async def pause(self, domid: int) -> None:
        await trio.lowlevel.checkpoint()
        domain = self._guest(domid)
        if domain.reason is not None or domain.is_paused:
            return
        domain.is_paused = True
        domain.cpu.stop()
        domain.gate.shut()
        self._messages.say(f"d{domid}: paused")

    async def shutdown(self, domid: int, reason: int) -> None:
        await trio.lowlevel.checkpoint()
        domain = self._guest(domid)
        if not 0 <= reason < len(SHUTDOWN_REASONS):
            raise HypervisorError(errno.EINVAL, f"there is no shutdown reason {reason}")
        self.guest_shutdown(domain, reason)

    def guest_shutdown(self, domain: Domain, reason: int) -> None:
        """A domain shuts down; nothing happens if it has, or is dying."""
        if domain.reason is not None or domain.is_dying:
            return
        domain.reason = reason
        domain.is_paused = False
        if reason == SUSPEND:
            domain.freeze()
        else:
            domain.stop()
        self._watchdogs.forget(domain)
        domain.files.mark_shutdown()
        self._messages.say(f"d{domain.domid}: shut down ({SHUTDOWN_REASONS[reason]})")
        self._kernels.doorbell.fire(DOMAIN_CHANGES)

    async def destroy(self, domid: int) -> None:
        await trio.lowlevel.checkpoint()
        if (domain := self._domains.get(domid)) is not None and domain.is_dying:
            return
        domain = self._guest(domid)
        domain.is_dying = True
        domain.stop()
        self.cards.forget(domid)
        self._watchdogs.forget(domain)
        domain.files.remove()
        self._memory.give(domain.memory_kib + domain.outstanding_kib)
        domain.memory_kib = domain.outstanding_kib = 0
        self._messages.say(f"d{domid}: destroyed")
        self._bury(domain)
        self._kernels.doorbell.fire(DOMAIN_CHANGES)

    def _bury(self, domain: Domain) -> None:
        if domain.is_dying and domain.holder is None and self._domains.pop(domain.domid, None) is not None:
            self.on_gone()

    async def set_max_memory(self, domid: int, max_memory_kib: int) -> None:
        await trio.lowlevel.checkpoint()
        domain = self._alive(domid)
        if max_memory_kib < 0:
            raise HypervisorError(errno.EINVAL, f"domain {domid} cannot have {max_memory_kib} KiB")
        domain.max_memory_kib = max_memory_kib

    def _balloon(self, domain: Domain, wanted_kib: int) -> int:
        """As Machine.set_memory: grows as far as memory goes, in whole pages."""
        wanted = max(0, min(wanted_kib, domain.max_memory_kib)) // PAGE_KIB * PAGE_KIB
        if domain.is_dying or domain.reason is not None:
            return domain.memory_kib
        if wanted > domain.memory_kib:
            grown = min(wanted - domain.memory_kib, self._memory.free_kib // PAGE_KIB * PAGE_KIB)
            self._memory.take(grown)
            domain.memory_kib += grown
        elif wanted_kib < domain.memory_kib:
            self._memory.give(domain.memory_kib - wanted)
            domain.memory_kib = wanted
        return domain.memory_kib

    async def soft_reset(self, domid: int, rings: Rings) -> Rings:
        await trio.lowlevel.checkpoint()
        domain = self._guest(domid)
        if domain.reason != SOFT_RESET or domain.type == "pv":
            why = "is paravirtual" if domain.type == "pv" else "did not shut down for a soft reset"
            raise HypervisorError(errno.EINVAL, f"domain {domid} {why}")
        try:
            made = domain.reset(rings)
        except OSError as error:
            raise HypervisorError(error.errno or errno.EIO, f"domain {domid}: {error}") from error
        self._messages.say(f"d{domid}: was reset, and is ready to go on")
        self._kernels.doorbell.fire(DOMAIN_CHANGES)
        return made

    async def dump_core(self, domid: int, path: str) -> None:
        await trio.lowlevel.checkpoint()
        domain = self._guest(domid)
        core_file.write(path, core_file.core(domain.memory_kib, domain.max_vcpus))
        self._messages.say(f"d{domid}: core in {path}")

    # --- saving -----------------------------------------------------------------------------------------

    async def hears(self, domid: int) -> bool:
        await trio.lowlevel.checkpoint()
        domain = self._guest(domid)
        return domain.type != "hvm" or (domain.image is not None and has_drivers(domain.image.command_line))

    async def save(self, domid: int, fd: int, suspend: Callable[[], Awaitable[None]], checksum: Sum) -> Sum:
        await self.saved_state(domid)  # to refuse what cannot be saved before it is suspended
        await suspend()
        state = await self.saved_state(domid, must_be_suspended=True)
        saved.write(fd, state.pop("type"), state)
        return checksum

    async def restore(self, domid: int, fd: int, image: Image, checksum: Sum) -> tuple[Rings, Sum]:
        await trio.lowlevel.checkpoint()
        self._guest(domid)
        return await self.restore_state(domid, *saved.read(fd)), checksum

    async def saved_state(self, domid: int, must_be_suspended: bool = False) -> dict[str, Any]:
        """What its stream holds of it.

        Raises:
            HypervisorError: as `save`.
        """
        await trio.lowlevel.checkpoint()
        domain = self._guest(domid)
        if domain.rings is None:
            raise HypervisorError(errno.EINVAL, f"domain {domid} was not built")
        if must_be_suspended and domain.reason != SUSPEND:
            raise HypervisorError(errno.EINVAL, f"domain {domid} was not suspended")
        age_s = 0.0 if domain.booted_at is None else trio.current_time() - domain.booted_at
        self._messages.say(f"d{domid}: saved")
        return domain.saved(age_s) | {"features": list(domain.features or self.hardware.features)}

    async def restore_state(self, domid: int, type: str, state: Mapping[str, Any]) -> Rings:
        """Give a new domain what a stream held.

        Raises:
            HypervisorError: as `restore`.
        """
        await trio.lowlevel.checkpoint()
        domain = self._guest(domid)
        if domain.rings is not None:
            raise HypervisorError(errno.EEXIST, f"domain {domid} was built already")
        if (type == "pv") != (domain.type == "pv"):
            raise HypervisorError(errno.EINVAL, f"domain {domid} is {domain.type}, what was saved is {type}")
        self._memory.give(domain.outstanding_kib)
        domain.outstanding_kib = 0
        try:
            memory_kib, image = saved.image_of(state, domid)
        except (KeyError, TypeError, ValueError) as error:
            raise HypervisorError(errno.EINVAL, f"domain {domid}: no state of a kernel: {error}") from error
        if memory_kib > in_pages(domain.max_memory_kib):
            raise HypervisorError(
                errno.ENOMEM, f"domain {domid} may have {domain.max_memory_kib} KiB, not {memory_kib}"
            )
        self._take(domain, memory_kib)
        try:
            domain.files.make_pages()
            rings = domain.restored(state, image, 0x40000 + self._random.randrange(0x40000) * 2)
        except OSError as error:
            self._memory.give(memory_kib)
            raise HypervisorError(error.errno or errno.EIO, f"domain {domid}: {error}") from error
        domain.memory_kib = memory_kib
        domain.booted_at = trio.current_time() - float(state["age_s"])
        domain.features = state.get("features")
        self._messages.say(f"d{domid}: restored, {memory_kib} KiB")
        return rings

    async def resume(self, domid: int, is_cooperative: bool = True, is_paused: bool = False) -> None:
        await trio.lowlevel.checkpoint()
        domain = self._guest(domid)
        if domain.reason != SUSPEND:
            raise HypervisorError(errno.EINVAL, f"domain {domid} was not suspended")
        domain.thaw(is_paused)
        if not is_paused:
            self._run_kernel(domain)
        self._messages.say(f"d{domid}: resumed")

    # --- watchdogs --------------------------------------------------------------------------------------

    async def watchdog(self, timer: int, timeout_s: int) -> int:
        await trio.lowlevel.checkpoint()
        return self._watchdogs.set(self._domains[0], timer, timeout_s)

    def _watchdog_expired(self, domain: Domain, timer: int) -> None:
        self._messages.say(f"d{domain.domid}: watchdog timer {timer} expired")
        if domain.domid:
            self.guest_shutdown(domain, WATCHDOG)
            return
        self.reset = f"{self.name}: reset, as dom0's watchdog timer {timer} expired"
        self._messages.say("dom0's watchdog resets the host")
        self.was_reset.set()

    # --- its console ------------------------------------------------------------------------------------

    async def open_console(self, domid: int, gfn: int, port: int) -> ConsoleRing:
        await trio.lowlevel.checkpoint()
        release = self.claim_console(domid, gfn, port, self)
        try:
            return MappedConsole(self.place.directory, domid, release)
        except BaseException:
            release()
            raise

    def claim_console(self, domid: int, gfn: int, port: int, program: object) -> Callable[[], None]:
        """Count a program as holding the console page, until what is returned is called.

        Raises:
            HypervisorError: as open_console.
        """
        domain = self._guest(domid)
        rings = domain.rings
        if rings is None or gfn not in (0, rings.console_gfn) or port != rings.console_port:
            raise HypervisorError(errno.EINVAL, f"domain {domid} has no console at frame {gfn}, port {port}")
        if domain.holder is not None and domain.holder.program is not program:
            raise HypervisorError(errno.EINVAL, f"another program has the port {port} of domain {domid}")
        holder = domain.holder = ConsoleHolder(program)

        def release() -> None:
            if domain.holder is holder:
                domain.holder = None
                self._bury(domain)

        return release

    # --- the end ----------------------------------------------------------------------------------------

    async def close(self) -> None:
        await trio.lowlevel.checkpoint()

    def power_off(self) -> None:
        """All domains end at once, and their files go; those of dom0 stay for the host that comes after."""
        for domain in self._domains.values():
            domain.stop()
        self.place.sweep()
        self._domains.clear()
        self._kernels.doorbell.fire(DOMAIN_CHANGES)
        self._kernels.close()

    def _guest(self, domid: int) -> Domain:
        domain = self._alive(domid)
        if domid == 0:
            raise HypervisorError(errno.EPERM, "dom0 cannot do that to itself")
        return domain
