"""What saving and restoring cost beside Debian's xl: same host, kernel and file system, by turns."""

from contextlib import nullcontext
from statistics import median

import pytest

from tests.xen import manager
from tests.xen.dom0 import Dom0
from tests.xen.figures import Figures
from tests.xen.guest import DEBIANS, NO_DEVICES, OURS, Guest, Toolstack
from tests.xen.host_state import Left, state_of
from tests.xen.test_xend_figures import SINCE, TURNS, figures_of

pytestmark = [pytest.mark.xen, pytest.mark.long, pytest.mark.large]

ROUNDS = 3
#: Of two sizes, as starts of programs do not count in how fast memory is moved.
SIZES_MIB = (256, 768)
NAME = "moved"
FILE = f"{manager.LOG}/dump/moved.saved"
TURN_LIMIT_S = 240
#: The guest says so ten times a second; how long it says nothing is how long it stands.
BEAT = "setsid sh -c 'while :; do echo beat >/dev/hvc0; usleep 100000; done' >/dev/null 2>&1 &"
#: For dom0, which has `xl` and `log`: each line of the end is a figure, in seconds or MB/s.
TURN = (
    SINCE
    + f"""
cat >/run/stamp <<'END'
tail -n 0 -F "$1" | while read -r beat; do echo $EPOCHREALTIME; done
END
setsid bash /run/stamp $log >/run/stamps 2>&1 </dev/null &
sleep 1
$xl save -c {NAME} {FILE}
sleep 1
kill -- -$!
awk '/^[0-9]/ {{ if (last && $1 - last > most) most = $1 - last; last = $1 }}
     END {{ print "figure stood", most }}' /run/stamps
rm {FILE}
begin=$EPOCHREALTIME
$xl save {NAME} {FILE}
since saved
begin=$EPOCHREALTIME
$xl restore {FILE}
since restored
rm {FILE}
"""
)
#: For dom0: the most memory that the helper had as it saved a domain, in KiB.
HELPER = f"""
setsid {OURS.xl} save -c {NAME} {FILE} >/run/save.out 2>&1 </dev/null &
most=0
while [ -e /proc/$! ]; do
    for pid in $(pgrep -f xend.helper); do
        now=$(sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/$pid/status) 2>/dev/null || true
        [ "${{now:-0}}" -le $most ] || most=$now
    done
    read -r -t 0.1 <>/run/never || true
done
rm {FILE}
echo figure most $most
"""


def made(dom0: Dom0, toolstack: Toolstack, memory_mib: int) -> Guest:
    guest = Guest(dom0, NAME, NO_DEVICES, toolstack=toolstack, settings={"memory": memory_mib})
    guest.must(BEAT)
    return guest


def turns(dom0: Dom0, toolstack: Toolstack, memory_mib: int) -> dict[str, float]:
    """Its figures: medians."""
    guest = made(dom0, toolstack, memory_mib)
    turn = f"xl={toolstack.xl}\nlog={toolstack.consoles.format(NAME)}\n{TURN}"
    rounds = [figures_of(dom0.must(turn, TURN_LIMIT_S)) for _ in range(ROUNDS)]
    guest.domid = int(dom0.must(f"{toolstack.xl} domid {NAME}"))
    guest.destroy()
    return {name: median(each[name] for each in rounds) for name in rounds[0]}


def test_beside_debians(managed: Dom0, empty: Left, figures: Figures) -> None:
    less, more = SIZES_MIB
    found: dict[str, dict[str, float]] = {}
    for who, toolstack in TURNS.items():
        with manager.consoles_of_debians(managed) if toolstack is DEBIANS else nullcontext():
            by_size = {size: turns(managed, toolstack, size) for size in SIZES_MIB}
        for size, found_of_it in by_size.items():
            for name, seconds in found_of_it.items():
                found.setdefault(f"{name}, of {size} MiB, s", {})[who] = seconds
        for name in ("saved", "restored"):
            further = by_size[more][name] - by_size[less][name]
            found.setdefault(f"{name}, {more - less} MiB more, s", {})[who] = further
    for name, by_who in found.items():
        figures.compare(name, {who: by_who[who] for who in ("xl", "xl again", "ours")})
    assert state_of(managed) == empty


def test_the_helper_needs_no_more_for_a_larger_domain(managed: Dom0, empty: Left, figures: Figures) -> None:
    most = {}
    for memory_mib in (96, 160):
        guest = made(managed, OURS, memory_mib)
        most[memory_mib] = figures_of(managed.must(HELPER, TURN_LIMIT_S))["most"] / 1024
        guest.destroy()
    figures.add("the helper of a save: " + ", ".join(f"{most[each]:.1f} MiB of {each}" for each in most))
    assert most[160] < most[96] + 8
