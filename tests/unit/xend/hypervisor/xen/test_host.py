"""The host, as the hypervisor tells of it."""

import errno

import attrs
import pytest

from tests.unit.platform.kernel import Kernel
from tests.unit.xend.hypervisor.xen.conftest import SYSTEMS
from tests.unit.xend.hypervisor.xen.machine import PATTERN, RELEASES, Machine
from tests.unit.xend.hypervisor.xen.refusals import refused
from xend.hypervisor import HostInfo
from xend.hypervisor.topology import Cpu, Node
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.host import Host
from xend.hypervisor.xen.release import running_release

EXPECTED = HostInfo(
    nr_cpus=4,
    nr_nodes=2,
    cores_per_socket=2,
    threads_per_core=2,
    cpu_khz=2_000_000,
    hw_caps=tuple(range(8)),
    virt_caps=["pv", "hvm", "hap", "gnttab-v1", "gnttab-v2"],
    total_memory_kib=4 << 19,
    free_memory_kib=(4 << 17) - 400,
    outstanding_claims_kib=400,
    xen_major=4,
    xen_minor=17,
    xen_extra=".9",
    xen_caps="xen-3.0-x86_64 xen-3.0-x86_32p ",
    xen_scheduler="credit2",
    xen_pagesize=4096,
    virt_start=0xFFFF800000000000,
    xen_changeset="",
    xen_commandline="placeholder dom0_mem=1G",
    cc_compiler="gcc 12",
    cc_compile_by="someone",
    cc_compile_domain="example.org",
    cc_compile_date="today",
    build_id=bytes(range(20)).hex(),
)


@pytest.mark.parametrize("release", RELEASES)
def test_all_of_it(system: str, kernel: Kernel, release: tuple[int, int]) -> None:
    machine = Machine(kernel, release)
    machine.guest(built=False).outstanding = 100
    hypercalls = SYSTEMS[system][1].hypercalls(kernel)
    host = Host(Calls(hypercalls, running_release(hypercalls)))
    assert host.info() == attrs.evolve(EXPECTED, xen_minor=release[1])


def test_directio_is_of_what_there_is(machine: Machine, calls: Calls) -> None:
    machine.capabilities = 0b10110
    assert Host(calls).info().virt_caps == ["pv", "pv_directio", "shadow"]


def test_shared_memory(machine: Machine, calls: Calls) -> None:
    machine.shared = 3, 5
    info = Host(calls).info()
    assert (info.sharing_freed_kib, info.sharing_used_kib) == (12, 20)


def test_a_scheduler_that_nobody_knows(machine: Machine, calls: Calls) -> None:
    machine.pools[0][0] = 77
    assert Host(calls).scheduler() == "77"


def test_refused(machine: Machine, calls: Calls) -> None:
    machine.refused["sysctl", 3] = errno.EPERM
    with refused(errno.EPERM):
        Host(calls).info()


def test_topology(machine: Machine, calls: Calls) -> None:
    assert Host(calls).topology() == [
        Cpu(0, 0, 0, 0), Cpu(1, 0, 0, 0), Cpu(2, 1, 0, 1), Cpu(3, None, None, None),
    ]  # fmt: skip


def test_topology_of_a_host_with_more_cpus_than_small_answers_hold(kernel: Kernel, system: str) -> None:
    machine = Machine(kernel, cpus=8000)
    hypercalls = SYSTEMS[system][1].hypercalls(machine.kernel)
    cpus = Host(Calls(hypercalls, running_release(hypercalls))).topology()
    assert len(cpus) == 8000
    assert cpus[7998].core == 3999


def test_topology_without_memory_for_it(kernel: Kernel, system: str) -> None:
    machine = Machine(kernel, cpus=8000)
    hypercalls = SYSTEMS[system][1].hypercalls(machine.kernel)
    host = Host(Calls(hypercalls, running_release(hypercalls)))
    kernel.missing.add("/dev/xen/hypercall")
    kernel.lock_refused = errno.EAGAIN
    with refused(errno.ENOMEM):
        host.topology()


def test_how_long_cpus_were_idle(machine: Machine, calls: Calls) -> None:
    assert Host(calls).idle_times() == [PATTERN + cpu for cpu in range(machine.cpus)]


def test_nodes(machine: Machine, calls: Calls) -> None:
    assert Host(calls).nodes() == [
        Node(0, 1 << 30, 1 << 29, (10, 20)), Node(1, 1 << 30, 1 << 29, (20, 10)),
    ]  # fmt: skip


def test_what_the_processor_can(machine: Machine, calls: Calls) -> None:
    assert Host(calls).cpu_policy("pv") == [(1, 0xFFFFFFFF, 5, 0, 2, 7), (7, 0, 2, 0x20, 0, 0)]
    assert Host(calls).cpu_policy("hvm") == [(1, 0xFFFFFFFF, 5, 0, 3, 7), (7, 0, 2, 0x20, 0, 0)]
    machine.refused["sysctl", 29] = errno.EOPNOTSUPP
    assert Host(calls).cpu_policy("pv") is None
    machine.refused["sysctl", 29] = errno.EPERM
    with refused(errno.EPERM):
        Host(calls).cpu_policy("pv")
