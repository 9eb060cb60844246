"""The host's hardware in a domain's hands."""

import errno

import pytest

from tests.unit.platform.kernel import Kernel
from tests.unit.xend.hypervisor.xen.conftest import SYSTEMS
from tests.unit.xend.hypervisor.xen.machine import Machine
from tests.unit.xend.hypervisor.xen.refusals import refused
from xend.hypervisor import HostAccess
from xend.hypervisor.xen.access import Access
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.domains import Domains
from xend.hypervisor.xen.release import running_release


@pytest.fixture
def access(calls: Calls, domains: Domains) -> Access:
    return Access(calls, domains)


def test_a_paravirtual_domain_sees_frames_where_they_are(machine: Machine, access: Access) -> None:
    guest = machine.guest()
    access.allow(1, HostAccess(memory=[(0xA0, 32, 0x500)], ports=[(0x3F8, 8), (0, 1)], irqs=[4]))
    assert guest.given == [
        ("ports", 0x3F8, 8, 1), ("ports", 0, 1, 1), ("pirq", 4), ("irq", 4, 1), ("memory", 0xA0, 32, 1),
    ]  # fmt: skip


def test_others_have_them_mapped(machine: Machine, access: Access) -> None:
    """The hypervisor takes 64 at a time, and of those only half."""
    guest = machine.guest(hvm=True)
    access.allow(1, HostAccess(memory=[(0x1000, 200, 0x5000)]))
    mapped = [row[1:] for row in guest.given if row[0] == "mapped"]
    assert sum(count for _, _, count in mapped) == 200
    done = 0
    for gfn, mfn, count in mapped:
        assert (gfn, mfn) == (0x5000 + done, 0x1000 + done)
        done += count


def test_what_its_device_model_maps_is_only_allowed(machine: Machine, access: Access) -> None:
    guest = machine.guest(hvm=True)
    access.allow(1, HostAccess(memory=[(0x1000, 200, 0x1000)], is_mapped=False))
    assert guest.given == [("memory", 0x1000, 200, 1)]


def test_irqs_of_4_15(system: str, kernel: Kernel) -> None:
    machine = Machine(kernel, (4, 15))
    hypercalls = SYSTEMS[system][1].hypercalls(kernel)
    calls = Calls(hypercalls, running_release(hypercalls))
    guest = machine.guest()
    Access(calls, Domains(calls)).allow(1, HostAccess(irqs=[9]))
    assert guest.given == [("pirq", 9), ("irq", 9, 1)]


@pytest.mark.parametrize(
    ("access_wanted", "number"),
    [
        (HostAccess(ports=[(0xFFFF, 2)]), errno.EINVAL),
        (HostAccess(ports=[(-1, 2)]), errno.EINVAL),
        (HostAccess(ports=[(1, 0)]), errno.EINVAL),
        (HostAccess(irqs=[-1]), errno.EINVAL),
        (HostAccess(memory=[(1 << 60, 1, 0)]), errno.EINVAL),
        (HostAccess(memory=[(1, 1, -1)]), errno.EINVAL),
        (HostAccess(memory=[(1 << 40, 1, 0)]), errno.EPERM),
    ],
)
def test_refused(machine: Machine, access: Access, access_wanted: HostAccess, number: int) -> None:
    guest = machine.guest()
    with refused(number):
        access.allow(1, access_wanted)
    assert guest.given == []


def test_a_domain_that_is_gone(access: Access) -> None:
    with refused(errno.ESRCH):
        access.allow(1, HostAccess())


def test_a_hypervisor_that_takes_not_a_single_frame(machine: Machine, access: Access) -> None:
    machine.guest(hvm=True)
    machine.batch = 0
    with refused(errno.E2BIG):
        access.allow(1, HostAccess(memory=[(1, 9, 1)]))
