"""Parameters of domains under their schedulers."""

import errno

import pytest

from tests.unit.xend.hypervisor.xen.machine import Machine
from tests.unit.xend.hypervisor.xen.refusals import refused
from xend.hypervisor.scheduling import CreditParameters, RealTimeParameters
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.domains import Domains
from xend.hypervisor.xen.scheduler import Scheduler

CREDIT, CREDIT2, ARINC653, RTDS = 5, 6, 7, 8


@pytest.fixture
def scheduler(calls: Calls, domains: Domains) -> Scheduler:
    return Scheduler(calls, domains)


@pytest.mark.parametrize("number", [CREDIT, CREDIT2])
def test_credit(machine: Machine, scheduler: Scheduler, number: int) -> None:
    machine.pools[0][0] = number
    machine.guest()
    assert scheduler.parameters(1) == CreditParameters(weight=256, cap=0)
    scheduler.set_parameters(1, CreditParameters(weight=65535, cap=150))
    assert scheduler.parameters(1) == CreditParameters(weight=65535, cap=150)
    for weight, cap in ((0, 0), (65536, 0), (1, -1), (1, 201), (1, 65536)):
        with refused(errno.EINVAL):
            scheduler.set_parameters(1, CreditParameters(weight=weight, cap=cap))
    assert scheduler.parameters(1) == CreditParameters(weight=65535, cap=150)


def test_the_scheduler_is_that_of_the_domains_pool(machine: Machine, scheduler: Scheduler) -> None:
    machine.pools[1] = [CREDIT, 0]
    machine.guest().pool = 1
    assert [scheduler.of(domid) for domid in (0, 1)] == ["credit2", "credit"]
    assert scheduler.parameters(1) == CreditParameters(weight=256, cap=0)


def test_real_time(machine: Machine, scheduler: Scheduler) -> None:
    machine.pools[0][0] = RTDS
    machine.guest(vcpus=3)
    usual = RealTimeParameters(period_us=10000, budget_us=4000, extra_time=False)
    other = RealTimeParameters(period_us=500, budget_us=500, extra_time=True)
    assert scheduler.parameters(1) == usual
    assert scheduler.vcpu_parameters(1) == {0: usual, 1: usual, 2: usual}
    scheduler.set_vcpu_parameters(1, {2: other, 0: other})
    assert scheduler.vcpu_parameters(1) == {0: other, 1: usual, 2: other}
    scheduler.set_parameters(1, usual)
    assert scheduler.vcpu_parameters(1) == {0: usual, 1: usual, 2: usual}
    for period, budget in ((100, 101), (0, 0), (1 << 32, 5)):
        wrong = RealTimeParameters(period_us=period, budget_us=budget, extra_time=False)
        with refused(errno.EINVAL):
            scheduler.set_parameters(1, wrong)
        with refused(errno.EINVAL):
            scheduler.set_vcpu_parameters(1, {0: wrong})
    for number in (3, -1):
        with refused(errno.EINVAL):
            scheduler.set_vcpu_parameters(1, {number: usual})


def test_what_another_scheduler_has(machine: Machine, scheduler: Scheduler) -> None:
    machine.guest()
    real_time = RealTimeParameters(period_us=500, budget_us=500, extra_time=True)
    with refused(errno.EOPNOTSUPP):
        scheduler.set_parameters(1, real_time)
    with refused(errno.EOPNOTSUPP):
        scheduler.vcpu_parameters(1)
    machine.pools[0][0] = ARINC653
    with refused(errno.EOPNOTSUPP):
        scheduler.parameters(1)


def test_a_domain_that_is_gone(scheduler: Scheduler) -> None:
    with refused(errno.ESRCH):
        scheduler.parameters(1)
