"""CPU pools and their schedulers."""

import errno

import attrs

from tests.contract.bench import Bench, refused
from xend.hypervisor.scheduling import CreditParameters, PoolParameters, RealTimeParameters


async def cpu_pools(bench: Bench) -> None:
    pools = await bench.hypervisor.pools()
    assert [pool.number for pool in pools] == sorted({pool.number for pool in pools})
    assert pools[0].number == 0
    assert pools[0].scheduler == (await bench.hypervisor.host_info()).xen_scheduler
    cpus = [cpu for pool in pools for cpu in pool.cpus]
    assert len(cpus) == len(set(cpus))
    before = pools[0].domains
    assert before >= 1
    await bench.create()
    assert (await bench.hypervisor.pools())[0].domains == before + 1


async def changing_cpu_pools(bench: Bench) -> None:
    """With the last CPU of the first pool; the host has at least two."""
    hypervisor = bench.hypervisor
    first = (await hypervisor.pools())[0]
    cpu, domid = first.cpus[-1], await bench.create()
    assert await hypervisor.free_cpus() == []
    await hypervisor.remove_cpu(0, cpu)
    assert await hypervisor.free_cpus() == [cpu]
    for vcpu in await hypervisor.vcpus(domid):  # of which nothing was said: a pool bounds it, no affinity
        assert {cpu, *first.cpus} <= set(vcpu.hard_affinity) & set(vcpu.soft_affinity)
    number = await hypervisor.create_pool("credit")
    try:
        with refused(errno.ESRCH):  # it has no CPU yet
            await hypervisor.move_domain(domid, number)
        await hypervisor.add_cpu(number, cpu)
        await hypervisor.move_domain(domid, number)
        assert (await bench.info(domid)).pool == number
        made = (await hypervisor.pools())[-1]
        assert [made.number, made.scheduler, made.domains, list(made.cpus)] == [number, "credit", 1, [cpu]]
        assert (await hypervisor.pool_parameters(number)).timeslice_ms is not None
        with refused(errno.EBUSY):
            await hypervisor.destroy_pool(number)
        with refused(errno.EBUSY):
            await hypervisor.remove_cpu(number, cpu)
        with refused(errno.ENODEV):
            await hypervisor.add_cpu(0, cpu)
        with refused(errno.ENODEV):
            await hypervisor.remove_cpu(0, cpu)
        await hypervisor.move_domain(domid, 0)
        await hypervisor.remove_cpu(number, cpu)
        await hypervisor.add_cpu(number, cpu)
    finally:
        await hypervisor.destroy_pool(number)
        assert await hypervisor.free_cpus() == [cpu]
        await hypervisor.add_cpu(0, cpu)
    for call in (
        lambda: hypervisor.destroy_pool(number),
        lambda: hypervisor.add_cpu(number, cpu),
        lambda: hypervisor.remove_cpu(number, cpu),
        lambda: hypervisor.pool_parameters(number),
        lambda: hypervisor.set_pool_parameters(number, PoolParameters(ratelimit_us=2000)),
    ):
        with refused(errno.ENOENT):
            await call()
    with refused(errno.ESRCH):
        await hypervisor.move_domain(domid, number)
    with refused(errno.EINVAL, errno.ENOENT):
        await hypervisor.create_pool("none")


async def scheduling(bench: Bench) -> None:
    """Under credit or credit2, as the first pool of every host has it."""
    hypervisor = bench.hypervisor
    domid = await bench.create()
    assert await hypervisor.parameters(domid) == CreditParameters(weight=256, cap=0)
    wanted = CreditParameters(weight=300, cap=80)
    await hypervisor.set_parameters(domid, wanted)
    assert await hypervisor.parameters(domid) == wanted
    with refused(errno.EINVAL):
        await hypervisor.set_parameters(domid, CreditParameters(weight=0, cap=0))
    real_time = RealTimeParameters(period_us=500, budget_us=500, extra_time=True)
    for call in (
        lambda: hypervisor.set_parameters(domid, real_time),
        lambda: hypervisor.vcpu_parameters(domid),
        lambda: hypervisor.set_vcpu_parameters(domid, {0: real_time}),
    ):
        with refused(errno.EOPNOTSUPP):
            await call()
    assert await hypervisor.parameters(domid) == wanted
    before = await hypervisor.pool_parameters(0)
    assert before.ratelimit_us is not None
    await hypervisor.set_pool_parameters(0, PoolParameters(ratelimit_us=2000))
    assert await hypervisor.pool_parameters(0) == attrs.evolve(before, ratelimit_us=2000)
    await hypervisor.set_pool_parameters(0, before)
    with refused(errno.EINVAL):
        await hypervisor.set_pool_parameters(0, PoolParameters(ratelimit_us=1))
