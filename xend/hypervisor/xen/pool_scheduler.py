"""How the scheduler of a CPU pool works: XEN_SYSCTL_scheduler_op (xen/include/public/sysctl.h)."""

import errno
from typing import Any

import attrs

from xend.hypervisor import HypervisorError
from xend.hypervisor.scheduling import PoolParameters, range_complaint
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.host import scheduler_number
from xend.hypervisor.xen.layouts import CREDIT2_SCHEDULE, CREDIT_SCHEDULE, POOL_SCHEDULER_OP
from xend.hypervisor.xen.pools import Pools
from xend.hypervisor.xen.refusal import refusing

SCHEDULER_OP_OP = 19
PUT, GET = range(2)
_LAYOUTS = {"credit": CREDIT_SCHEDULE, "credit2": CREDIT2_SCHEDULE}
#: The fields of these layouts, and of PoolParameters.
_NAMES = {"timeslice": "timeslice_ms", "ratelimit": "ratelimit_us", "delay": "migration_delay_us"}


class PoolScheduler:
    """Every method raises HypervisorError: ENOENT: there is no such pool."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._pools = Pools(calls)

    def parameters(self, pool: int) -> PoolParameters:
        """See `Control.pool_parameters`."""
        scheduler = self._of(pool)
        if scheduler not in _LAYOUTS:
            return PoolParameters()
        return PoolParameters(**{_NAMES[key]: value for key, value in self._now(pool, scheduler).items()})

    def set_parameters(self, pool: int, parameters: PoolParameters) -> None:
        """See `Control.set_pool_parameters`."""
        scheduler = self._of(pool)
        wanted = {key: value for key, value in attrs.asdict(parameters).items() if value is not None}
        values = self._now(pool, scheduler) if scheduler in _LAYOUTS else {}
        for name, value in wanted.items():
            if (complaint := range_complaint(name, value)) is not None:
                raise HypervisorError(errno.EINVAL, f"CPU pool {pool}: {complaint}")
            key = next(key for key, known in _NAMES.items() if known == name)
            if key not in values:
                raise HypervisorError(
                    errno.EOPNOTSUPP, f"CPU pool {pool} has the scheduler {scheduler}, which has no {name}"
                )
            values[key] = value
        if not wanted:
            return
        refused = {errno.EINVAL: "out of range, or the ratelimit is longer than the timeslice"}
        with refusing(f"CPU pool {pool} cannot have {parameters}", refused):
            self._ask(pool, scheduler, PUT, _LAYOUTS[scheduler].pack(**values))

    def _of(self, pool: int) -> str:
        for each in self._pools.all():
            if each.number == pool:
                return each.scheduler
        raise HypervisorError(errno.ENOENT, f"there is no CPU pool {pool}; xl cpupool-list shows them")

    def _now(self, pool: int, scheduler: str) -> dict[str, Any]:
        with refusing(f"the parameters of CPU pool {pool} cannot be read"):
            return _LAYOUTS[scheduler].unpack(self._ask(pool, scheduler, GET))

    def _ask(self, pool: int, scheduler: str, command: int, data: bytes = b"") -> bytes:
        number = scheduler_number(scheduler)
        at = POOL_SCHEDULER_OP.places()["u"][0]
        asked = POOL_SCHEDULER_OP.pack(cpupool_id=pool, sched_id=number, cmd=command, u=data)
        return self._calls.sysctl(SCHEDULER_OP_OP, asked)[at:]
