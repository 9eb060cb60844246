"""CPU pools."""

import errno

import pytest

from tests.unit.xend.hypervisor.xen.machine import Machine
from tests.unit.xend.hypervisor.xen.refusals import refused
from xend.hypervisor import CpuPool
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.pools import Pools


@pytest.fixture
def pools(calls: Calls) -> Pools:
    return Pools(calls)


def test_their_life(machine: Machine, pools: Pools) -> None:
    first = CpuPool(number=0, scheduler="credit2", domains=1, cpus=[0, 1, 2, 3])
    assert pools.all() == [first]
    pools.remove_cpu(0, 3)
    assert pools.free_cpus() == [3]
    number = pools.create("rtds")
    pools.add_cpu(number, 3)
    assert pools.free_cpus() == []
    machine.guest()
    pools.move_domain(1, number)
    assert pools.all() == [
        CpuPool(number=0, scheduler="credit2", domains=1, cpus=[0, 1, 2]),
        CpuPool(number=number, scheduler="rtds", domains=1, cpus=[3]),
    ]
    with refused(errno.EBUSY):
        pools.destroy(number)
    pools.move_domain(1, 0)
    pools.remove_cpu(number, 3)
    pools.destroy(number)
    assert [pool.number for pool in pools.all()] == [0]


def test_refused(machine: Machine, pools: Pools) -> None:
    with refused(errno.EINVAL):
        pools.create("first come")
    with refused(errno.ENOENT):
        pools.destroy(5)
    with refused(errno.ENOENT):
        pools.add_cpu(5, 0)
    with refused(errno.ENOENT):
        pools.remove_cpu(5, 0)
    with refused(errno.ENODEV):
        pools.add_cpu(0, 1)
    pools.remove_cpu(0, 3)
    with refused(errno.ENODEV):
        pools.remove_cpu(0, 3)
    machine.guest()
    with refused(errno.ESRCH):
        pools.move_domain(1, 5)
    with refused(errno.ESRCH):
        pools.move_domain(9, 0)


def test_a_hypervisor_that_does_not_tell(machine: Machine, pools: Pools) -> None:
    machine.refused["sysctl", 18] = errno.EPERM
    with refused(errno.EPERM):
        pools.all()
