"""FLASK, where there is one and where not."""

import errno

import pytest

from tests.unit.xend.hypervisor.xen.machine import Machine
from tests.unit.xend.hypervisor.xen.refusals import refused
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.security import Security


@pytest.fixture
def security(calls: Calls) -> Security:
    return Security(calls)


def test_flask(machine: Machine, security: Security) -> None:
    machine.enforcing = False
    assert security.is_enforcing() is False
    security.set_enforcing(True)
    assert security.is_enforcing() is True
    policy = b"\x8c\xff\x7c\xf9" * 40_000  # more than one page
    security.load_policy(policy)
    assert machine.policy == policy
    for wrong in (b"", b"text"):
        with refused(errno.EINVAL, "policy"):
            security.load_policy(wrong)
    assert machine.policy == policy


def test_no_flask(machine: Machine, security: Security) -> None:
    assert security.is_enforcing() is None
    with refused(errno.ENOSYS, "no FLASK"):
        security.set_enforcing(True)
    with refused(errno.ENOSYS, "no FLASK"):
        security.load_policy(b"\x8c\xff\x7c\xf9")
