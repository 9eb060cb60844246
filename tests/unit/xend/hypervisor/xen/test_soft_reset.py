"""A guest that starts another kernel in its own memory."""

import errno

import pytest

from tests.unit.xend.hypervisor.xen.machine import Machine
from tests.unit.xend.hypervisor.xen.refusals import refused
from xend.hypervisor import Rings
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.domains import Domains
from xend.hypervisor.xen.soft_reset import SoftReset

RINGS = Rings(store_gfn=10, store_port=1, console_gfn=11, console_port=2)
SOFT_RESET = 5


@pytest.mark.trio
@pytest.mark.parametrize("pauses", [0, 1])
async def test_goes_on_with_new_ports(machine: Machine, calls: Calls, domains: Domains, pauses: int) -> None:
    guest = machine.guest(hvm=True)
    guest.pauses, guest.reason = pauses, SOFT_RESET
    rings = await SoftReset(calls, domains).reset(1, RINGS)
    assert rings == Rings(store_gfn=10, store_port=3, console_gfn=11, console_port=4)
    assert [guest.pauses, guest.reason, guest.params] == [1, None, {2: 3, 18: 4}]
    assert machine.kernel.domains[1].ports == {3, 4}
    domains.unpause(1)
    assert guest.pauses == 0


@pytest.mark.trio
@pytest.mark.parametrize(("hvm", "reason"), [(False, SOFT_RESET), (True, None), (True, 0)])
async def test_refused(
    machine: Machine, calls: Calls, domains: Domains, hvm: bool, reason: int | None
) -> None:
    guest = machine.guest(hvm=hvm)
    guest.pauses, guest.reason = 0, reason
    with refused(errno.EINVAL):
        await SoftReset(calls, domains).reset(1, RINGS)
    assert [guest.pauses, guest.reason] == [0, reason]


@pytest.mark.trio
async def test_a_domain_that_is_gone(calls: Calls, domains: Domains) -> None:
    with refused(errno.ESRCH):
        await SoftReset(calls, domains).reset(1, RINGS)
