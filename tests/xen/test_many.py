"""Several guests at once, and guests that leave their host for a while."""

import pytest

from tests.xen.dom0 import Dom0
from tests.xen.guest import Devices, Guest

#: With our xl and xend the same is done every day in test_xend_many.py.
pytestmark = [pytest.mark.xen, pytest.mark.ours, pytest.mark.long]


def test_three_guests_at_once_and_what_ends_leaves_nothing(dom0: Dom0, guest: Guest) -> None:
    before = dom0.must("xenstore-ls -fp")
    second, third = (Guest(dom0, f"many-{n}", Devices(address=f"10.0.0.{n}"), wait=False) for n in (11, 12))
    for each in (second, third):
        each.await_report()
    assert [each.must("xenstore-read name") for each in (second, third)] == [second.name, third.name]
    assert guest.obey(f"xenstore-read {second.home}/data/state").status != 0, "another guest's private node"
    assert second.pings("10.0.0.12"), "by way of dom0's bridge"
    second.destroy()
    assert third.must("xenstore-read domid") == str(third.domid), "another's end is none of its business"
    dom0.must(f"xl shutdown {third.name}")
    third.await_end()
    assert dom0.must("xenstore-ls -fp | grep -v /data/") == "\n".join(
        line for line in before.splitlines() if "/data/" not in line
    )


def test_guest_is_saved_and_restored(dom0: Dom0, guest: Guest) -> None:
    """The shared guest, under another domid from here on."""
    guest.must("echo remembered >/tmp/memory")
    old_domid = guest.domid
    guest.save("/run/guest.save")
    guest.restore("/run/guest.save")
    assert guest.domid != old_domid
    assert guest.must("cat /tmp/memory", 60) == "remembered"
    assert guest.must("xenstore-read domid") == str(guest.domid)
    assert guest.pings("10.0.0.1")
    dom0.must("rm /run/guest.save")
