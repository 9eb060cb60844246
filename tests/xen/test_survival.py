"""The store is killed, restarted and upgraded under a running guest, which notices nothing.

It is the one that scenarios share: these are its last, as their file's name sees to it.
"""

import pytest

from tests.xen import stores
from tests.xen.dom0 import Dom0
from tests.xen.guest import Guest
from tests.xen.load import await_beats, end, errors_of, load
from tests.xen.stores import Store
from tests.xen.userland import XEN_BIN

pytestmark = [pytest.mark.xen, pytest.mark.ours]


@pytest.fixture(scope="module")
def survivor(dom0: Dom0, guest: Guest) -> Guest:
    """The guest under load."""
    load(dom0, guest)
    return guest


@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.long)])
def test_kills_and_restarts(dom0: Dom0, store: Store, survivor: Guest, kills: int) -> None:
    for _ in range(kills):
        stores.kill(dom0)
        stores.restart(dom0, store)
        await_beats(dom0, survivor)
    assert errors_of(survivor) == ""
    assert dom0.must("xenstore-read /local/domain/0/name") == "Domain-0"
    assert survivor.must("xenstore-read name") == survivor.name


def test_a_live_update(dom0: Dom0, store: Store, survivor: Guest) -> None:
    pid = dom0.must("cat /run/xenstored.pid")
    program = store.command.split()[0]
    dom0.must(f"{XEN_BIN / 'xenstore-control'} live-update {program}", 150)
    await_beats(dom0, survivor)
    assert dom0.must("cat /run/xenstored.pid") == pid
    assert errors_of(survivor) == ""


def test_devices_come_and_go_afterwards(survivor: Guest) -> None:
    survivor.plug_disk("/run/later.img")
    survivor.unplug_disk()
    survivor.plug_interface("00:16:3e:01:03:07")
    survivor.unplug_interface()


def test_the_guests_own_log_shows_no_error(survivor: Guest) -> None:
    end(survivor)


def test_it_shuts_down_cleanly(dom0: Dom0, survivor: Guest) -> None:
    """xl's own watcher of the domain lost its store with the first kill: what it would do is done here."""
    dom0.must(f"xl shutdown -w {survivor.name}", 60)
    if dom0.run(f"xl domid {survivor.name}").status == 0:
        dom0.must(f"xl destroy {survivor.name}", 60)
    assert dom0.run(f"xenstore-exists {survivor.home}").status != 0
    assert dom0.run(f"xenstore-exists /local/domain/0/backend/vbd/{survivor.domid}").status != 0
