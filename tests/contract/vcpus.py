"""Virtual CPUs."""

import errno

from tests.contract.bench import Bench, refused


async def virtual_cpus(bench: Bench) -> None:
    cpus = (await bench.hypervisor.host_info()).nr_cpus
    domid, _ = await bench.built()
    first, second = await bench.hypervisor.vcpus(domid)
    assert [first.number, first.is_online, second.number, second.is_online] == [0, True, 1, False]
    assert {first.is_running, second.is_running} == {False}
    await bench.hypervisor.unpause(domid)
    for vcpu in (*await bench.hypervisor.vcpus(domid), *await bench.hypervisor.vcpus(0)):
        assert 0 <= vcpu.cpu < cpus
        assert not (vcpu.is_running and vcpu.is_blocked)
    await bench.hypervisor.pause(domid)
    vcpus, info = await bench.hypervisor.vcpus(domid), await bench.info(domid)
    assert sum(vcpu.is_online for vcpu in vcpus) == info.vcpus
    assert sum(vcpu.cpu_time_ns for vcpu in vcpus) <= info.cpu_time_ns


async def affinity(bench: Bench) -> None:
    hypervisor = bench.hypervisor
    pool = list((await hypervisor.pools())[0].cpus)
    domid = await bench.create()
    await hypervisor.set_affinity(domid, 1, pool[:1], None)
    first, second = await hypervisor.vcpus(domid)
    assert set(pool) <= set(first.hard_affinity)
    assert list(second.hard_affinity) == pool[:1]
    await hypervisor.set_affinity(domid, 0, None, pool[-1:])
    await hypervisor.set_affinity(domid, 1, pool, pool[:1])
    first, second = await hypervisor.vcpus(domid)
    assert set(pool) <= set(first.hard_affinity)
    assert list(first.soft_affinity) == pool[-1:]
    assert [list(second.hard_affinity), list(second.soft_affinity)] == [pool, pool[:1]]
    for vcpu, hard in ((2, pool), (0, []), (0, [4095])):
        with refused(errno.EINVAL):
            await hypervisor.set_affinity(domid, vcpu, hard, None)
    assert list((await hypervisor.vcpus(domid))[0].soft_affinity) == pool[-1:]


async def triggers(bench: Bench) -> None:
    domid, _ = await bench.built()
    await bench.hypervisor.send_trigger(domid, "nmi", 0)
    for trigger, vcpu in (("nmi", 2), ("bell", 0)):
        with refused(errno.EINVAL):
            await bench.hypervisor.send_trigger(domid, trigger, vcpu)
