"""CPU pools of the simulated host, and how their schedulers are set."""

import errno
from collections.abc import Iterable, Mapping, Sequence

import attrs

from xend.hypervisor import HypervisorError
from xend.hypervisor.scheduling import (
    CreditParameters,
    Parameters,
    PoolParameters,
    RealTimeParameters,
    range_complaint,
)

#: What each scheduler has, of a pool and of a domain; None: nothing (the defaults of Xen 4.17).
SCHEDULERS: Mapping[str, tuple[PoolParameters, Parameters | None]] = {
    "credit": (
        PoolParameters(timeslice_ms=30, ratelimit_us=1000, migration_delay_us=0),
        CreditParameters(weight=256, cap=0),
    ),
    "credit2": (PoolParameters(ratelimit_us=1000), CreditParameters(weight=256, cap=0)),
    "rtds": (PoolParameters(), RealTimeParameters(period_us=10000, budget_us=4000, extra_time=True)),
    "null": (PoolParameters(), None),
}


@attrs.define
class Pool:
    """One pool."""

    scheduler: str
    cpus: list[int]
    parameters: PoolParameters

    @property
    def of_domains(self) -> Parameters | None:
        """What a domain has that came in just now."""
        return SCHEDULERS[self.scheduler][1]


class Pools:
    """All of them; cpus: how many the host has."""

    def __init__(self, cpus: int, first: Mapping[int, Sequence[int]], scheduler: str) -> None:
        self._cpus = cpus
        self._pools = {number: _pool(scheduler, given) for number, given in first.items()}

    def __contains__(self, number: object) -> bool:
        return number in self._pools

    def items(self) -> list[tuple[int, Pool]]:
        """By rising number."""
        return sorted(self._pools.items())

    def get(self, number: int) -> Pool:
        """One of them.

        Raises:
            HypervisorError: ENOENT: there is none.
        """
        if number not in self._pools:
            raise HypervisorError(errno.ENOENT, f"there is no CPU pool {number}")
        return self._pools[number]

    def numbers(self) -> list[int]:
        """Of all."""
        return sorted(self._pools)

    def free(self) -> list[int]:
        """The CPUs that are in none."""
        taken = {cpu for pool in self._pools.values() for cpu in pool.cpus}
        return [cpu for cpu in range(self._cpus) if cpu not in taken]

    def create(self, scheduler: str) -> int:
        """See `Control.create_pool`."""
        if scheduler not in SCHEDULERS:
            known = ", ".join(SCHEDULERS)
            raise HypervisorError(errno.EINVAL, f"there is no scheduler {scheduler}: {known}")
        number = next(each for each in range(len(self._pools) + 1) if each not in self._pools)
        self._pools[number] = _pool(scheduler, ())
        return number

    def destroy(self, number: int, domains: int) -> None:
        """See `Control.destroy_pool`; domains: how many run in it."""
        self.get(number)
        if not number:
            raise HypervisorError(errno.EBUSY, "the first CPU pool cannot be destroyed")
        if domains:
            raise HypervisorError(errno.EBUSY, f"CPU pool {number} has {domains} domains; move those first")
        del self._pools[number]

    def add_cpu(self, number: int, cpu: int) -> None:
        """See `Control.add_cpu`."""
        pool = self.get(number)
        self._check_cpu(cpu)
        if cpu not in self.free():
            raise HypervisorError(errno.ENODEV, f"CPU {cpu} is in a pool already")
        pool.cpus = sorted([*pool.cpus, cpu])

    def remove_cpu(self, number: int, cpu: int, domains: int) -> None:
        """See `Control.remove_cpu`; domains: how many run in the pool."""
        pool = self.get(number)
        self._check_cpu(cpu)
        if cpu not in pool.cpus:
            raise HypervisorError(errno.ENODEV, f"CPU {cpu} is not in CPU pool {number}")
        if domains and len(pool.cpus) == 1:
            raise HypervisorError(
                errno.EBUSY, f"CPU {cpu} is the last of CPU pool {number}, in which a domain runs"
            )
        pool.cpus = [each for each in pool.cpus if each != cpu]

    def set_parameters(self, number: int, parameters: PoolParameters) -> None:
        """See `Control.set_pool_parameters`."""
        pool = self.get(number)
        wanted = {name: value for name, value in attrs.asdict(parameters).items() if value is not None}
        for name, value in wanted.items():
            if getattr(pool.parameters, name) is None:
                raise HypervisorError(
                    errno.EOPNOTSUPP, f"the scheduler {pool.scheduler} of CPU pool {number} has no {name}"
                )
            if (complaint := range_complaint(name, value)) is not None:
                raise HypervisorError(errno.EINVAL, f"CPU pool {number}: {complaint}")
        pool.parameters = attrs.evolve(pool.parameters, **wanted)

    def _check_cpu(self, cpu: int) -> None:
        if not 0 <= cpu < self._cpus:
            raise HypervisorError(errno.EINVAL, f"the host has no CPU {cpu}")


def _pool(scheduler: str, cpus: Iterable[int]) -> Pool:
    return Pool(scheduler, list(cpus), SCHEDULERS[scheduler][0])


def check_parameters(parameters: Parameters, usual: Parameters | None, vcpus: int) -> None:
    """See that a domain may have these.

    usual: what its pool's scheduler gives; None: nothing.

    Raises:
        HypervisorError: EOPNOTSUPP: that has others; EINVAL: they are out of range.
    """
    if usual is None or type(parameters) is not type(usual):
        raise HypervisorError(errno.EOPNOTSUPP, "the scheduler of its CPU pool has no such parameters")
    match parameters:
        case CreditParameters(weight=weight, cap=cap):
            is_right = 1 <= weight <= 0xFFFF and 0 <= cap <= 100 * max(1, vcpus)
        case RealTimeParameters(period_us=period, budget_us=budget):
            is_right = 10 <= budget <= period < 1 << 32
    if not is_right:
        raise HypervisorError(
            errno.EINVAL,
            f"{parameters} is out of range: weight is 1 to 65535, cap 0 to 100 for each vCPU, "
            "budget 10 to period",
        )
