"""The part of `xend.hypervisor.control` of the driver of a simulated host: each call goes to that process."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from xend.hypervisor.control import Control, Leaf
from xend.hypervisor.scheduling import Parameters, PoolParameters, RealTimeParameters
from xend.hypervisor.topology import Cpu, DeviceNode, Node
from xend.simulator.wire import parameters_of


class SimulatorControl(Control):
    """What `Simulator` is beside its domains."""

    @abstractmethod
    async def _call(self, method: str, **arguments: Any) -> Any:
        """The result of a call."""

    async def topology(self) -> list[Cpu]:
        return [Cpu(**fields) for fields in await self._call("topology")]

    async def cpu_policy(self, type: Literal["pv", "hvm"]) -> list[Leaf] | None:
        rows = await self._call("cpu_policy", type=type)
        return [(row[0], row[1], row[2], row[3], row[4], row[5]) for row in rows]

    async def idle_times(self) -> list[int]:
        return list(await self._call("idle_times"))

    async def nodes(self) -> list[Node]:
        rows = await self._call("nodes")
        return [Node(**{**fields, "distances": tuple(fields["distances"])}) for fields in rows]

    async def device_nodes(self) -> list[DeviceNode]:
        return [DeviceNode(**fields) for fields in await self._call("device_nodes")]

    async def node_affinity(self, domid: int) -> list[int]:
        return list(await self._call("node_affinity", domid=domid))

    async def free_cpus(self) -> list[int]:
        return list(await self._call("free_cpus"))

    async def create_pool(self, scheduler: str) -> int:
        return int(await self._call("create_pool", scheduler=scheduler))

    async def destroy_pool(self, pool: int) -> None:
        await self._call("destroy_pool", pool=pool)

    async def add_cpu(self, pool: int, cpu: int) -> None:
        await self._call("add_cpu", pool=pool, cpu=cpu)

    async def remove_cpu(self, pool: int, cpu: int) -> None:
        await self._call("remove_cpu", pool=pool, cpu=cpu)

    async def move_domain(self, domid: int, pool: int) -> None:
        await self._call("move_domain", domid=domid, pool=pool)

    async def parameters(self, domid: int) -> Parameters:
        return parameters_of(await self._call("parameters", domid=domid))

    async def set_parameters(self, domid: int, parameters: Parameters) -> None:
        await self._call("set_parameters", domid=domid, **attrs.asdict(parameters))

    async def vcpu_parameters(self, domid: int) -> dict[int, RealTimeParameters]:
        rows = await self._call("vcpu_parameters", domid=domid)
        return {int(number): RealTimeParameters(**fields) for number, fields in rows.items()}

    async def set_vcpu_parameters(self, domid: int, vcpus: Mapping[int, RealTimeParameters]) -> None:
        rows = {str(number): attrs.asdict(each) for number, each in vcpus.items()}
        await self._call("set_vcpu_parameters", domid=domid, vcpus=rows)

    async def pool_parameters(self, pool: int) -> PoolParameters:
        return PoolParameters(**await self._call("pool_parameters", pool=pool))

    async def set_pool_parameters(self, pool: int, parameters: PoolParameters) -> None:
        await self._call("set_pool_parameters", pool=pool, **attrs.asdict(parameters))

    async def check_card(self, device: int) -> None:
        await self._call("check_card", device=device)

    async def assign_card(self, domid: int, device: int, is_strict: bool) -> None:
        await self._call("assign_card", domid=domid, device=device, is_strict=is_strict)

    async def release_card(self, domid: int, device: int) -> None:
        await self._call("release_card", domid=domid, device=device)

    async def send_trigger(self, domid: int, trigger: str, vcpu: int) -> None:
        await self._call("send_trigger", domid=domid, trigger=trigger, vcpu=vcpu)

    async def send_debug_keys(self, keys: str) -> None:
        await self._call("send_debug_keys", keys=keys)

    async def set_boot_parameters(self, values: Mapping[str, str]) -> None:
        await self._call("set_boot_parameters", values=dict(values))

    async def is_enforcing(self) -> bool | None:
        enforcing = await self._call("is_enforcing")
        return None if enforcing is None else bool(enforcing)

    async def set_enforcing(self, enforcing: bool) -> None:
        await self._call("set_enforcing", enforcing=enforcing)

    async def label_number(self, label: str) -> int:
        return int(await self._call("label_number", label=label))

    async def label_of(self, number: int) -> str:
        return str(await self._call("label_of", number=number))

    async def set_label(self, domid: int, number: int) -> None:
        await self._call("set_label", domid=domid, number=number)

    async def load_policy(self, policy: bytes) -> None:
        # A simulated host refuses every policy; that it is one is not worth a message of its length.
        await self._call("load_policy", policy=b"")
