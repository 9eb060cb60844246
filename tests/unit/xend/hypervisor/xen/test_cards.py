"""PCI functions: who has which."""

import errno

import pytest

from tests.unit.xend.hypervisor.xen.machine import Machine
from tests.unit.xend.hypervisor.xen.refusals import refused
from xend.hypervisor import HostAccess
from xend.hypervisor.control import QUARANTINE
from xend.hypervisor.xen.access import Access
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.cards import DOMID_INVALID, Cards
from xend.hypervisor.xen.domains import Domains

CARD = 0x0100


def test_given_and_taken(machine: Machine, calls: Calls) -> None:
    machine.guest()
    machine.cards = {CARD: 0}
    cards = Cards(calls)
    cards.check(CARD)
    cards.assign(QUARANTINE, CARD, False)
    cards.assign(1, CARD, True)
    assert machine.cards == {CARD: 1}
    with refused(errno.EINVAL):
        cards.check(CARD)
    cards.release(1, CARD)
    assert machine.cards == {CARD: 0}
    assert machine.card_calls == [
        (45, DOMID_INVALID, 0, CARD), (37, QUARANTINE, 1, CARD), (37, 1, 0, CARD),
        (45, DOMID_INVALID, 0, CARD), (47, 1, 0, CARD),
    ]  # fmt: skip


@pytest.mark.parametrize(("cards", "number"), [({}, errno.ENODEV), (None, errno.EOPNOTSUPP)])
def test_refused(machine: Machine, calls: Calls, cards: dict[int, int] | None, number: int) -> None:
    machine.guest()
    machine.cards = cards
    with refused(number):
        Cards(calls).assign(1, CARD, True)


def test_access_is_taken_back(machine: Machine, calls: Calls, domains: Domains) -> None:
    guest = machine.guest()
    access = HostAccess(memory=[(0xA0, 32, 0xA0)], ports=[(0x3F8, 8)], irqs=[4])
    Access(calls, domains).deny(1, access)
    assert guest.given == [("ports", 0x3F8, 8, 0), ("unmapped", 4), ("irq", 4, 0), ("memory", 0xA0, 32, 0)]
