"""Domains: what is told of them, and what is done to them."""

import errno
import uuid
from collections.abc import Callable

import attrs
import pytest

from tests.unit.platform.kernel import Kernel
from tests.unit.xend.hypervisor.xen.conftest import SYSTEMS
from tests.unit.xend.hypervisor.xen.machine import PATTERN, RELEASES, Guest, Machine
from tests.unit.xend.hypervisor.xen.refusals import refused
from xend.hypervisor import DomainInfo
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.domains import Domains
from xend.hypervisor.xen.release import running_release


@pytest.mark.parametrize("release", RELEASES)
def test_what_is_told_of_a_domain(system: str, kernel: Kernel, release: tuple[int, int]) -> None:
    machine = Machine(kernel, release)
    guest = machine.guest(vcpus=3, pages=1024)
    guest.outstanding = 5
    guest.pool, guest.shared = 0, 3
    guest.vcpus[0].cpu_time, guest.vcpus[1].cpu_time = 1000, 1 << 40
    hypercalls = SYSTEMS[system][1].hypercalls(kernel)
    domains = Domains(Calls(hypercalls, running_release(hypercalls)))
    expected = DomainInfo(
        domid=1,
        uuid=str(uuid.UUID(bytes=guest.handle)),
        is_running=False,
        is_blocked=False,
        is_paused=True,
        is_shutdown=False,
        is_dying=False,
        shutdown_reason=None,
        memory_kib=4096,
        max_memory_kib=4096,
        bound_kib=5120,
        outstanding_kib=20,
        cpu_time_ns=1000 + (1 << 40),
        vcpus=1,
        max_vcpus=3,
        pool=0,
        shared_kib=12,
        ssid=PATTERN,
    )
    record = domains.find(1)
    assert record is not None
    assert (record.info, record.is_hvm) == (expected, False)
    assert domains.all()[1:] == [expected]


def test_dom0_has_what_its_kernel_has(domains: Domains) -> None:
    record = domains.find(0)
    assert record is not None
    assert record.info.max_memory_kib == record.info.memory_kib == 4 << 16
    assert record.info.is_running
    domains.set_max_memory(0, 8192)
    assert domains.alive(0).info.max_memory_kib == 8192


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda guest: setattr(guest, "pauses", 0), {"is_paused": False}),
        (lambda guest: setattr(guest.vcpus[0], "blocked", True), {"is_blocked": True}),
        (lambda guest: setattr(guest.vcpus[0], "running", True), {"is_running": True}),
        (lambda guest: setattr(guest, "reason", 3), {"is_shutdown": True, "shutdown_reason": 3}),
        (lambda guest: setattr(guest, "dying", True), {"is_dying": True}),
        (lambda guest: guest.vcpus.clear(), {"vcpus": 0, "max_vcpus": 0}),
        (lambda guest: setattr(guest, "max_pages", 0), {"max_memory_kib": 0, "bound_kib": 0}),
    ],
)
def test_states(
    machine: Machine, domains: Domains, change: Callable[[Guest], None], differs: dict[str, object]
) -> None:
    guest = machine.guest()
    before = domains.alive(1).info
    change(guest)
    assert domains.all()[1] == attrs.evolve(before, **differs)  # type: ignore[arg-type]


def test_one_that_is_not_there(machine: Machine, domains: Domains) -> None:
    machine.guest()
    machine.guest()
    del machine.guests[1]
    for domid in (1, 3, -1, 0x7FF0, 1 << 20):
        assert domains.find(domid) is None
        with refused(errno.ESRCH):
            domains.alive(domid)


def test_one_that_cannot_be_looked_at(machine: Machine, domains: Domains) -> None:
    machine.refused["domctl", 5] = errno.EPERM
    with refused(errno.EPERM):
        domains.find(0)


def test_more_than_one_answer_holds(machine: Machine, domains: Domains) -> None:
    for _ in range(1300):
        guest = Guest(machine.next_domid, bytes(16))
        machine.guests[guest.domid] = guest
        machine.next_domid += 1
    machine.calls.clear()
    assert [info.domid for info in domains.all()] == list(range(1301))
    assert machine.calls == [("sysctl", 6)] * 3


def test_pauses_are_not_counted(machine: Machine, domains: Domains) -> None:
    guest = machine.guest()
    guest.pauses = 0
    domains.pause(1)
    domains.pause(1)
    assert guest.pauses == 1
    domains.unpause(1)
    domains.unpause(1)
    assert guest.pauses == 0


@pytest.mark.parametrize("pauses", [0, 1])
def test_one_that_is_held_is_paused_whatever_others_do(
    machine: Machine, domains: Domains, pauses: int
) -> None:
    guest = machine.guest()
    guest.pauses = pauses
    with domains.held(1):
        assert guest.pauses == pauses + 1
    assert guest.pauses == pauses
    with domains.held(1):
        del machine.guests[1]
    with refused(errno.ESRCH), domains.held(1):
        pytest.fail("it is gone")


def test_what_others_paused_stays_so(machine: Machine, domains: Domains) -> None:
    guest = machine.guest()
    guest.pauses = 2
    domains.unpause(1)
    assert guest.pauses == 1


def test_unpausing_beside_somebody_who_is_faster(machine: Machine, domains: Domains) -> None:
    machine.guest()
    machine.refused["domctl", 4] = errno.EINVAL
    domains.unpause(1)
    machine.refused["domctl", 4] = errno.EPERM
    with refused(errno.EPERM):
        domains.unpause(1)


