"""What the start of an hvm domain costs beside Debian's xl: same host, store, disk and guest, by turns."""

from contextlib import nullcontext
from statistics import median

import pytest

from tests.xen import hvm, manager
from tests.xen.dom0 import Dom0
from tests.xen.figures import Figures
from tests.xen.guest import DEBIANS, NO_DEVICES, UNTIL, Toolstack, linux
from tests.xen.host_state import Left, state_of
from tests.xen.test_xend_figures import SINCE, TURNS, figures_of

pytestmark = [pytest.mark.xen, pytest.mark.long]

ROUNDS = 3
NAME, ADDRESS = "timed", "10.0.0.40"
#: A life of one may take so long, in seconds.
LIMIT_S = 400
#: For dom0, which has `xl`: a start, and an end that is not timed.
START = (
    UNTIL
    + SINCE
    + """
begin=$EPOCHREALTIME
$xl create -q /run/timed.cfg
since created
domid=$(xenstore-list /local/domain | tail -n 1)
home=/local/domain/$domid
greets() {
    port=$(xenstore-read $home/console/vnc-port) && exec 3<>/dev/tcp/127.0.0.1/$port &&
        read -r -t 5 said <&3 && [ "${said%% *}" = RFB ]
}
until_done greets
since screen
exec 3>&-
until_done xenstore-read $home/data/state
since up
$xl destroy timed
known() { xenstore-exists /local/domain/$domid || xenstore-exists /libxl/$domid; }
gone() { ! known && ! losetup -a | grep -q timed; }
until_done gone
"""
)


def start(dom0: Dom0, toolstack: Toolstack) -> dict[str, float]:
    """Its figures, in seconds."""
    with manager.consoles_of_debians(dom0) if toolstack is DEBIANS else nullcontext():
        return figures_of(dom0.must(f"xl={toolstack.xl}\n{START}", LIMIT_S))


def test_beside_debians(managed: Dom0, empty: Left, one_processor: None, figures: Figures) -> None:
    settings = hvm.settings(managed, NAME, hvm.SDA, ADDRESS)
    config = linux(managed, NAME, NO_DEVICES, settings)
    managed.must(f"cat >/run/timed.cfg <<'END'\n{config}END")
    found: dict[str, dict[str, list[float]]] = {}
    for _ in range(ROUNDS):
        for who, toolstack in TURNS.items():
            for name, seconds in start(managed, toolstack).items():
                found.setdefault(name, {}).setdefault(who, []).append(seconds)
    for name, by_who in found.items():
        medians = {who: median(by_who[who]) for who in ("xl", "xl again", "ours")}
        figures.compare(f"hvm {name}, s", medians)
    assert state_of(managed) == empty
