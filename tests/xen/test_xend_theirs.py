"""Debian's xl beside our xend: it lists, pauses and destroys domains that ours made."""

import pytest

from tests.xen.dom0 import Dom0
from tests.xen.guest import OURS, UNTIL, Devices, Guest
from tests.xen.host_state import state_of

pytestmark = pytest.mark.xen


def test_theirs_on_ours(managed: Dom0) -> None:
    empty = state_of(managed)
    guest = Guest(managed, "theirs", Devices("/run/theirs.img", "10.0.0.6"), toolstack=OURS)
    assert managed.must("xl list theirs").splitlines()[1].split()[:2] == ["theirs", str(guest.domid)]
    managed.must("xl pause theirs")
    assert managed.must(f"{OURS.xl} list theirs").splitlines()[1].split()[4][2] == "p"
    managed.must("xl unpause theirs")
    guest.must("true")
    assert "xvda" in managed.must("xl block-list theirs") or "51712" in managed.must("xl block-list theirs")
    managed.must("xl destroy theirs", 60)
    managed.must(f"gone() {{ ! {OURS.xl} domid theirs; }}\n{UNTIL}until_done gone", 60)
    assert state_of(managed) == empty
