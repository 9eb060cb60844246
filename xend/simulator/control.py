"""The simulated host's part of `xend.hypervisor.control`."""

import errno
from abc import abstractmethod
from collections.abc import Callable, Mapping, MutableMapping
from typing import Literal

import trio

from xend.hypervisor import SHUTDOWN_REASONS, HypervisorError
from xend.hypervisor.control import QUARANTINE, TRIGGERS, Control, Leaf
from xend.hypervisor.scheduling import Parameters, PoolParameters, RealTimeParameters
from xend.hypervisor.topology import Cpu, DeviceNode, Node
from xend.simulator.card_owners import CardOwners
from xend.simulator.description import Hardware
from xend.simulator.domain import Domain
from xend.simulator.memory import Memory
from xend.simulator.messages import MessageBuffer
from xend.simulator.pools import Pools, check_parameters
from xend.stream.features import leaves_of

#: What of its command line this hypervisor lets be changed while it runs.
BOOT_PARAMETERS = ("console_timestamps", "guest_loglvl", "loglvl")

#: What a machine's guest does at a button: it is one that knows ACPI.
_BUTTONS: Mapping[str, str] = {"power": "poweroff", "reset": "reboot"}
#: What a policy of FLASK begins with (xen/xsm/flask/ss/policydb.h).
POLICY_MAGIC = (0xF97CFF8C).to_bytes(4, "little")


