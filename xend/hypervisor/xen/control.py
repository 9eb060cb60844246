"""The real Xen's part of `xend.hypervisor.control`: each call is one of a subject's, in a file of its own."""

from collections.abc import Mapping
from typing import Literal

import trio

from xend.hypervisor import Hypervisor, Leaf
from xend.hypervisor.scheduling import Parameters, PoolParameters, RealTimeParameters
from xend.hypervisor.topology import Cpu, DeviceNode, Node
from xend.hypervisor.xen.boot_parameters import BootParameters
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.cards import Cards
from xend.hypervisor.xen.domains import Domains
from xend.hypervisor.xen.host import Host
from xend.hypervisor.xen.messages import Messages
from xend.hypervisor.xen.pci_nodes import PciNodes
from xend.hypervisor.xen.pool_scheduler import PoolScheduler
from xend.hypervisor.xen.pools import Pools
from xend.hypervisor.xen.scheduler import Scheduler
from xend.hypervisor.xen.security import Security
from xend.hypervisor.xen.vcpus import Vcpus


class XenControl(Hypervisor):
    """What `Xen` is beside its domains.

    Attributes:
        host: the host, its topology and NUMA nodes.
        cpu_pools: CPU pools.
        scheduler: parameters of domains.
        messages: what the hypervisor writes, and debug keys.
    """

    def __init__(self, calls: Calls) -> None:
        self.host = Host(calls)
        self.cpu_pools = Pools(calls)
        self.messages = Messages(calls)
        self._domains = Domains(calls)
        self.scheduler = Scheduler(calls, self._domains)
        self._vcpus = Vcpus(calls, self._domains)
        self._pool_scheduler = PoolScheduler(calls)
        self._pci_nodes = PciNodes(calls)
        self._cards = Cards(calls)
        self._boot_parameters = BootParameters(calls)
        self._security = Security(calls)

    async def topology(self) -> list[Cpu]:
        await trio.lowlevel.checkpoint()
        return self.host.topology()

    async def cpu_policy(self, type: Literal["pv", "hvm"]) -> list[Leaf] | None:
        await trio.lowlevel.checkpoint()
        return self.host.cpu_policy(type)

    async def idle_times(self) -> list[int]:
        await trio.lowlevel.checkpoint()
        return self.host.idle_times()

    async def nodes(self) -> list[Node]:
        await trio.lowlevel.checkpoint()
        return self.host.nodes()

    async def device_nodes(self) -> list[DeviceNode]:
        await trio.lowlevel.checkpoint()
        return self._pci_nodes.all()

    async def node_affinity(self, domid: int) -> list[int]:
        await trio.lowlevel.checkpoint()
        return self._vcpus.node_affinity(domid)

    async def free_cpus(self) -> list[int]:
        await trio.lowlevel.checkpoint()
        return self.cpu_pools.free_cpus()

    async def create_pool(self, scheduler: str) -> int:
        await trio.lowlevel.checkpoint()
        return self.cpu_pools.create(scheduler)

    async def destroy_pool(self, pool: int) -> None:
        await trio.lowlevel.checkpoint()
        self.cpu_pools.destroy(pool)

    async def add_cpu(self, pool: int, cpu: int) -> None:
        await trio.lowlevel.checkpoint()
        self.cpu_pools.add_cpu(pool, cpu)

    async def remove_cpu(self, pool: int, cpu: int) -> None:
        await trio.lowlevel.checkpoint()
        self.cpu_pools.remove_cpu(pool, cpu)

    async def move_domain(self, domid: int, pool: int) -> None:
        await trio.lowlevel.checkpoint()
        self._domains.alive(domid)
        self.cpu_pools.move_domain(domid, pool)

    async def parameters(self, domid: int) -> Parameters:
        await trio.lowlevel.checkpoint()
        return self.scheduler.parameters(domid)

    async def set_parameters(self, domid: int, parameters: Parameters) -> None:
        await trio.lowlevel.checkpoint()
        self.scheduler.set_parameters(domid, parameters)

    async def vcpu_parameters(self, domid: int) -> dict[int, RealTimeParameters]:
        await trio.lowlevel.checkpoint()
        return self.scheduler.vcpu_parameters(domid)

    async def set_vcpu_parameters(self, domid: int, vcpus: Mapping[int, RealTimeParameters]) -> None:
        await trio.lowlevel.checkpoint()
        self.scheduler.set_vcpu_parameters(domid, vcpus)

    async def pool_parameters(self, pool: int) -> PoolParameters:
        await trio.lowlevel.checkpoint()
        return self._pool_scheduler.parameters(pool)

    async def set_pool_parameters(self, pool: int, parameters: PoolParameters) -> None:
        await trio.lowlevel.checkpoint()
        self._pool_scheduler.set_parameters(pool, parameters)

    async def check_card(self, device: int) -> None:
        await trio.lowlevel.checkpoint()
        self._cards.check(device)

    async def assign_card(self, domid: int, device: int, is_strict: bool) -> None:
        await trio.lowlevel.checkpoint()
        self._cards.assign(domid, device, is_strict)

    async def release_card(self, domid: int, device: int) -> None:
        await trio.lowlevel.checkpoint()
        self._cards.release(domid, device)

    async def send_trigger(self, domid: int, trigger: str, vcpu: int) -> None:
        await trio.lowlevel.checkpoint()
        self._domains.send_trigger(domid, trigger, vcpu)

    async def send_debug_keys(self, keys: str) -> None:
        await trio.lowlevel.checkpoint()
        self.messages.send_debug_keys(keys)

    async def set_boot_parameters(self, values: Mapping[str, str]) -> None:
        await trio.lowlevel.checkpoint()
        self._boot_parameters.set(values)

    async def is_enforcing(self) -> bool | None:
        await trio.lowlevel.checkpoint()
        return self._security.is_enforcing()

    async def set_enforcing(self, enforcing: bool) -> None:
        await trio.lowlevel.checkpoint()
        self._security.set_enforcing(enforcing)

    async def label_number(self, label: str) -> int:
        await trio.lowlevel.checkpoint()
        return self._security.label_number(label)

    async def label_of(self, number: int) -> str:
        await trio.lowlevel.checkpoint()
        return self._security.label_of(number)

    async def set_label(self, domid: int, number: int) -> None:
        await trio.lowlevel.checkpoint()
        self._security.set_label(domid, number)

    async def load_policy(self, policy: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self._security.load_policy(policy)
