"""Our xend on the stores of Xen's own, once with Debian's scripts, too.

Each has a boot of its own: dom0's kernel gets over no empty store.
"""

from typing import NamedTuple

import pytest

from tests.xen import manager, stores
from tests.xen.conftest import OneMachine
from tests.xen.dom0 import Dom0
from tests.xen.guest import OURS, Devices, Guest
from tests.xen.host_state import state_of
from tests.xen.stores import Store

pytestmark = pytest.mark.xen


class Ground(NamedTuple):
    """What xend stands on.

    Attributes:
        store: Xen's.
        config: with the scripts.
    """

    store: Store
    config: str


#: Debian has its scripts, which nobody has changed, in /etc/xen.
THEIRS = [
    Ground(stores.OCAML, "/etc/xen"),
    pytest.param(Ground(stores.DEBIAN, manager.CONFIG), marks=pytest.mark.long),
]


@pytest.fixture(scope="module", params=THEIRS, ids=lambda ground: ground.store.name)
def ground(request: pytest.FixtureRequest) -> Ground:
    chosen: Ground = request.param
    return chosen


@pytest.fixture(scope="module")
def host(ground: Ground, machine: OneMachine) -> Dom0:
    """A host with our xend on it."""
    booted = machine.boot(f"xend-on-{ground.store.name}")
    manager.start(booted, *ground)
    return booted


def test_a_life(host: Dom0, ground: Ground) -> None:
    empty = state_of(host)
    guest = Guest(host, "lodger", Devices("/run/lodger.img", "10.0.0.8"), toolstack=OURS)
    guest.await_console("guest: up, named lodger")
    assert guest.pings("10.0.0.1")
    guest.must("echo on their store | dd of=/dev/xvda bs=512 conv=sync && sync")
    assert host.must("head -n 1 /run/lodger.img | tr -d '\\0'") == "on their store"
    guest.plug_disk("/run/hot.img")
    guest.unplug_disk()
    guest.xl("pause lodger")
    guest.xl("unpause lodger")
    manager.kill(host, manager.PID)
    manager.start_xend(host, ground.config)
    before = guest.domid
    guest.xl("reboot lodger", 60)
    guest.await_next_life()
    assert guest.domid > before
    guest.xl("shutdown -w lodger", 60)
    guest.await_end()
    assert state_of(host) == empty
