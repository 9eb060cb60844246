"""New domains, on each release."""

import errno
import uuid
from typing import Any

import pytest

from tests.unit.platform.kernel import Kernel
from tests.unit.xend.hypervisor.xen.conftest import SYSTEMS
from tests.unit.xend.hypervisor.xen.machine import RELEASES, Machine
from tests.unit.xend.hypervisor.xen.refusals import refused
from xend.hypervisor import Blueprint
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.creation import Creation
from xend.hypervisor.xen.domains import Domains
from xend.hypervisor.xen.host import Host
from xend.hypervisor.xen.pools import Pools
from xend.hypervisor.xen.release import running_release

UUID = "00112233-4455-6677-8899-aabbccddeeff"


def made(machine: Machine, system: str, **fields: Any) -> int:
    """The domid of a domain that is created with these fields of its blueprint."""
    hypercalls = SYSTEMS[system][1].hypercalls(machine.kernel)
    calls = Calls(hypercalls, running_release(hypercalls))
    creation = Creation(calls, Host(calls), Domains(calls), Pools(calls))
    return creation.create(Blueprint(**{"uuid": UUID, "max_vcpus": 2, "max_memory_kib": 8192, **fields}))


@pytest.mark.parametrize("type", ["pv", "pvh"])
@pytest.mark.parametrize("release", RELEASES)
def test_one_of_each_type(system: str, kernel: Kernel, release: tuple[int, int], type: str) -> None:
    machine = Machine(kernel, release)
    machine.pools[1] = [6, 0b1000]
    assert made(machine, system, type=type, pool=1, tsc_mode="native") == 1
    guest = machine.guests[1]
    assert guest.handle == uuid.UUID(UUID).bytes
    assert (guest.hvm, guest.pauses, guest.pages) == (type == "pvh", 1, 0)
    assert (len(guest.vcpus), guest.max_pages, guest.tsc_mode, guest.pool) == (2, (8192 + 1024) // 4, 2, 1)
    ssidref, _, flags, iommu, vcpus, ports, grants, maptracks, *rest = guest.created
    assert (ssidref, flags, iommu, vcpus) == (0, 3 if type == "pvh" else 0, 0, 2)
    assert (ports, grants, maptracks) == (1023, -1, -1)
    if release >= (4, 16):
        assert rest[0] == 2
    assert rest[-2:] == [type == "pvh", 0]


@pytest.mark.parametrize("release", RELEASES)
def test_a_whole_machine(system: str, kernel: Kernel, release: tuple[int, int]) -> None:
    machine = Machine(kernel, release)
    for domid, (asked, has_pirq) in enumerate([(None, release <= (4, 18)), (True, True), (False, False)], 1):
        assert made(machine, system, type="hvm", has_pirq=asked, has_out_of_sync=False) == domid
        guest = machine.guests[domid]
        assert (guest.hvm, guest.created[2], guest.created[-2]) == (True, 0xB, 0x3FF if has_pirq else 0x1FF)


def test_bounds(system: str, machine: Machine) -> None:
    made(
        machine, system, max_event_channels=99, max_grant_frames=0, max_maptrack_frames=7, max_grant_version=1
    )
    assert machine.guests[1].created[5:9] == (99, 0, 7, 1)


@pytest.mark.parametrize(("capability", "version"), [(3 << 8, 2), (1 << 8, 1), (0, 0)])
def test_the_newest_grant_tables_of_the_host(
    system: str, machine: Machine, capability: int, version: int
) -> None:
    machine.capabilities = 0b1011 | capability
    made(machine, system)
    assert machine.guests[1].created[8] == version


@pytest.mark.parametrize(
    ("fields", "number", "text"),
    [
        ({"max_vcpus": 0}, errno.EINVAL, "0 vCPUs"),
        ({"max_vcpus": -1}, errno.EINVAL, "-1 vCPUs"),
        ({"max_vcpus": 1 << 40}, errno.EINVAL, "vCPUs"),
        ({"max_vcpus": 8193}, errno.EINVAL, "too large for this Xen: 8193 vCPUs"),
        ({"max_vcpus": 129, "type": "pvh"}, errno.EINVAL, "too large for this Xen: 129 vCPUs"),
        ({"max_event_channels": -1}, errno.EINVAL, "-1 event channels"),
        ({"max_grant_frames": 1 << 31}, errno.EINVAL, "grant"),
        ({"max_grant_frames": 100000}, errno.EINVAL, "100000 grant frames"),
        ({"max_maptrack_frames": -2}, errno.EINVAL, "-2 maptrack"),
        ({"max_grant_version": 3}, errno.EINVAL, "no version 3 of grant tables"),
        ({"pool": 7}, errno.ESRCH, "no CPU pool 7"),
        ({"pool": -1}, errno.EINVAL, "no CPU pool -1"),
        ({"tsc_mode": "native_paravirt"}, errno.EINVAL, "no tsc_mode"),
        ({"tsc_mode": "slow"}, errno.EINVAL, "no tsc_mode"),
        ({"trace_kib": 5}, errno.EINVAL, "5 KiB for traces"),
        ({"trace_kib": 1 << 17}, errno.EINVAL, "131072 KiB for traces"),
        ({"altp2m": "any"}, errno.EINVAL, "altp2m any"),
        ({"clock_offset_s": 1 << 63}, errno.EINVAL, "no clock is so far"),
        ({"has_vpmu": True}, errno.EOPNOTSUPP, "this host has not performance counters"),
        ({"has_iommu": True}, errno.EOPNOTSUPP, "this host has not an IOMMU"),
        ({"trace_kib": 64}, errno.EOPNOTSUPP, "this host has not traces"),
    ],
)
def test_refused(system: str, machine: Machine, fields: dict[str, Any], number: int, text: str) -> None:
    with refused(number, text):
        made(machine, system, **fields)
    assert list(machine.guests) == [0]


@pytest.mark.parametrize("release", [(4, 16), (4, 17)])
def test_a_pool_that_there_is_not_on_older_releases(
    system: str, kernel: Kernel, release: tuple[int, int]
) -> None:
    machine = Machine(kernel, release)
    with refused(errno.ESRCH):
        made(machine, system, pool=5)
    assert list(machine.guests) == [0]


@pytest.mark.parametrize(
    ("type", "capabilities"), [("pv", 0b1001), ("pvh", 0b0010), ("pvh", 0b0011), ("hvm", 0b0010)]
)
def test_types_that_the_host_cannot_run(system: str, machine: Machine, type: str, capabilities: int) -> None:
    machine.capabilities = capabilities
    with refused(errno.EOPNOTSUPP):
        made(machine, system, type=type)
    assert list(machine.guests) == [0]


def test_shadow_where_there_is_no_hap(system: str, machine: Machine) -> None:
    """Refused by Debian's build all the same, which has none."""
    machine.capabilities = 0b10011
    with refused(errno.EOPNOTSUPP):
        made(machine, system, type="pvh")
    assert ("domctl", 1) in machine.calls


@pytest.mark.parametrize("step", [15, 11, 60])
def test_nothing_is_left_of_one_that_fails(system: str, machine: Machine, step: int) -> None:
    machine.refused["domctl", step] = errno.ENOMEM
    machine.again = 2
    with refused(errno.ENOMEM):
        made(machine, system)
    assert list(machine.guests) == [0]


def test_two_may_have_one_uuid(system: str, machine: Machine) -> None:
    assert [made(machine, system), made(machine, system)] == [1, 2]


#: Bits of physinfo: with directio, shadow, vmtrace and vpmu besides.
EVERYTHING = 0b11111 | 0b11 << 6 | 3 << 8


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        ({"has_vpmu": True}, 0x80),
        ({"has_iommu": True}, 0x20),
        ({"type": "pvh", "has_nested_virt": True}, 0x43),
        ({"type": "pvh", "is_hap": False}, 1),
        ({"type": "pvh", "is_hap": False, "has_out_of_sync": False}, 9),
        ({"has_out_of_sync": False}, 0),
    ],
)
def test_what_a_domain_is_like(system: str, machine: Machine, fields: dict[str, Any], flags: int) -> None:
    machine.capabilities, machine.has_shadow = EVERYTHING, True
    made(machine, system, **fields)
    assert machine.guests[1].created[2] == flags


@pytest.mark.parametrize("release", RELEASES)
def test_traces_registers_and_clock(system: str, kernel: Kernel, release: tuple[int, int]) -> None:
    machine = Machine(kernel, release)
    machine.capabilities = EVERYTHING
    made(
        machine,
        system,
        type="pvh",
        trace_kib=64,
        is_msr_relaxed=True,
        clock_offset_s=-3600,
        altp2m="external",
    )
    guest = machine.guests[1]
    *_, emulation, relaxed = guest.created
    assert (emulation, relaxed, guest.clock_offset_s) == (1, 1, -3600)
    before = {(4, 15): (), (4, 16): (2,), (4, 17): (2,), (4, 18): (2,), (4, 19): (2, 2)}
    assert guest.created[8:].index(64 << 10) == len(before.get(release, (2, 2)))
    if release >= (4, 19):
        assert guest.created[9] == (2 if release < (4, 21) else 2 | 10 << 16)
