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


def test_one_that_ends_lets_its_cpus_go_first(machine: Machine, calls: Calls) -> None:
    """Xen destroys no pool that has a CPU (xen/common/sched/cpupool.c, cpupool_destroy)."""
    pools = Pools(calls)
    machine.pools[0][1] = 0b0011
    machine.pools[1] = [5, 0b1100]
    guest = machine.guest()
    guest.pool = 1
    with refused(errno.EBUSY):
        pools.destroy(1)
    assert machine.pools[1] == [5, 0b1100]
    guest.pool = 0
    pools.destroy(1)
    assert list(machine.pools) == [0]
    assert pools.free_cpus() == [2, 3]


def test_one_that_cannot_end_has_its_cpus_again(machine: Machine, calls: Calls) -> None:
    pools = Pools(calls)
    machine.pools[0][1] = 0b0011
    machine.pools[1] = [5, 0b1100]
    machine.kept_cpus = 0b1000
    with refused(errno.EAGAIN):
        pools.destroy(1)
    assert machine.pools[1] == [5, 0b1100]
