"""Several guests at once, and guests that leave their host for a while."""

import pytest

from tests.xen.dom0 import Dom0
from tests.xen.guest import Devices, Guest

pytestmark = pytest.mark.xen


def test_three_guests_at_once(dom0: Dom0) -> None:
    guests = [Guest(dom0, f"three-{n}", Devices(address=f"10.0.0.{10 + n}")) for n in range(3)]
    assert [guest.must("xenstore-read name") for guest in guests] == [guest.name for guest in guests]
    first, second, third = guests
    assert first.obey(f"xenstore-read {second.home}/data/state").status != 0, "another guest's private node"
    assert "0% packet loss" in second.must("ping -c 2 -W 10 10.0.0.12", 60), "by way of dom0's bridge"
    dom0.must(f"xl destroy {first.name}", 60)
    first.await_end()
    assert third.must("xenstore-read domid") == str(third.domid), "another's end is none of its business"
    for guest in (second, third):
        dom0.must(f"xl shutdown {guest.name}")
    for guest in (second, third):
        guest.await_end()


def test_guest_is_saved_and_restored(dom0: Dom0) -> None:
    guest = Guest(dom0, "traveller", Devices(disk="/run/traveller.img", address="10.0.0.20"))
    guest.must("echo remembered >/tmp/memory")
    old_domid = guest.domid
    guest.save("/run/traveller.save")
    guest.restore("/run/traveller.save")
    assert guest.domid != old_domid
    assert guest.must("cat /tmp/memory", 60) == "remembered"
    assert guest.must("xenstore-read domid") == str(guest.domid)
    assert "0% packet loss" in guest.must("ping -c 2 -W 10 10.0.0.1", 60)
    dom0.must(f"xl destroy {guest.name}; rm /run/traveller.save", 60)
    guest.await_end()
