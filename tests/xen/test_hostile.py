"""Domains that attack the store through their own ring's page: each is stopped, and nobody else notices."""

import re

import pytest

from tests.xen.dom0 import Dom0
from tests.xen.guest import Guest, Program

pytestmark = [pytest.mark.xen, pytest.mark.ours]

#: What breaks the protocol, and the error that the page says then (XENSTORE_ERROR_* in xs_wire.h).
BREAKING = {"index": 2, "reply-index": 2, "long": 3}


def others_go_on(dom0: Dom0, guest: Guest) -> None:
    assert guest.must("xenstore-read name") == guest.name
    assert dom0.must("xenstore-read /local/domain/0/name") == "Domain-0"


def end_is_announced(dom0: Dom0, attacker: Program) -> None:
    """Destroys it: a watch set before gets its first event, and the one of this death."""
    dom0.must(
        "xenstore-watch -n 2 @releaseDomain >/run/released &\nwatcher=$!\n"
        f"until [ -s /run/released ]; do read -r -t 0.1 <>/run/never || true; done\n"
        f"xl destroy {attacker.name}\nwait $watcher",
        60,
    )
    attacker.await_end()
    assert "(null)" not in dom0.must("xl list"), "its page is still mapped: Xen cannot forget it"


@pytest.mark.parametrize(("act", "error"), BREAKING.items(), ids=BREAKING)
def test_a_ring_that_breaks_the_protocol_is_left_alone(
    dom0: Dom0, guest: Guest, act: str, error: int
) -> None:
    attacker = Program(dom0, f"hostile-{act}", act)
    attacker.await_console(f"bare: error {error}")
    others_go_on(dom0, guest)
    attacker.await_console("bare: done")
    assert "bare: left alone" in attacker.console()
    log = dom0.must("cat /var/log/xen/syslog")
    assert f"domain {attacker.domid}: its store ring breaks the protocol" in log
    end_is_announced(dom0, attacker)


def test_a_domain_that_never_reads_is_stopped_and_goes_on_when_it_does(dom0: Dom0, guest: Guest) -> None:
    attacker = Program(dom0, "hostile-deaf", "deaf")
    attacker.await_console("bare: stopped after requests")
    others_go_on(dom0, guest)
    attacker.await_console("bare: all answered, error 0")
    end_is_announced(dom0, attacker)


def test_a_flood_of_events_is_bounded(dom0: Dom0, guest: Guest) -> None:
    attacker = Program(dom0, "hostile-flood", "flood")
    attacker.await_console("bare: watches 128")
    attacker.await_console("bare: stopped after writes")
    others_go_on(dom0, guest)
    usage = dom0.must(f"xenstore-control quota {attacker.domid}")
    held = {name: int(number) for name, number in re.findall(r"^(\S+) *: *(\d+)", usage, re.MULTILINE)}
    assert held["watches"] == 128
    assert held["memory"] < 3 << 20
    end_is_announced(dom0, attacker)
