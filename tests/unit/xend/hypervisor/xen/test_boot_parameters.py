"""Parameters of the hypervisor that are changed while it runs."""

import errno

import pytest

from tests.unit.platform.kernel import refusal
from tests.unit.xend.hypervisor.xen.machine import Machine
from tests.unit.xend.hypervisor.xen.refusals import refused
from xend.hypervisor.xen.boot_parameters import BOOLEAN, STRING, UNSIGNED, BootParameters
from xend.hypervisor.xen.calls import Calls


@pytest.fixture
def parameters(calls: Calls, machine: Machine) -> BootParameters:
    machine.hypfs = {
        "/params/loglvl": (STRING, b"warning\0", 64),
        "/params/ept": (STRING, b"x" * 1500, 64),  # more than there is room for here
        "/params/pages": (UNSIGNED, bytes(4), 4),
        "/params/flag": (BOOLEAN, b"\0", 1),
        "/params/fixed": (STRING, b"x\0", 0),
    }
    return BootParameters(calls)


def test_each_type(machine: Machine, parameters: BootParameters) -> None:
    for name, value, expected in (
        ("loglvl", "all", b"all\0"),
        ("ept", "exec-sp=0", b"exec-sp=0\0"),
        ("pages", "0x102", b"\2\1\0\0"),
        ("flag", "yes", b"\1"),
        ("flag", "0", b"\0"),
    ):
        parameters.set({name: value})
        assert machine.hypfs[f"/params/{name}"][1] == expected


@pytest.mark.parametrize(
    ("name", "value", "number"),
    [
        ("none", "1", errno.ENOENT),
        ("fixed", "y", errno.EACCES),
        ("loglvl", "x" * 64, errno.EINVAL),
        ("pages", "many", errno.EINVAL),
        ("pages", str(1 << 32), errno.EINVAL),
        ("pages", "-1", errno.EINVAL),
        ("flag", "perhaps", errno.EINVAL),
        ("../buildinfo", "1", errno.EINVAL),
        ("", "1", errno.EINVAL),
    ],
)
def test_what_is_refused(
    machine: Machine, parameters: BootParameters, name: str, value: str, number: int
) -> None:
    before = dict(machine.hypfs)
    with refused(number, "parameter"):
        parameters.set({"loglvl": "all", name: value})
    assert machine.hypfs == before


def test_a_hypervisor_without_hypfs(machine: Machine, parameters: BootParameters) -> None:
    machine.has_hypfs = False
    with refused(errno.ENOSYS, "built without hypfs"):
        parameters.set({"loglvl": "all"})


def test_what_the_hypervisor_alone_refuses_takes_those_before_it_back(
    machine: Machine, parameters: BootParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(machine.hypfs)
    take = machine.hypfs_op

    def refusing(command: int, path_at: int, path_size: int, at: int, size: int) -> int:
        if command == 2 and machine.read(path_at, f"={path_size}s")[0] == b"/params/pages\0":
            raise refusal(errno.EINVAL)
        return take(command, path_at, path_size, at, size)

    monkeypatch.setattr(machine, "hypfs_op", refusing)
    with refused(errno.EINVAL, "parameter pages cannot be changed to '7': it takes no such value"):
        parameters.set({"loglvl": "all", "pages": "7"})
    assert machine.hypfs == before
