"""Where a domain runs: its CPU pool, and on which of the host's CPUs each of its virtual ones."""

from collections.abc import Sequence

import attrs

from xend.config import DomainConfig
from xend.config.cpus import CpuSet
from xend.domain.host_cpus import HostCpus, host_cpus
from xend.domain.pools import listed, number_named, pool_names
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import CpuPool
from xend.refusals import explained


@attrs.frozen
class VcpuPlace:
    """Where one virtual CPU may run (hard) and should (soft): numbers of CPUs; None: anywhere."""

    vcpu: int
    hard: Sequence[int] | None
    soft: Sequence[int] | None


async def pool_number(host: Host, config: DomainConfig) -> int:
    """The number of the pool that a configuration names; the first where it names none.

    Raises:
        XendError: bad_config: there is no such pool; store_failed, hypervisor_failed.
    """
    if config.pool is None:
        return 0
    names = await pool_names(host)
    number = number_named(names, config.pool)
    if number is None:
        raise XendError(
            "bad_config",
            f'pool = "{config.pool}": there is no such CPU pool; there are: {listed(names)}',
            domain=config.name,
        )
    return number


def is_placed(config: DomainConfig) -> bool:
    """Whether a configuration, or the host's xl.conf, says on which CPUs a domain runs."""
    return bool(config.cpus or config.cpus_soft or config.cpu_masks)


async def places_of(host: Host, config: DomainConfig) -> list[VcpuPlace]:
    """Of those virtual CPUs that may not, or should not, run anywhere.

    Raises:
        XendError: bad_config: the pool has none of the CPUs; hypervisor_failed.
    """
    if not is_placed(config):
        return []
    number = await pool_number(host, config)
    with explained("ask for the host's CPUs", config.name):
        pool = next((each for each in await host.hypervisor.pools() if each.number == number), None)
    if pool is None:
        raise XendError("bad_config", f"the CPU pool {number} is gone", domain=config.name)
    info = await host_cpus(host)
    hard = [
        _masked(_cpus("cpus", each, info, pool), config, info, pool)
        for each in _each(config.cpus, config.max_vcpus)
    ]
    soft = [_cpus("cpus_soft", each, info, pool) for each in _each(config.cpus_soft, config.max_vcpus)]
    places = [VcpuPlace(vcpu, *cpus) for vcpu, cpus in enumerate(zip(hard, soft, strict=True))]
    return [each for each in places if each.hard is not None or each.soft is not None]


def _each(sets: Sequence[CpuSet | None], vcpus: int) -> list[CpuSet | None]:
    return [*sets, *[None] * (vcpus - len(sets))]


def _masked(cpus: list[int] | None, config: DomainConfig, info: HostCpus, pool: CpuPool) -> list[int] | None:
    """Those that the masks of xl.conf leave.

    Raises:
        XendError: bad_config: none.
    """
    for mask in config.cpu_masks:
        allowed = info.meant(mask)
        before = list(pool.cpus) if cpus is None else cpus
        cpus = [cpu for cpu in before if cpu in allowed]
        if not cpus:
            raise XendError(
                "bad_config",
                f'xl.conf lets {config.type} domains run on the CPUs "{mask.text}" only, this one is to run '
                f"on {', '.join(map(str, before))}",
                domain=config.name,
                hint="change cpus = ..., or vm.cpumask and its like in xl.conf; "
                "xl create --ignore-global-affinity-masks passes over them",
            )
    return cpus


def _cpus(option: str, wanted: CpuSet | None, info: HostCpus, pool: CpuPool) -> list[int] | None:
    if wanted is None:
        return None
    found = [cpu for cpu in info.meant(wanted) if cpu in pool.cpus]
    if not found:
        cpus = ", ".join(map(str, pool.cpus))
        raise XendError(
            "bad_config",
            f'{option} = "{wanted.text}": the CPU pool {pool.number} has none of these CPUs; it has {cpus}',
        )
    return found
