"""Fully virtualised domains by Debian's xl: that the rig has them, and what that xl leaves in the store.

What a guest costs here is in docs/reference/hvm.md.
"""

from collections.abc import Iterator

import pytest

from tests.xen import dump, hvm
from tests.xen.dom0 import Dom0
from tests.xen.guest import NEWEST, START_LIMIT_S, UNTIL

pytestmark = [pytest.mark.xen, pytest.mark.ours, pytest.mark.long]

#: The processor is shared by dom0 and the domain, which wait for each other all the time.
CREATE_LIMIT_S = 120


@pytest.fixture(scope="module")
def domid(dom0: Dom0) -> Iterator[int]:
    """A domain that has not run yet; nothing of it is left."""
    dom0.must(f"xl vcpu-pin Domain-0 0 {hvm.CPU}")
    interfaces = dom0.must("ls /sys/class/net/xenbr0/brif; losetup -a")
    path = hvm.config(dom0, "hvm")
    home = dom0.must(f"xl create -p {path}\n{NEWEST}echo; echo $home", CREATE_LIMIT_S).splitlines()[-1]
    yield int(home.rpartition("/")[2])
    dom0.must(f"xl destroy hvm\ngone() {{ ! xl domid hvm; }}\n{UNTIL}until_done gone", 60)
    assert dom0.must("ls /sys/class/net/xenbr0/brif; losetup -a") == interfaces
    dom0.must("xl vcpu-pin Domain-0 0 all")


def test_the_store_holds_what_debians_xl_writes(dom0: Dom0, domid: int) -> None:
    found, expected = hvm.nodes_of(dom0, domid), dump.recorded("hvm")
    (dom0.share.parent / "hvm.txt").write_text("".join(f"{line}\n" for line in found))
    assert sorted(set(found) - set(expected)) == [], "more than recorded"
    assert sorted(set(expected) - set(found)) == [], "less than recorded"


def test_its_card_has_two_interfaces_on_the_bridge(dom0: Dom0, domid: int) -> None:
    assert f"vif{domid}.0\nvif{domid}.0-emu" in dom0.must("ls /sys/class/net/xenbr0/brif")


def test_a_medium_is_changed_and_taken_out(dom0: Dom0, domid: int) -> None:
    backend = f"/local/domain/0/backend/qdisk/{domid}/5632/params"
    other = hvm.medium(dom0, "other")
    dom0.must("xl unpause hvm")
    dom0.must(f"xl cd-insert hvm hdc {other}", 60)
    assert dom0.must(f"xenstore-read {backend}") == f"aio:{other}"
    dom0.must("xl cd-eject hvm hdc", 60)
    assert dom0.must(f"xenstore-read {backend}") == ""


def test_the_bios_starts_it_from_its_own_disk(dom0: Dom0, domid: int) -> None:
    """It says so in the store itself, once it is up."""
    said = f"xenstore-read /local/domain/{domid}/data/state"
    dom0.must(f"{UNTIL}until_done {said}", START_LIMIT_S)
