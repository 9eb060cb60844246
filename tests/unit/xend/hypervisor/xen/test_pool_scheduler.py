"""How the schedulers of CPU pools are set."""

import errno

import pytest

from tests.unit.xend.hypervisor.xen.machine import Machine
from tests.unit.xend.hypervisor.xen.refusals import refused
from xend.hypervisor.scheduling import PoolParameters
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.pool_scheduler import PoolScheduler

CREDIT, CREDIT2, RTDS = 5, 6, 8


@pytest.fixture
def scheduler(calls: Calls) -> PoolScheduler:
    return PoolScheduler(calls)


def test_credit(machine: Machine, scheduler: PoolScheduler) -> None:
    machine.pools[3] = [CREDIT, 0]
    usual = PoolParameters(timeslice_ms=30, ratelimit_us=1000, migration_delay_us=0)
    assert scheduler.parameters(3) == usual
    scheduler.set_parameters(3, PoolParameters(timeslice_ms=5, migration_delay_us=100))
    changed = PoolParameters(timeslice_ms=5, ratelimit_us=1000, migration_delay_us=100)
    assert scheduler.parameters(3) == changed
    scheduler.set_parameters(3, PoolParameters(ratelimit_us=0))
    for wrong in (
        PoolParameters(timeslice_ms=0),
        PoolParameters(timeslice_ms=1001),
        PoolParameters(ratelimit_us=99),
        PoolParameters(ratelimit_us=6000),  # longer than the timeslice
        PoolParameters(migration_delay_us=100_001),
    ):
        with refused(errno.EINVAL, "CPU pool 3"):
            scheduler.set_parameters(3, wrong)
    assert scheduler.parameters(3).ratelimit_us == 0


def test_others(machine: Machine, scheduler: PoolScheduler) -> None:
    scheduler.set_parameters(0, PoolParameters(ratelimit_us=500))
    assert scheduler.parameters(0) == PoolParameters(ratelimit_us=500)
    with refused(errno.EOPNOTSUPP, "credit2, which has no timeslice_ms"):
        scheduler.set_parameters(0, PoolParameters(timeslice_ms=5))
    machine.pools[1] = [RTDS, 0]
    assert scheduler.parameters(1) == PoolParameters()
    with refused(errno.EOPNOTSUPP):
        scheduler.set_parameters(1, PoolParameters(ratelimit_us=500))
    for call in (scheduler.parameters, lambda pool: scheduler.set_parameters(pool, PoolParameters())):
        with refused(errno.ENOENT, "xl cpupool-list"):
            call(7)
