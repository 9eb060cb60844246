"""Virtual CPUs, and where they run."""

import errno
from collections.abc import Sequence

import pytest

from tests.unit.xend.hypervisor.xen.machine import Machine
from tests.unit.xend.hypervisor.xen.refusals import refused
from xend.hypervisor import VcpuInfo
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.domains import Domains
from xend.hypervisor.xen.vcpus import Vcpus


@pytest.fixture
def vcpus(calls: Calls, domains: Domains) -> Vcpus:
    return Vcpus(calls, domains)


def test_of_a_domain(machine: Machine, vcpus: Vcpus) -> None:
    guest = machine.guest()
    first = guest.vcpus[0]
    first.running, first.cpu, first.cpu_time, first.hard = True, 3, 12345, 0b1001
    assert vcpus.of(1) == [
        VcpuInfo(
            number=0,
            is_online=True,
            is_running=True,
            is_blocked=False,
            cpu=3,
            cpu_time_ns=12345,
            hard_affinity=[0, 3],
            soft_affinity=[0, 1, 2, 3],
        ),
        VcpuInfo(
            number=1,
            is_online=False,
            is_running=False,
            is_blocked=False,
            cpu=0,
            cpu_time_ns=0,
            hard_affinity=[0, 1, 2, 3],
            soft_affinity=[0, 1, 2, 3],
        ),
    ]
    guest.vcpus.clear()
    assert vcpus.of(1) == []


def test_of_a_domain_that_is_gone(vcpus: Vcpus) -> None:
    with refused(errno.ESRCH):
        vcpus.of(1)
    with refused(errno.ESRCH):
        vcpus.set_affinity(1, 0, [1], None)


@pytest.mark.parametrize(
    ("hard", "soft", "expected"),
    [([1], None, ([1], [0, 1, 2, 3])), (None, [2], ([0, 1, 2, 3], [2])), ([1, 2], [3], ([1, 2], [3])),
     (None, None, ([0, 1, 2, 3], [0, 1, 2, 3]))],
)  # fmt: skip
def test_affinity(
    machine: Machine,
    vcpus: Vcpus,
    hard: list[int] | None,
    soft: list[int] | None,
    expected: tuple[list[int], list[int]],
) -> None:
    machine.guest()
    vcpus.set_affinity(1, 1, hard, soft)
    first, second = vcpus.of(1)
    assert (second.hard_affinity, second.soft_affinity) == expected
    assert first.hard_affinity == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("vcpu", "hard", "soft"),
    [
        (0, [], None), (0, None, []), (0, [4], None), (0, [-1], None), (0, None, [1 << 20]), (2, [1], None),
        (0, [3], None), (0, None, [3]), (0, [1], [3]), (2, None, [1]),
    ],
)  # fmt: skip
def test_refused(
    machine: Machine, vcpus: Vcpus, vcpu: int, hard: Sequence[int] | None, soft: Sequence[int] | None
) -> None:
    machine.guest()
    machine.pools[0][1] = 0b0111
    with refused(errno.EINVAL):
        vcpus.set_affinity(1, vcpu, hard, soft)
    assert vcpus.of(1)[0].hard_affinity == [0, 1, 2, 3]


def test_what_holds_a_vcpu_for_a_while_is_ended_by_force(machine: Machine, vcpus: Vcpus) -> None:
    guest = machine.guest()
    for force in (False, True):
        guest.vcpus[0].is_held = True
        vcpus.set_affinity(1, 0, [1], None, force)
        assert guest.vcpus[0].is_held is not force


def test_node_affinity(machine: Machine, vcpus: Vcpus) -> None:
    machine.guest()
    assert vcpus.node_affinity(1) == [1]
    with refused(errno.ESRCH):
        vcpus.node_affinity(2)
