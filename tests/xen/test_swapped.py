"""Stores put under a host that runs: each starts empty, and dom0's kernel does not get over that.

So this file has to be a boot's last: its name sees to it.
"""

import re

import pytest

from tests.xen import stores
from tests.xen.dom0 import Dom0
from tests.xen.figures import Figures
from tests.xen.guest import UNTIL, Program

pytestmark = [pytest.mark.xen, pytest.mark.ours]

END_ALL = "for name in $(xl list | awk 'NR > 2 {print $1}'); do xl destroy $name; done"
#: How often each store is started, by turns.
ROUNDS = 2


@pytest.fixture(scope="module", autouse=True)
def empty_host(dom0: Dom0) -> None:
    """What a new store does not know has ended."""
    dom0.must(END_ALL, 60)


@pytest.mark.long
def test_what_it_costs_beside_debians(dom0: Dom0, figures: Figures) -> None:
    """Figures, no verdicts.  Each is the better one of two rounds: other work of the machine only adds."""
    found: dict[str, dict[str, list[float]]] = {}
    for turn in range(ROUNDS):
        for store in (stores.DEBIAN, stores.OURS):
            stores.replace(dom0, store)
            guest = Program(dom0, f"timed-{store.name}-{turn}", "time")
            guest.await_console("bare: done", 60)
            resident = dom0.must("grep VmRSS /proc/$(cat /run/xenstored.pid)/status").split()[1]
            values = {
                "read round trip, us": _us(guest, "read"),
                "transaction (4 round trips), us": _us(guest, "transaction"),
                "the same of a guest that notifies as NetBSD does: read, us": _us(guest, "chatty read"),
                "transaction, us": _us(guest, "chatty transaction"),
                "xl create to the guest's word, s": guest.start_s,
                "resident memory with one guest, MiB": int(resident) / 1024,
            }
            for name, value in values.items():
                found.setdefault(name, {}).setdefault(store.name, []).append(value)
            guest.destroy()
    for name, by_store in found.items():
        figures.compare(name, {store: min(values) for store, values in by_store.items()})


def test_domains_that_run_already_are_served_by_an_empty_store(dom0: Dom0) -> None:
    guest = Program(dom0, "early", "beat")
    beats = f"{guest.home}/data/beat"
    beaten = f"until_done xenstore-read {beats}"
    dom0.must(f"{UNTIL}{beaten}\nxenstore-rm {beats}\n{beaten}")
    stores.replace(dom0, stores.OURS)
    assert dom0.run(f"xenstore-read {beats}").status != 0, "the store starts empty"
    own = f"xenstore-write {guest.home}/data ''\nxenstore-chmod {guest.home}/data n{guest.domid}\n"
    dom0.must(f"{own}{UNTIL}{beaten}")
    dom0.must(
        "xenstore-watch -n 2 @releaseDomain >/run/released &\nwatcher=$!\n"
        "until [ -s /run/released ]; do read -r -t 0.1 <>/run/never || true; done\n"
        f"xl destroy {guest.domid}\nwait $watcher"
    )


def _us(guest: Program, what: str) -> float:
    match = re.search(rf"bare: {what} ns (\d+)", guest.console())
    assert match is not None
    return int(match[1]) / 1000
