"""The store is killed, restarted and upgraded under a running guest, which notices nothing.

It is the one that scenarios share: these are its last, as their file's name sees to it.
"""

import pytest

from tests.peers.debian import XEN_BIN
from tests.xen import stores
from tests.xen.dom0 import Dom0
from tests.xen.guest import UNTIL, Guest
from tests.xen.stores import Store

pytestmark = [pytest.mark.xen, pytest.mark.ours]


#: What the guest does all the time; whatever goes wrong stands in /errors.  A line each: an order is one.
#: Under emulation one process in some hundreds ends with a segmentation fault, whatever it does: it is
#: started again.  What the store or a disk answers wrongly is still told, by the program that saw it.
STORE = (
    "n=0; put() { xenstore-write data/beat $n; }; "
    "while :; do n=$((n + 1)); put || put || echo write $n; "
    '[ "$(xenstore-read data/beat)" = $n ] || [ "$(xenstore-read data/beat)" = $n ] || echo read $n; '
    "done >>/errors 2>&1 </dev/null &"
)
DISK = (
    "put() { dd if=/data of=/dev/xvda bs=16k conv=fsync 2>/dev/null; }; "
    "same() { dd if=/dev/xvda bs=16k count=4 2>/dev/null | cmp -s - /data; }; "
    "while :; do dd if=/dev/urandom of=/data bs=16k count=4 2>/dev/null; "
    "put || put || put || echo disk: write; same || same || same || echo disk: read; sleep 1; "
    "done >>/errors 2>&1 </dev/null &"
)
NETWORK = "ping 10.0.0.1 >/pings 2>&1 </dev/null &"


@pytest.fixture(scope="module")
def survivor(dom0: Dom0, guest: Guest) -> Guest:
    """The guest under load."""
    for load in (STORE, DISK, NETWORK):
        guest.must(load)
    await_beats(dom0, guest)
    return guest


def await_beats(dom0: Dom0, guest: Guest) -> None:
    """Until the guest's requests have been answered several times more."""
    beat = f"xenstore-read {guest.home}/data/beat"
    dom0.must(
        f"until_done_in() {{ [ $({beat}) -ge $1 ]; }}\n"
        f"{UNTIL}until_done {beat}\nfrom=$({beat})\nuntil_done until_done_in $((from + 3))",
        60,
    )


def errors_of(guest: Guest) -> str:
    lines = guest.must("cat /errors").splitlines()
    return "\n".join(line for line in lines if line != "Segmentation fault")


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
    lost = survivor.must("kill -INT $(pidof ping); sleep 1; grep 'packet loss' /pings")
    assert " 0% packet loss" in lost
    assert errors_of(survivor) == ""
    assert survivor.must("dmesg | grep -ciE 'xenbus.*(error|fail|timeout)' || true") == "0"


def test_it_shuts_down_cleanly(dom0: Dom0, survivor: Guest) -> None:
    """xl's own watcher of the domain lost its store with the first kill: what it would do is done here."""
    dom0.must(f"xl shutdown -w {survivor.name}", 60)
    if dom0.run(f"xl domid {survivor.name}").status == 0:
        dom0.must(f"xl destroy {survivor.name}", 60)
    assert dom0.run(f"xenstore-exists {survivor.home}").status != 0
    assert dom0.run(f"xenstore-exists /local/domain/0/backend/vbd/{survivor.domid}").status != 0
