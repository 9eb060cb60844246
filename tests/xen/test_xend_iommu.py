"""A card of the host behind an IOMMU, whose interrupts are messages (MSI-X), in a guest's hands.

It takes another machine than the other scenarios have.
"""

import pytest

from tests.xen import manager
from tests.xen.conftest import OneMachine
from tests.xen.dom0 import Dom0
from tests.xen.guest import NO_DEVICES, OURS, Guest, Settings
from tests.xen.host_state import state_of
from tests.xen.machine import CARD, ROUTER, SHIELDED
from tests.xen.test_xend_cards import UP

pytestmark = [pytest.mark.xen, pytest.mark.long]

DRIVER = f"/sys/bus/pci/devices/{CARD}/driver"


@pytest.fixture(scope="module")
def shielded(machine: OneMachine) -> Dom0:
    """A host with our xend on it."""
    booted = machine.boot("shielded", SHIELDED)
    manager.start(booted)
    return booted


def test_a_guest_gets_its_interrupts_as_messages(shielded: Dom0) -> None:
    empty = state_of(shielded)
    assert "hvm_directio" in shielded.must(f"{OURS.xl} info | grep virt_caps")
    assert shielded.must(f"basename $(readlink {DRIVER})") == "e1000e"
    settings: Settings = {
        "ramdisk": str(shielded.images.guest_with_modules),
        "pci": [f"{CARD},seize=1,permissive=1,accept=no-reset"],
        "e820_host": 1,
    }
    router = Guest(shielded, "router", NO_DEVICES, toolstack=OURS, settings=settings)
    router.must("load-devices", 60)
    reaches_others_by_messages(router)
    router.xl(f"pci-detach router {CARD}", 60)
    router.must("! [ -d /sys/class/net/eth0 ]")
    router.xl(f"pci-attach router {CARD},accept=no-reset", 60)
    reaches_others_by_messages(router)
    router.destroy()
    shielded.must(f"{OURS.xl} pci-assignable-remove -r {CARD}")
    assert shielded.must(f"basename $(readlink {DRIVER})") == "e1000e"
    assert state_of(shielded) == empty


def reaches_others_by_messages(router: Guest) -> None:
    """Each of its queues has an interrupt of its own, and those for what comes and goes were used."""
    router.must(UP, 60)
    assert router.pings(ROUTER)
    lines = router.must("grep eth0- /proc/interrupts").splitlines()
    counts = [int(line.split()[1]) for line in lines if "pcifront-msi-x" in line]
    assert (len(counts), all(count > 0 for count in counts)) == (2, True), lines
