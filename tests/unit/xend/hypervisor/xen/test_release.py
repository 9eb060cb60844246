"""Which hypervisor is taken, and which refused."""

import errno
from collections.abc import Callable

import pytest

from tests.unit.platform.kernel import Kernel
from tests.unit.xend.hypervisor.xen.conftest import SYSTEMS
from tests.unit.xend.hypervisor.xen.machine import RELEASES, Machine
from xend.hypervisor import HypervisorError
from xend.hypervisor.xen.layouts import Release
from xend.hypervisor.xen.release import running_release


def found(system: str, kernel: Kernel) -> Release:
    return running_release(SYSTEMS[system][1].hypercalls(kernel))


@pytest.mark.parametrize("release", RELEASES)
def test_each_that_is_known(system: str, kernel: Kernel, release: tuple[int, int]) -> None:
    Machine(kernel, release)
    assert (found(system, kernel).major, found(system, kernel).minor) == release


@pytest.mark.parametrize("release", [(4, 14), (4, 23), (5, 0)])
def test_others_are_refused(system: str, kernel: Kernel, release: tuple[int, int]) -> None:
    machine = Machine(kernel, release)
    with pytest.raises(HypervisorError, match=rf"this is Xen {release[0]}\.{release[1]}.* 4.15 to 4.22"):
        found(system, kernel)
    assert machine.calls == []


@pytest.mark.parametrize("which", ["domctl_version", "sysctl_version"])
def test_one_whose_interface_is_another_releases(system: str, machine: Machine, which: str) -> None:
    setattr(machine, which, 0x18)
    with pytest.raises(HypervisorError, match=r"says that it is 4.17.*interface is not that of 4.17"):
        found(system, machine.kernel)


def test_one_that_lets_nobody_ask(system: str, machine: Machine) -> None:
    machine.refused["sysctl", 3] = errno.EPERM
    with pytest.raises(HypervisorError, match="only a program in dom0 may ask it"):
        found(system, machine.kernel)


def no_vcpu(machine: Machine) -> None:
    machine.guests[0].vcpus = []


def no_memory(machine: Machine) -> None:
    machine.guests[0].pages = 0


def too_much_memory(machine: Machine) -> None:
    machine.guests[0].pages = 1 << 50


def shut_down(machine: Machine) -> None:
    machine.guests[0].reason = 0


def no_dom0(machine: Machine) -> None:
    machine.guest()
    del machine.guests[0]


@pytest.mark.parametrize("spoil", [no_vcpu, no_memory, too_much_memory, shut_down, no_dom0])
def test_one_whose_dom0_makes_no_sense(
    system: str, machine: Machine, spoil: Callable[[Machine], None]
) -> None:
    spoil(machine)
    with pytest.raises(HypervisorError, match="what it tells of dom0 makes no sense") as caught:
        found(system, machine.kernel)
    assert caught.value.errno == errno.EOPNOTSUPP
