"""What the store costs, measured beside Xen's C xenstored under one boot.  Figures, no verdicts.

Each is the better one of two rounds: the machine has other work, which only ever adds.
"""

import re

import pytest

from tests.xen import stores
from tests.xen.dom0 import Dom0
from tests.xen.figures import Figures
from tests.xen.guest import Program

pytestmark = [pytest.mark.xen, pytest.mark.ours]

#: How often each store is started, by turns.
ROUNDS = 2


def test_beside_debians_in_one_boot(dom0: Dom0, figures: Figures) -> None:
    """Has to be a boot's last: dom0's kernel and the guests do not get over a store that starts empty."""
    dom0.must("for name in $(xl list | awk 'NR > 2 {print $1}'); do xl destroy $name; done", 60)
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


def _us(guest: Program, what: str) -> float:
    match = re.search(rf"bare: {what} ns (\d+)", guest.console())
    assert match is not None
    return int(match[1]) / 1000
