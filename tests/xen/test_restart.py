"""A store that starts under a host whose domains run."""

import pytest

from tests.xen import stores
from tests.xen.dom0 import Dom0
from tests.xen.guest import UNTIL, Program

pytestmark = [pytest.mark.xen, pytest.mark.ours]


def test_domains_that_run_already_are_served_by_an_empty_store(dom0: Dom0) -> None:
    """Has to come last: see test_measured."""
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
