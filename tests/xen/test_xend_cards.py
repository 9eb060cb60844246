"""A card of the host in a guest's hands: given, used, taken and given again, returned."""

from collections.abc import Iterator

import pytest

from tests.xen.dom0 import Dom0
from tests.xen.guest import NO_DEVICES, OURS, Guest, Settings
from tests.xen.host_state import Left, state_of
from tests.xen.machine import CARD, CARD_ADDRESS, ROUTER

#: A guest waits two seconds for dom0 to read of a card, and then takes it for missing: a machine that does
#: other work as well is too slow for that now and then.
pytestmark = [pytest.mark.xen, pytest.mark.long]

#: The emulated machine has no IOMMU, and its card no reset of its own.
ACCEPTED = "accept=no-iommu+no-reset"
DRIVER = f"/sys/bus/pci/devices/{CARD}/driver"
#: A guest's words: until its kernel has the card's interface, with an address and a link.
UP = (
    "for i in $(seq 100); do [ -d /sys/class/net/eth0 ] && break; sleep 0.2; done; "
    f"ip link set eth0 up && ip addr add {CARD_ADDRESS}/24 dev eth0 && "
    "for i in $(seq 100); do grep -q 1 /sys/class/net/eth0/carrier && break; sleep 0.2; done"
)


@pytest.fixture(scope="module")
def assignable(managed: Dom0, empty: Left) -> Iterator[str]:
    """The card, no longer dom0's; dom0's again afterwards."""
    assert managed.must(f"basename $(readlink {DRIVER})") == "e1000"
    managed.must(f"{OURS.xl} pci-assignable-add -n lan {CARD}")
    assert managed.must(f"{OURS.xl} pci-assignable-list -n") == f"{CARD} lan"
    yield "lan"
    managed.run(f"{OURS.xl} pci-assignable-remove -r {CARD}")


@pytest.fixture(scope="module")
def router(managed: Dom0, assignable: str) -> Guest:
    """A guest with the card; the last test of this file ends it."""
    settings: Settings = {
        "ramdisk": str(managed.images.guest_with_modules),
        "pci": [f"name={assignable},{ACCEPTED}"],
        "e820_host": 1,
    }
    return Guest(managed, "router", NO_DEVICES, toolstack=OURS, settings=settings)


@pytest.mark.parametrize("forged", ["/run/forged", "/sys/bus/pci/drivers/../../../../run/forged"])
def test_a_forged_driver_path_is_not_written_to(managed: Dom0, assignable: str, forged: str) -> None:
    node = f"/libxl/pci/{CARD.replace(':', '-').replace('.', '-')}/driver_path"
    true = managed.must(f"xenstore-read {node}; mkdir -p /run/forged; touch /run/forged/bind")
    managed.must(f"xenstore-write {node} {forged}")
    done = managed.run(f"{OURS.xl} pci-assignable-remove -r {CARD}")
    assert (done.status, len(done.output.splitlines())) == (1, 1), done
    assert "is no driver of dom0's kernel" in done.output
    assert managed.must(f"cat /run/forged/bind; rm -r /run/forged; xenstore-write {node} {true}") == ""
    assert managed.must(f"{OURS.xl} pci-assignable-list -n") == f"{CARD} lan"


def test_it_is_listed(managed: Dom0, router: Guest) -> None:
    assert managed.must(f"{OURS.xl} pci-list router").splitlines()[1:] == [f"00.0 {CARD}"]
    assert managed.must("xl pci-list router").splitlines()[1:] == [f"00.0 {CARD}"]


def test_the_guest_reaches_others_by_it(router: Guest) -> None:
    router.must("load-devices", 60)
    router.must(UP, 60)
    assert router.pings(ROUTER)


def test_it_is_in_use(managed: Dom0, router: Guest) -> None:
    for words in (f"pci-attach router {CARD}", f"pci-assignable-remove -r {CARD}"):
        done = managed.run(f"{OURS.xl} {words}")
        assert (done.status, len(done.output.splitlines())) == (1, 1), done
        assert f"{CARD} is in router" in done.output


def test_it_is_taken_and_given_again(managed: Dom0, router: Guest) -> None:
    router.xl(f"pci-detach router {CARD}", 60)
    router.must("! [ -d /sys/class/net/eth0 ]")
    assert managed.must(f"{OURS.xl} pci-list router").splitlines()[1:] == []
    router.xl(f"pci-attach router {CARD},{ACCEPTED}", 60)
    router.must(UP, 60)
    assert router.pings(ROUTER)


def test_dom0_has_it_back(managed: Dom0, router: Guest, empty: Left) -> None:
    router.destroy()
    managed.must(f"{OURS.xl} pci-assignable-remove -r lan")
    assert managed.must(f"basename $(readlink {DRIVER})") == "e1000"
    assert state_of(managed) == empty
