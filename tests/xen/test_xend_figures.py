"""What our xend and xl cost beside Debian's xl: same host, store, kernel and guest, by turns."""

import re
from contextlib import nullcontext
from statistics import median

import pytest

from tests.xen import manager, stores
from tests.xen.dom0 import Dom0
from tests.xen.figures import Figures
from tests.xen.guest import DEBIANS, OURS, UNTIL, Devices, Toolstack, linux
from tests.xen.host_state import Left, state_of
from xend.device.scripts import QUICK

pytestmark = [pytest.mark.xen, pytest.mark.long]

ROUNDS = 5
#: Debian's twice: how much it differs from itself is how exact this is.
TURNS = {"xl": DEBIANS, "ours": OURS, "xl again": DEBIANS}
NAME = "timed"
TRACE = "/run/trace"

#: Says a figure: seconds since $begin.
SINCE = """
since() { awk "BEGIN { print \\"figure\\", \\"$1\\", $EPOCHREALTIME - $begin }"; }
"""
#: For dom0, which has `xl` and `log`: a life; each line of the end is a figure in seconds.
LIFE = (
    UNTIL
    + SINCE
    + """
rm -f $log
begin=$EPOCHREALTIME
$xl create -q /run/timed.cfg
since created
until_done [ -s $log ]
since spoke
domid=$(xenstore-list /local/domain | tail -n 1)
until_done xenstore-read /local/domain/$domid/data/state
since up
begin=$EPOCHREALTIME
$xl destroy timed
since destroyed
known() { xenstore-exists /local/domain/$domid || xenstore-exists /libxl/$domid; }
gone() { ! known && ! losetup -a | grep -q timed; }
until_done gone
since gone
"""
)

#: For dom0: our store, killed and started again, and asked by a program that tries once.
RESTART = f"""{SINCE}
pid=$(cat /run/xenstored.pid)
kill -9 $pid
while [ -e /proc/$pid ]; do read -r -t 0.1 <>/run/never || true; done
export XENSTORED_PATH=/var/run/xenstored/socket
begin=$EPOCHREALTIME
{stores.OURS.command} >/run/share/log/restart.log 2>&1 &
until PATH= {QUICK}/xenstore-exists / 2>/dev/null; do read -r -t 0.02 <>/run/never || true; done
since answered
wait $!
since up
"""


def figures_of(said: str) -> dict[str, float]:
    """What `since` said."""
    return {name: float(seconds) for name, seconds in re.findall(r"figure (\w+) ([\d.]+)", said)}


def life(dom0: Dom0, toolstack: Toolstack) -> dict[str, float]:
    """Its figures, in seconds."""
    return figures_of(dom0.must(f"xl={toolstack.xl}\nlog={toolstack.consoles.format(NAME)}\n{LIFE}", 180))


def requests_of_a_life(dom0: Dom0, toolstack: Toolstack) -> int:
    """How many the store was sent, by all clients, the guest among them."""
    dom0.must(f"rm -f {TRACE}; xenstore-control logfile {TRACE}; xenstore-control log on")
    life(dom0, toolstack)
    return int(dom0.must(f"xenstore-control log off; grep -c '^IN ' {TRACE}").splitlines()[-1])


def test_beside_debians(managed: Dom0, empty: Left, figures: Figures) -> None:
    config = linux(managed, NAME, Devices("/run/timed.img", "10.0.0.40"))
    managed.must(f"truncate -s 16M /run/timed.img; cat >/run/timed.cfg <<'END'\n{config}END")
    found: dict[str, dict[str, list[float]]] = {}
    requests: dict[str, int] = {}
    for turn in range(ROUNDS + 1):
        for who, toolstack in TURNS.items():
            with manager.consoles_of_debians(managed) if toolstack is DEBIANS else nullcontext():
                if turn < ROUNDS:
                    for name, seconds in life(managed, toolstack).items():
                        found.setdefault(name, {}).setdefault(who, []).append(seconds)
                else:
                    requests[who] = requests_of_a_life(managed, toolstack)
    for name, by_who in found.items():
        figures.compare(f"{name}, s", {who: median(by_who[who]) for who in ("xl", "xl again", "ours")})
    figures.compare("store requests", requests)
    for what, pid in (("xend", manager.PID), ("xenstored", "/run/xenstored.pid")):
        status = managed.must(f"grep VmRSS /proc/$(cat {pid})/status; cat /proc/$(cat {pid})/stat").split()
        figures.add(
            f"{what}: {int(status[1]) / 1024:.1f} MiB, {(int(status[16]) + int(status[17])) / 100:.1f} s"
        )
    assert state_of(managed) == empty


def test_a_store_that_was_killed(managed: Dom0, figures: Figures) -> None:
    found = [figures_of(managed.must(RESTART, 60)) for _ in range(ROUNDS)]
    answered, up = (median(each[name] for each in found) for name in ("answered", "up"))
    figures.add(f"our store: first answer {answered:.2f} s after its start, up after {up:.2f} s")
