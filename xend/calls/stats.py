"""stats.list: the counters of all domains in one answer, for `xl top`, xentop, collectors."""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
import trio

from xend.bus.kinds import FLAG
from xend.bus.methods import Call, Method, optional
from xend.counters import Counters, DiskCounters, InterfaceCounters, Place
from xend.device.vbd import VBD
from xend.device.vif import VIF
from xend.domain.model_counters import counted_by_models
from xend.domain.target import Target
from xend.domain.targets import Targets
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import NO_LIMIT_KIB, HypervisorError
from xend.refusals import explained
from xenstore.errors import ENOENT

Map = dict[str, Any]
_HOST = ("nr_cpus", "cpu_khz", "total_memory_kib", "free_memory_kib", "xen_major", "xen_minor", "xen_extra")
_DOM0 = 0


class StatsCalls:
    """The method, over a host; counters: where backends' figures come from."""

    def __init__(self, host: Host, targets: Targets, counters: Counters) -> None:
        self._host = host
        self._targets = targets
        self._counters = counters
        # Of another xend the clock begins elsewhere: figures of both are not to be compared.
        self._epoch = int(host.wall_clock() * 1_000_000)

    def methods(self) -> list[Method]:
        """It alone."""
        flags = {"vcpus": optional(FLAG), "cpus": optional(FLAG)}
        return [Method("stats.list", "read", flags, self.read)]

    async def read(self, call: Call, vcpus: bool = False, cpus: bool = False) -> Map:
        targets = [each for each in await self._targets.all() if isinstance(each, Target)]
        with explained("read the counters", "this host"):
            at_ns = int(trio.current_time() * 1_000_000_000)
            info = await self._host.hypervisor.host_info()
            idle = {"idle_ns": await self._host.hypervisor.idle_times()} if cpus else {}
            interfaces = await self._counters.interfaces()
            disks = {
                **await self._counters.disks(self._places(VBD.name, targets), self._number_of),
                **await counted_by_models(self._host),
            }
        domains = [self._domain(target, interfaces, disks) for target in targets]
        if vcpus:
            for domain in domains:
                domain["vcpu_times"] = await self._vcpu_times(domain["domid"])
        host = {name: getattr(info, name) for name in _HOST}
        return {"at_ns": at_ns, "epoch": self._epoch, "host": host, "domains": domains, **idle}

    def _domain(
        self,
        target: Target,
        interfaces: Mapping[Place, InterfaceCounters],
        disks: Mapping[Place, DiskCounters],
    ) -> Map:
        info = target.info
        return {
            "domid": info.domid,
            "name": target.name,
            "uuid": info.uuid,
            "running": info.is_running,
            "blocked": info.is_blocked,
            "paused": info.is_paused,
            "shutdown": info.is_shutdown,
            "dying": info.is_dying,
            "shutdown_reason": info.shutdown_reason,
            "cpu_time_ns": info.cpu_time_ns,
            "memory_kib": info.memory_kib,
            "max_memory_kib": None if info.bound_kib >= NO_LIMIT_KIB else info.bound_kib,
            "vcpus": info.vcpus,
            "max_vcpus": info.max_vcpus,
            "ssid": info.ssid,
            "vifs": self._devices(VIF.name, info.domid, interfaces),
            "vbds": self._devices(VBD.name, info.domid, disks),
        }

    def _devices(
        self, kind: str, domid: int, counted: Mapping[Place, InterfaceCounters | DiskCounters]
    ) -> list[Map]:
        """Those that xend knows, and those of other toolstacks, which only dom0's backends tell of."""
        backends = {devid: _DOM0 for its_domid, devid in counted if its_domid == domid}
        known = self._host.backends.of_domain(domid)
        backends |= {device.devid: device.backend_domid for device in known if device.kind == kind}
        return [
            {"devid": devid, "backend_domid": backends[devid], "counters": _as_map(counted, domid, devid)}
            for devid in sorted(backends)
        ]

    def _places(self, kind: str, targets: Iterable[Target]) -> list[Place]:
        return [
            (device.domid, device.devid)
            for target in targets
            for device in self._host.backends.of_domain(target.domid)
            if device.kind == kind and device.backend_domid == _DOM0
        ]

    async def _number_of(self, place: Place) -> str | None:
        try:
            path = "/local/domain/0/backend/vbd/{}/{}/physical-device".format(*place)
            return (await self._host.store.read(path)).decode("ascii", "replace")
        except ENOENT:
            return None

    async def _vcpu_times(self, domid: int) -> list[Map]:
        """Of a domain that has ended meanwhile, none."""
        try:
            with explained("look at its vCPUs", str(domid)):
                vcpus = await self._host.hypervisor.vcpus(domid)
        except XendError as error:
            if isinstance(error.__cause__, HypervisorError):
                return []
            raise
        return [
            {"number": vcpu.number, "online": vcpu.is_online, "cpu_time_ns": vcpu.cpu_time_ns}
            for vcpu in vcpus
        ]


def _as_map(
    counted: Mapping[Place, InterfaceCounters | DiskCounters], domid: int, devid: int
) -> dict[str, int | None] | None:
    """None: nobody has counted."""
    found = counted.get((domid, devid))
    return None if found is None else attrs.asdict(found)
