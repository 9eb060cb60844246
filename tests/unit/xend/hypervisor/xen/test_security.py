"""FLASK, where there is one and where not."""

import errno

import pytest

from tests.unit.xend.hypervisor.xen.machine import Guest, Machine
from tests.unit.xend.hypervisor.xen.refusals import refused
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.security import LABEL_MAX, Security


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


def test_labels(machine: Machine, security: Security) -> None:
    machine.enforcing = True
    machine.labels = ["system_u:system_r:domU_t", "x" * LABEL_MAX]
    assert security.label_number("system_u:system_r:domU_t") == 1
    assert security.label_number("x" * LABEL_MAX) == 2
    for wrong in ("", "a\0b", "y" * (LABEL_MAX + 1), "no:such:label"):
        with refused(errno.EINVAL, "label"):
            security.label_number(wrong)
    assert security.label_of(1) == "system_u:system_r:domU_t"
    assert security.label_of(2) == "x" * LABEL_MAX
    with refused(errno.EINVAL, "label 3"):
        security.label_of(3)
    machine.guests[3] = guest = Guest(3, bytes(16))
    security.set_label(3, 2)
    assert machine.labelled == [(guest, 2)]
    with refused(errno.ESRCH, "no such domain"):
        security.set_label(4, 2)
    with refused(errno.EINVAL, "domain 3 cannot have the security label 3"):
        security.set_label(3, 3)


def test_no_flask(machine: Machine, security: Security) -> None:
    assert security.is_enforcing() is None
    with refused(errno.ENOSYS, "no FLASK"):
        security.set_enforcing(True)
    with refused(errno.ENOSYS, "no FLASK"):
        security.label_number("system_u:system_r:domU_t")
    with refused(errno.ENOSYS, "no FLASK"):
        security.label_of(1)
    with refused(errno.ENOSYS, "no FLASK"):
        security.load_policy(b"\x8c\xff\x7c\xf9")
