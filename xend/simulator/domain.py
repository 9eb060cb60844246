"""A domain of the simulated host: what the hypervisor knows of it, and what its kernel runs on."""

import mmap
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import attrs
import trio

from xend.hypervisor import Blueprint, DomainInfo, HostAccess, Image, Rings, VcpuInfo
from xend.hypervisor.scheduling import Parameters
from xend.simulator.affinity import Affinity, everywhere
from xend.simulator.channel import Channel
from xend.simulator.gate import Gate
from xend.simulator.place import STORE_PORT, DomainFiles

#: How much of a CPU a kernel uses that has nothing to do, and from how much on it counts as running.
IDLE_LOAD = 0.02
BUSY_LOAD = 0.5
#: What booting costs, in seconds of CPU.
BOOT_SECONDS = 0.3


class CpuTime:
    """A modelled figure: it grows by the load times the time that passes while the domain runs."""

    def __init__(self, now: Callable[[], float], load: float = IDLE_LOAD) -> None:
        self._now = now
        self._spent = 0.0
        self._since: float | None = None
        self.load = load

    def run(self) -> None:
        """It runs from now on."""
        if self._since is None:
            self._since = self._now()

    def stop(self) -> None:
        """It does not."""
        self._spent = self.seconds
        self._since = None

    def spend(self, seconds: float) -> None:
        """So much more at once."""
        self._spent += seconds

    def set_load(self, load: float) -> None:
        """Another load from now on."""
        if self._since is not None:
            self.stop()
            self.run()
        self.load = load

    @property
    def seconds(self) -> float:
        """Since the domain was created."""
        running = 0.0 if self._since is None else self._now() - self._since
        return self._spent + running * self.load


@attrs.define(eq=False)
class Run:
    """One boot of a domain's kernel: its ends of pages and channels, until `close`."""

    files: DomainFiles
    store_page: mmap.mmap
    console_page: mmap.mmap
    store_channel: Channel
    console_channel: Channel
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    @classmethod
    def prepare(cls, files: DomainFiles) -> "Run":
        """Map the pages of a domain that was built, and bind its ports."""
        return cls(
            files,
            files.store_page(),
            files.console_page(),
            Channel(files.store_channel, files.home.parent / "store.channel"),
            Channel(files.console_channel, files.consoled_channel),
        )

    def close(self) -> None:
        """The kernel ends at its next checkpoint; nobody reaches it any more."""
        self.scope.cancel()
        self.store_channel.close()
        self.console_channel.close()


@attrs.frozen(eq=False)
class ConsoleHolder:
    """Who has a domain's console mapped; program: which of the programs that use this host."""

    program: object


