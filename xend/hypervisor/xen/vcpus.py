"""Virtual CPUs: XEN_DOMCTL_getvcpuinfo and {get,set}vcpuaffinity (xen/include/public/domctl.h)."""

import errno
from collections.abc import Sequence

from xend.hypervisor import HypervisorError, VcpuInfo
from xend.hypervisor.xen.bitmaps import BITMAP_BITS, BITMAP_SIZE, bitmap_of, numbers_of
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.domains import Domains
from xend.hypervisor.xen.layouts import NODE_AFFINITY, VCPU_AFFINITY, VCPU_INFO
from xend.hypervisor.xen.pools import Pools
from xend.hypervisor.xen.refusal import refusing

SETVCPUAFFINITY = 9
GETVCPUINFO = 14
GETVCPUAFFINITY = 25
GETNODEAFFINITY = 69
#: XEN_VCPUAFFINITY_*.
HARD, SOFT, FORCE = 1, 2, 4


class Vcpus:
    """Every method raises HypervisorError; ESRCH: there is no such domain, or it is dying."""

    def __init__(self, calls: Calls, domains: Domains) -> None:
        self._calls = calls
        self._domains = domains
        self._pools = Pools(calls)

    def of(self, domid: int) -> list[VcpuInfo]:
        """Those of a domain, offline ones included, by rising number."""
        count = self._domains.alive(domid).info.max_vcpus
        with refusing(f"the vCPUs of domain {domid} cannot be looked at"):
            return [self._one(domid, number) for number in range(count)]

    def set_affinity(
        self,
        domid: int,
        vcpu: int,
        hard: Sequence[int] | None,
        soft: Sequence[int] | None,
        force: bool = False,
    ) -> None:
        """See `Hypervisor.set_affinity`: both or neither are set."""
        pool = self._domains.alive(domid).info.pool
        maps = bitmap_of(hard or ()), bitmap_of(soft or ())
        flags = (HARD if hard is not None else 0) | (SOFT if soft is not None else 0)
        if not flags:
            return
        flags |= FORCE if force else 0
        words = ", ".join(
            f"{name} CPUs {','.join(map(str, cpus)) or '(none)'}"
            for name, cpus in (("hard", hard), ("soft", soft))
            if cpus is not None
        )
        what = f"vCPU {vcpu} of domain {domid} cannot have {words}"
        reason = f"it has no vCPU {vcpu}, or none of these CPUs is in its pool (xl cpupool-list -c)"
        if soft is not None and not self._has_any(pool, soft):
            # The hypervisor takes such a one, and never heeds it (domain-build.md 4.2).
            raise HypervisorError(errno.EINVAL, f"{what}: {reason}")
        with refusing(what, {errno.EINVAL: reason}):
            try:
                self._calls.put(b"".join(maps))
                self._calls.domctl(SETVCPUAFFINITY, domid, self._question(vcpu, flags))
            except ProcessLookupError as error:
                raise OSError(errno.EINVAL, "no such vCPU") from error

    def node_affinity(self, domid: int) -> list[int]:
        """See `Control.node_affinity`."""
        self._domains.alive(domid)
        with refusing(f"the NUMA nodes of domain {domid} cannot be looked at"):
            self._calls.put(bytes(BITMAP_SIZE))
            asked = NODE_AFFINITY.pack(nodes=self._calls.extra, bits=BITMAP_BITS)
            self._calls.domctl(GETNODEAFFINITY, domid, asked)
            return numbers_of(self._calls.get(BITMAP_SIZE))

    def _has_any(self, pool: int, cpus: Sequence[int]) -> bool:
        """Whether one of these CPUs is in a pool."""
        return any(each.number == pool and not set(cpus).isdisjoint(each.cpus) for each in self._pools.all())

    def _one(self, domid: int, number: int) -> VcpuInfo:
        info = VCPU_INFO.unpack(self._calls.domctl(GETVCPUINFO, domid, VCPU_INFO.pack(vcpu=number)))
        self._calls.put(bytes(2 * BITMAP_SIZE))
        self._calls.domctl(GETVCPUAFFINITY, domid, self._question(number, HARD | SOFT))
        return VcpuInfo(
            number=number,
            is_online=bool(info["online"]),
            is_running=bool(info["running"]),
            is_blocked=bool(info["blocked"]),
            cpu=info["cpu"],
            cpu_time_ns=info["cpu_time"],
            hard_affinity=numbers_of(self._calls.get(BITMAP_SIZE)),
            soft_affinity=numbers_of(self._calls.get(BITMAP_SIZE, BITMAP_SIZE)),
        )

    def _question(self, vcpu: int, flags: int) -> bytes:
        hard = self._calls.extra
        soft = hard + BITMAP_SIZE
        return VCPU_AFFINITY.pack(
            vcpu=vcpu, flags=flags, hard=hard, hard_bits=BITMAP_BITS, soft=soft, soft_bits=BITMAP_BITS
        )
