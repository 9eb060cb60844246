"""What the hypervisor writes."""

import errno

import pytest

from tests.unit.xend.hypervisor.xen.machine import Machine
from tests.unit.xend.hypervisor.xen.refusals import refused
from xend.hypervisor.xen.calls import ANSWER_SIZE, Calls
from xend.hypervisor.xen.messages import Messages


@pytest.fixture
def messages(calls: Calls) -> Messages:
    return Messages(calls)


def test_all_and_cleared(machine: Machine, messages: Messages) -> None:
    assert messages.all() == messages.all(clear=True) == b"(XEN) hello\n"
    assert messages.all() == b""
    machine.text += b"(XEN) more\n"
    assert messages.all() == b"(XEN) more\n"


@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize("size", [ANSWER_SIZE - 1, ANSWER_SIZE, 5 * ANSWER_SIZE + 7])
def test_more_than_one_answer_holds(machine: Machine, messages: Messages, size: int, clear: bool) -> None:
    machine.text = bytes(number % 251 for number in range(size + 100))
    machine.ring = size
    assert messages.all(clear) == machine.text[-size:]
    assert messages.all() == (b"" if clear else machine.text[-size:])


def test_what_is_new(machine: Machine, messages: Messages) -> None:
    text, index = messages.since(0)
    assert text == b"(XEN) hello\n"
    assert messages.since(index) == (b"", index)
    machine.text += b"(XEN) more\n"
    assert messages.since(index) == (b"(XEN) more\n", index + 11)


def test_debug_keys(machine: Machine, messages: Messages) -> None:
    messages.send_debug_keys("q0")
    assert machine.keys == b"q0"
    assert messages.all().endswith(b"keys\n")
    for keys in ("", "ü", "q" * 3000):
        with refused(errno.EINVAL):
            messages.send_debug_keys(keys)
    machine.refused["sysctl", 7] = errno.EPERM
    with refused(errno.EPERM):
        messages.send_debug_keys("q")
