"""The store is killed and started again under a living host: what follows runs on the one that recovered."""

import pytest

from tests.xen import stores
from tests.xen.dom0 import Dom0
from tests.xen.guest import Guest

pytestmark = [pytest.mark.xen, pytest.mark.ours]


def test_a_killed_store_goes_on_where_it_was(dom0: Dom0, guest: Guest) -> None:
    """The guest obeys through a watch that it set before."""
    assert guest.must("xenstore-read name") == guest.name
    before = dom0.must("xenstore-ls -fp")
    stores.kill_and_start(dom0, stores.OURS)
    assert dom0.must("xenstore-ls -fp") == before
    assert guest.must("xenstore-read name") == guest.name
    assert dom0.must("xenstore-watch -n 1 @releaseDomain") == "@releaseDomain"
    recovered = dom0.must("grep recovered /var/log/xen/syslog")
    assert "2 domains" in recovered, "dom0's kernel and the guest"