def test_one_that_was_not_built_does_not_run(machine: Machine, domains: Domains) -> None:
    guest = machine.guest(built=False)
    with refused(errno.EINVAL):
        domains.unpause(1)
    assert guest.pauses == 1


def test_one_that_shut_down_is_not_paused(machine: Machine, domains: Domains) -> None:
    guest = machine.guest()
    guest.pauses = 0
    domains.shutdown(1, 3)
    domains.shutdown(1, 0)
    domains.pause(1)
    domains.unpause(1)
    assert (guest.pauses, guest.reason) == (0, 3)


@pytest.mark.parametrize("reason", [-1, 6])
def test_reasons_that_there_are_not(machine: Machine, domains: Domains, reason: int) -> None:
    guest = machine.guest()
    with refused(errno.EINVAL):
        domains.shutdown(1, reason)
    assert guest.reason is None


def test_dom0_is_not_paused_by_itself(domains: Domains) -> None:
    with refused(errno.EINVAL):
        domains.pause(0)


@pytest.mark.trio
async def test_destroying(machine: Machine, domains: Domains) -> None:
    machine.guest()
    held = machine.guest()
    held.is_held = True
    machine.again = 3
    await domains.destroy(1)
    assert (domains.find(1), machine.again) == (None, 0)
    for _ in range(2):
        await domains.destroy(2)
        record = domains.find(2)
        assert record is not None
        assert (record.info.is_dying, record.info.memory_kib) == (True, 0)
    with refused(errno.ESRCH):
        await domains.destroy(1)
    with refused(errno.EINVAL):
        await domains.destroy(0)


@pytest.mark.trio
async def test_nothing_is_done_to_one_that_is_dying(machine: Machine, domains: Domains) -> None:
    machine.guest().dying = True
    calls: list[Callable[[], object]] = [
        lambda: domains.pause(1),
        lambda: domains.unpause(1),
        lambda: domains.shutdown(1, 0),
        lambda: domains.set_max_memory(1, 4),
        lambda: domains.claim(1, 4),
        lambda: domains.send_trigger(1, "nmi"),
    ]
    for call in calls:
        with refused(errno.ESRCH):
            call()
    assert {number for kind, number in machine.calls if kind == "domctl"} == {5}


def test_max_memory_has_libxls_slack(machine: Machine, domains: Domains) -> None:
    guest = machine.guest()
    domains.set_max_memory(1, 8192)
    assert guest.max_pages == (8192 + 1024) // 4
    assert domains.alive(1).info.max_memory_kib == 8192
    for kib in (-1, 1 << 60):
        with refused(errno.EINVAL):
            domains.set_max_memory(1, kib)


class TestClaims:
    def test_whole_pages(self, machine: Machine, domains: Domains) -> None:
        guest = machine.guest(built=False)
        domains.claim(1, 4096 * 4 - 3)
        assert guest.outstanding == 4096
        assert domains.alive(1).info.outstanding_kib == 16384

    @pytest.mark.parametrize("kib", [0, -4, 4096 * 4 + 1])
    def test_more_than_it_may_have(self, machine: Machine, domains: Domains, kib: int) -> None:
        guest = machine.guest(built=False)
        with refused(errno.EINVAL):
            domains.claim(1, kib)
        assert guest.outstanding == 0

    def test_more_than_is_free(self, machine: Machine, domains: Domains) -> None:
        machine.guest(built=False, pages=machine.free).outstanding = 10
        machine.guest(built=False, pages=machine.free)
        with refused(errno.ENOMEM):
            domains.claim(2, machine.free * 4)
        domains.claim(2, (machine.free - 10) * 4)

    def test_twice(self, machine: Machine, domains: Domains) -> None:
        machine.guest(built=False)
        domains.claim(1, 4)
        with refused(errno.EINVAL):
            domains.claim(1, 4)


class TestTriggers:
    def test_to_a_vcpu(self, machine: Machine, domains: Domains) -> None:
        guest = machine.guest(hvm=True)
        domains.send_trigger(1, "nmi")
        domains.send_trigger(1, "power", 1)
        assert guest.given == [("trigger", 0, 0), ("trigger", 3, 1)]

    @pytest.mark.parametrize(("trigger", "vcpu"), [("tickle", 0), ("nmi", 2), ("power", 0)])
    def test_refused(self, machine: Machine, domains: Domains, trigger: str, vcpu: int) -> None:
        guest = machine.guest()
        with refused(errno.EINVAL):
            domains.send_trigger(1, trigger, vcpu)
        assert guest.given == []


class TestWatchdog:
    def test_its_life(self, machine: Machine, domains: Domains) -> None:
        assert [domains.watchdog(0, 60), domains.watchdog(0, 70)] == [1, 2]
        with refused(errno.ENOSPC):
            domains.watchdog(0, 60)
        assert domains.watchdog(2, 80) == 2
        assert machine.timers == {1: 60, 2: 80}
        assert domains.watchdog(1, 0) == 1
        with refused(errno.EINVAL):
            domains.watchdog(1, 0)
        assert domains.watchdog(0, 5) == 1

    @pytest.mark.parametrize(
        ("timer", "timeout_s"), [(0, 0), (0, -1), (1, -1), (0, 1 << 32), (3, 9), (-1, 9)]
    )
    def test_refused(self, machine: Machine, domains: Domains, timer: int, timeout_s: int) -> None:
        machine.timers = {1: 5, 2: 5}
        with refused(errno.EINVAL):
            domains.watchdog(timer, timeout_s)
        assert machine.timers == {1: 5, 2: 5}