class SimulatedControl(Control):
    """What `SimulatedHost` is beside its domains.

    Attributes:
        boot_parameters: those that were changed.
        cards: which domain has which PCI function.
    """

    _pools: Pools
    _memory: Memory
    _messages: MessageBuffer
    _domains: MutableMapping[int, Domain]
    _now: Callable[[], float]

    def __init__(self, hardware: Hardware) -> None:
        self.hardware = hardware
        self.boot_parameters: dict[str, str] = {}
        self._enforcing = True
        self.cards = CardOwners(self.hardware)

    @abstractmethod
    def guest_shutdown(self, domain: Domain, reason: int) -> None:
        """See `SimulatedHost`."""

    def _alive(self, domid: int) -> Domain:
        domain = self._domains.get(domid)
        if domain is None or domain.is_dying:
            raise HypervisorError(errno.ESRCH, f"domain {domid} does not exist")
        return domain

    # --- where everything is ------------------------------------------------------------------------------

    async def topology(self) -> list[Cpu]:
        await trio.lowlevel.checkpoint()
        node_of = self.hardware.node_of
        return [Cpu(number, number, node_of(number), node_of(number)) for number in range(self.hardware.cpus)]

    async def cpu_policy(self, type: Literal["pv", "hvm"]) -> list[Leaf] | None:
        await trio.lowlevel.checkpoint()
        return leaves_of(self.hardware.features)

    async def idle_times(self) -> list[int]:
        """What the domains did not use, shared alike by all CPUs: none of them is anybody's in particular."""
        await trio.lowlevel.checkpoint()
        cpus = self.hardware.cpus
        used = sum(domain.info().cpu_time_ns for domain in self._domains.values())
        return [max(0, int(self._now() * 1_000_000_000) - used // cpus)] * cpus

    async def nodes(self) -> list[Node]:
        await trio.lowlevel.checkpoint()
        count = self.hardware.nodes
        size, free = (kib * 1024 // count for kib in (self.hardware.memory_kib, self._memory.free_kib))
        return [
            Node(number, size, free, tuple(10 if other == number else 20 for other in range(count)))
            for number in range(count)
        ]

    async def device_nodes(self) -> list[DeviceNode]:
        await trio.lowlevel.checkpoint()
        return []

    async def node_affinity(self, domid: int) -> list[int]:
        await trio.lowlevel.checkpoint()
        domain = self._alive(domid)
        cpus = {cpu for each in domain.affinity.values() for cpu in each.hard}
        if len(domain.affinity) < domain.max_vcpus:  # the others run anywhere
            cpus = set(range(self.hardware.cpus))
        return sorted({self.hardware.node_of(cpu) for cpu in cpus & set(self._pools.get(domain.pool).cpus)})

    # --- CPU pools ----------------------------------------------------------------------------------------

    async def free_cpus(self) -> list[int]:
        await trio.lowlevel.checkpoint()
        return self._pools.free()

    async def create_pool(self, scheduler: str) -> int:
        await trio.lowlevel.checkpoint()
        return self._pools.create(scheduler)

    async def destroy_pool(self, pool: int) -> None:
        await trio.lowlevel.checkpoint()
        self._pools.destroy(pool, self._members(pool))

    async def add_cpu(self, pool: int, cpu: int) -> None:
        await trio.lowlevel.checkpoint()
        self._pools.add_cpu(pool, cpu)
        self._fit_affinities(pool)

    async def remove_cpu(self, pool: int, cpu: int) -> None:
        await trio.lowlevel.checkpoint()
        self._pools.remove_cpu(pool, cpu, self._members(pool))
        self._fit_affinities(pool)

    async def move_domain(self, domid: int, pool: int) -> None:
        await trio.lowlevel.checkpoint()
        domain = self._alive(domid)
        if pool not in self._pools or not self._pools.get(pool).cpus:
            raise HypervisorError(errno.ESRCH, f"there is no CPU pool {pool}, or it has no CPU")
        if pool != domain.pool:
            domain.pool = pool
            domain.affinity.clear()
            domain.parameters.clear()

    def _members(self, pool: int) -> int:
        """How many domains run in a pool."""
        return sum(domain.pool == pool for domain in self._domains.values())

    def _fit_affinities(self, pool: int) -> None:
        """vCPUs of which no CPU is left may run anywhere in their pool."""
        cpus = set(self._pools.get(pool).cpus)
        for domain in self._domains.values():
            if domain.pool == pool:
                domain.affinity = {
                    vcpu: each for vcpu, each in domain.affinity.items() if cpus.intersection(each.hard)
                }

    # --- PCI functions ------------------------------------------------------------------------------------

    async def check_card(self, device: int) -> None:
        await trio.lowlevel.checkpoint()
        self.cards.check(device)

    async def assign_card(self, domid: int, device: int, is_strict: bool) -> None:
        await trio.lowlevel.checkpoint()
        if domid != QUARANTINE and not self._alive(domid).has_iommu:
            raise HypervisorError(errno.EOPNOTSUPP, f"domain {domid} was created without an IOMMU")
        self.cards.assign(domid, device)

    async def release_card(self, domid: int, device: int) -> None:
        await trio.lowlevel.checkpoint()
        self.cards.release(domid, device)

    # --- schedulers ---------------------------------------------------------------------------------------

    async def parameters(self, domid: int) -> Parameters:
        await trio.lowlevel.checkpoint()
        domain = self._alive(domid)
        return domain.parameters.get(None) or self._usual(domain)

    async def set_parameters(self, domid: int, parameters: Parameters) -> None:
        await trio.lowlevel.checkpoint()
        domain = self._alive(domid)
        check_parameters(parameters, self._pools.get(domain.pool).of_domains, domain.max_vcpus)
        if isinstance(parameters, RealTimeParameters):
            domain.parameters.update(dict.fromkeys(range(domain.max_vcpus), parameters))
        else:
            domain.parameters[None] = parameters

    async def vcpu_parameters(self, domid: int) -> dict[int, RealTimeParameters]:
        await trio.lowlevel.checkpoint()
        domain = self._alive(domid)
        usual = self._usual(domain)
        if not isinstance(usual, RealTimeParameters):
            raise HypervisorError(errno.EOPNOTSUPP, f"domain {domid} has no parameters for each vCPU")
        found = {number: domain.parameters.get(number, usual) for number in range(domain.max_vcpus)}
        return {number: each for number, each in found.items() if isinstance(each, RealTimeParameters)}

    async def set_vcpu_parameters(self, domid: int, vcpus: Mapping[int, RealTimeParameters]) -> None:
        await trio.lowlevel.checkpoint()
        domain = self._alive(domid)
        for number, parameters in vcpus.items():
            if not 0 <= number < domain.max_vcpus:
                raise HypervisorError(errno.EINVAL, f"domain {domid} has no vCPU {number}")
            check_parameters(parameters, self._pools.get(domain.pool).of_domains, domain.max_vcpus)
        for number, parameters in vcpus.items():
            domain.parameters[number] = parameters

    def _usual(self, domain: Domain) -> Parameters:
        usual = self._pools.get(domain.pool).of_domains
        if usual is None:
            raise HypervisorError(
                errno.EOPNOTSUPP, f"domain {domain.domid} runs under a scheduler without parameters"
            )
        return usual

    async def pool_parameters(self, pool: int) -> PoolParameters:
        await trio.lowlevel.checkpoint()
        return self._pools.get(pool).parameters

    async def set_pool_parameters(self, pool: int, parameters: PoolParameters) -> None:
        await trio.lowlevel.checkpoint()
        self._pools.set_parameters(pool, parameters)

    # --- what else can be done ----------------------------------------------------------------------------

    async def send_trigger(self, domid: int, trigger: str, vcpu: int) -> None:
        await trio.lowlevel.checkpoint()
        domain = self._alive(domid)
        is_there = trigger in TRIGGERS and 0 <= vcpu < domain.max_vcpus
        if not is_there or (trigger != "nmi" and domain.type == "pv"):
            raise HypervisorError(
                errno.EINVAL,
                f"{trigger} cannot be sent to vCPU {vcpu} of domain {domid}: there is no such trigger "
                "or vCPU, or it is not for domains of its type",
            )
        self._messages.say(f"d{domid}v{vcpu}: {trigger}")
        if domain.type == "hvm" and trigger in _BUTTONS:
            self.guest_shutdown(domain, SHUTDOWN_REASONS.index(_BUTTONS[trigger]))

    async def send_debug_keys(self, keys: str) -> None:
        await trio.lowlevel.checkpoint()
        if not keys or not keys.isascii():
            raise HypervisorError(errno.EINVAL, "debug keys are one or more ASCII characters")
        for key in keys:
            self._messages.say(f"'{key}' pressed -> nothing to show in a simulated host")

    async def set_boot_parameters(self, values: Mapping[str, str]) -> None:
        await trio.lowlevel.checkpoint()
        for name in values:
            if name not in BOOT_PARAMETERS:
                raise HypervisorError(
                    errno.ENOENT,
                    f"there is no parameter {name} that can be changed: {', '.join(BOOT_PARAMETERS)}",
                )
        for name, value in values.items():
            self.boot_parameters[name] = value
            self._messages.say(f"parameter {name} is {value}")

    async def is_enforcing(self) -> bool | None:
        await trio.lowlevel.checkpoint()
        return self._enforcing if self.hardware.labels else None

    async def set_enforcing(self, enforcing: bool) -> None:
        await trio.lowlevel.checkpoint()
        self._require_flask()
        self._enforcing = enforcing

    async def label_number(self, label: str) -> int:
        await trio.lowlevel.checkpoint()
        self._require_flask()
        if label not in self.hardware.labels:
            raise HypervisorError(errno.EINVAL, f"the policy of FLASK has no label {label}")
        return self.hardware.labels.index(label) + 1

    async def label_of(self, number: int) -> str:
        await trio.lowlevel.checkpoint()
        self._require_flask()
        if not 0 <= number <= len(self.hardware.labels):
            raise HypervisorError(errno.EINVAL, f"the policy of FLASK has no label {number}")
        return ("system_u:system_r:unlabeled_t", *self.hardware.labels)[number]

    async def set_label(self, domid: int, number: int) -> None:
        await trio.lowlevel.checkpoint()
        self._require_flask()
        domain = self._alive(domid)
        if not 1 <= number <= len(self.hardware.labels):
            raise HypervisorError(errno.EINVAL, f"the policy of FLASK has no label {number}")
        domain.label = number

    async def load_policy(self, policy: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self._require_flask()
        if not policy.startswith(POLICY_MAGIC):
            raise HypervisorError(errno.EINVAL, "that is no policy")

    def _require_flask(self) -> None:
        if not self.hardware.labels:
            raise _without_flask()


def _without_flask() -> HypervisorError:
    return HypervisorError(errno.ENOSYS, "a simulated host has no FLASK")