class Domain:
    """One domain.

    Attributes:
        outstanding_kib: what was claimed for it, and is not its memory yet.
        online: the vCPUs that its kernel uses.
        parameters: how it is scheduled, where that was said: by vCPU under rtds, else None's.
        access: what of the host it may touch.
        holder: who has its console mapped; None: nobody.
        run: its kernel's boot, from `build` until it ends.
        booted_at: when it booted, on trio's clock, as if it had never been saved.
        features: what it has seen of its processor, by name; None: what the host has.
        is_restored: its kernel goes on from what was saved.
    """

    def __init__(
        self, domid: int, blueprint: Blueprint, files: DomainFiles, now: Callable[[], float]
    ) -> None:
        self.domid = domid
        self.uuid = blueprint.uuid
        self.features: Sequence[str] | None = None
        self.type = blueprint.type
        self.pool = blueprint.pool
        self.has_iommu = blueprint.has_iommu
        self.label = blueprint.label
        self.max_vcpus = blueprint.max_vcpus
        self.max_memory_kib = blueprint.max_memory_kib
        self.files = files
        self.cpu = CpuTime(now)
        self.gate = Gate()
        self.memory_kib = 0
        self.outstanding_kib = 0
        self.online: set[int] = set()
        self.affinity: dict[int, Affinity] = {}
        self.parameters: dict[int | None, Parameters] = {}
        self.access: list[HostAccess] = []
        self.image: Image | None = None
        self.rings: Rings | None = None
        self.run: Run | None = None
        self.is_paused = True
        self.is_started = False
        self.is_dying = False
        self.reason: int | None = None
        self.holder: ConsoleHolder | None = None
        self.booted_at: float | None = None
        self.is_restored = False

    def built(self, image: Image, store_gfn: int) -> Rings:
        """It has a kernel from now on; frames and ports are the guest's own, as its builder lays them."""
        port = STORE_PORT + self.domid
        self.image = image
        self.online = set(range(image.vcpus))
        self.rings = Rings(
            store_gfn=store_gfn, store_port=port, console_gfn=store_gfn + 1, console_port=port + 1
        )
        self.run = Run.prepare(self.files)
        return self.rings

    def saved(self, age_s: float) -> dict[str, Any]:
        """Its kernel's state, for `restored`; age_s: how long ago it booted."""
        assert self.image is not None
        image = attrs.asdict(self.image, filter=lambda field, _: field.name != "blueprint")
        return {
            "type": self.type,
            "memory_kib": self.memory_kib,
            "image": image,
            "online": sorted(self.online),
            "age_s": age_s,
            "is_started": self.is_started,
        }

    def restored(self, state: Mapping[str, Any], image: Image, store_gfn: int) -> Rings:
        """Its kernel goes on from what `saved` said, once it runs."""
        rings = self.built(image, store_gfn)
        self.use(state["online"])
        self.is_restored = bool(state["is_started"])
        return rings

    def reset(self, rings: Rings) -> Rings:
        """It shut down for a soft reset, and is ready to go on: the same pages, other ports."""
        self.files.clear_shutdown()
        self.files.close_console()
        self.holder = None
        self.reason = None
        self.is_paused = True
        self.rings = attrs.evolve(rings, store_port=rings.store_port + 2, console_port=rings.console_port + 2)
        self.run = Run.prepare(self.files)
        return self.rings

    def freeze(self) -> None:
        """Its vCPUs stop until it is resumed."""
        self.cpu.stop()
        self.gate.shut()

    def thaw(self, is_paused: bool) -> None:
        """It was not shut down; who runs its vCPUs is another matter."""
        self.files.clear_shutdown()
        self.reason = None
        self.is_paused = is_paused

    def use(self, vcpus: Collection[int]) -> None:
        """Its kernel uses these vCPUs from now on, as far as it has them."""
        self.online = {number for number in vcpus if 0 <= number < self.max_vcpus}

    def stop(self) -> None:
        """Its vCPUs stop, for good or until it is reset."""
        self.cpu.stop()
        self.gate.shut()
        self.is_started = False
        if self.run is not None:
            self.run.close()
            self.run = None

    def info(self) -> DomainInfo:
        """As the hypervisor tells it."""
        is_active = not (self.is_paused or self.is_dying or self.reason is not None)
        is_busy = self.cpu.load >= BUSY_LOAD
        return DomainInfo(
            domid=self.domid,
            uuid=self.uuid,
            is_running=is_active and is_busy,
            is_blocked=is_active and not is_busy,
            is_paused=self.is_paused,
            is_shutdown=self.reason is not None,
            is_dying=self.is_dying,
            shutdown_reason=self.reason,
            memory_kib=self.memory_kib,
            max_memory_kib=self.max_memory_kib,
            bound_kib=self.max_memory_kib,
            outstanding_kib=self.outstanding_kib,
            ssid=self.label,
            cpu_time_ns=round(self.cpu.seconds * 1e9),
            vcpus=len(self.online),
            max_vcpus=self.max_vcpus,
            pool=self.pool,
        )

    def vcpu_infos(self, cpus: Sequence[int], host_cpus: int) -> list[VcpuInfo]:
        """Its vCPUs on the CPUs of its pool, of so many that the host has; those that are online have the
        same share of its time."""
        info = self.info()
        affinities = [self.affinity.get(number) or everywhere(host_cpus) for number in range(self.max_vcpus)]
        possible = [[cpu for cpu in affinity.hard if cpu in cpus] for affinity in affinities]
        return [
            VcpuInfo(
                number=number,
                is_online=number in self.online,
                is_running=number in self.online and info.is_running,
                is_blocked=number in self.online and info.is_blocked,
                cpu=possible[number][(self.domid + number) % len(possible[number])],
                cpu_time_ns=info.cpu_time_ns // len(self.online) if number in self.online else 0,
                hard_affinity=affinity.hard,
                soft_affinity=affinity.soft,
            )
            for number, affinity in enumerate(affinities)
        ]
