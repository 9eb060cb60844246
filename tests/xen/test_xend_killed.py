"""xend, its helper and the store are killed under a guest that works, and while a domain is made."""

import pytest

from tests.xen import manager
from tests.xen.dom0 import Dom0
from tests.xen.guest import OURS, UNTIL, Devices, Guest
from tests.xen.host_state import Left, state_of
from tests.xen.load import await_beats, end, errors_of, load

pytestmark = pytest.mark.xen

STORE_PID = "/run/xenstored.pid"
#: A kernel that takes seconds to unpack, so that something can come between.
SLOW = "slow"
#: Of the helper that builds it.
HELPER_PID = "/run/helper.pid"


@pytest.fixture(scope="module")
def survivor(managed: Dom0, empty: Left) -> Guest:
    """A guest under load, whose console somebody reads."""
    guest = Guest(managed, "survivor", Devices("/run/survivor.img", "10.0.0.5"), toolstack=OURS)
    load(managed, guest)
    managed.must(
        f"setsid script -qfc '{OURS.xl} console survivor' /run/survivor-console >/dev/null 2>&1 </run/never &"
    )
    return guest


KILLED = {"xend": [manager.PID], "store": [STORE_PID], "both": [manager.PID, STORE_PID]}


ROUNDS = pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.long)])


@ROUNDS
@pytest.mark.parametrize("who", KILLED)
def test_a_guest_goes_on(managed: Dom0, survivor: Guest, who: str, rounds: int) -> None:
    for _ in range(rounds):
        manager.kill(managed, *KILLED[who])
        if who != "xend":
            manager.start_store(managed)
        if who != "store":
            manager.start_xend(managed)
        await_beats(managed, survivor)
    assert errors_of(survivor) == ""


@ROUNDS
def test_all_three_at_once_while_another_is_built(managed: Dom0, survivor: Guest, rounds: int) -> None:
    """xend, its helper and the store."""
    for _ in range(rounds):
        begin_slowly(managed)
        manager.kill(managed, manager.PID, STORE_PID, HELPER_PID)
        manager.start_store(managed)
        manager.start_xend(managed)
        awaited_end_of_slow(managed)
        await_beats(managed, survivor)
    assert errors_of(survivor) == ""


def test_every_verb_works_afterwards(managed: Dom0, survivor: Guest) -> None:
    assert survivor.name in survivor.xl("list")
    survivor.must("echo heard after the kills >/dev/console")
    survivor.await_console("heard after the kills")
    survivor.xl(f"pause {survivor.name}")
    survivor.xl(f"unpause {survivor.name}")
    survivor.plug_disk("/run/later.img")
    survivor.unplug_disk()
    survivor.plug_interface("00:16:3e:01:03:07")
    survivor.unplug_interface()
    end(survivor)
    survivor.xl(f"shutdown -w {survivor.name}", 60)
    survivor.await_end()


def begin_slowly(dom0: Dom0) -> None:
    """Begin to make a domain whose kernel is unpacked for seconds; returns while that goes on."""
    dom0.must(
        f"cat >/run/slow.cfg <<'END'\nname = '{SLOW}'\nmemory = 160\nkernel = '{dom0.images.compressed}'\n"
        "vif = ['bridge=xenbr0']\nEND\n"
        f"setsid {OURS.xl} create /run/slow.cfg >/run/slow.out 2>&1 </dev/null &\n"
        f"{builds(dom0)}{UNTIL}until_done builds\nbuilds >{HELPER_PID}"
    )


def builds(dom0: Dom0) -> str:
    """For dom0's shell: a function that says which helper has the kernel of that domain; fails if none has.

    That there is a helper says nothing: one waits for a job.
    """
    return (
        "builds() { for pid in $(pgrep -f xend.helper); do\n"
        f"if grep -qs {dom0.images.compressed} /proc/$pid/maps; then echo $pid; return; fi; done; false; }}\n"
    )


def awaited_refusal(dom0: Dom0) -> str:
    """What the one who made it was told."""
    dom0.must(f"ended() {{ ! pgrep -f '[x]l create /run/slow.cfg'; }}\n{UNTIL}until_done ended", 60)
    return dom0.must("cat /run/slow.out")


def awaited_end_of_slow(dom0: Dom0) -> None:
    """After a start of xend: what was half built is destroyed, and who made it was told."""
    dom0.must(f"gone() {{ ! {OURS.xl} domid {SLOW}; }}\n{UNTIL}until_done gone", 60)
    awaited_refusal(dom0)


@ROUNDS
def test_its_helper_is_killed(managed: Dom0, empty: Left, rounds: int) -> None:
    for _ in range(rounds):
        begin_slowly(managed)
        managed.must(f"kill -9 $(cat {HELPER_PID})")
        said = awaited_refusal(managed)
        assert "SIGKILL" in said, said
        assert state_of(managed) == empty


def test_it_is_destroyed_while_it_is_built(managed: Dom0, empty: Left) -> None:
    begin_slowly(managed)
    managed.must(f"{OURS.xl} destroy {SLOW}", 60)
    awaited_refusal(managed)
    assert state_of(managed) == empty


def test_the_host_answers_while_it_is_built(managed: Dom0, empty: Left) -> None:
    """The bus within 0.2 s natively: here only that it does not wait for the build."""
    begin_slowly(managed)
    managed.must(f"{OURS.xl} list; {OURS.xl} info >/dev/null\n{builds(managed)}builds")
    managed.must(f"{OURS.xl} destroy {SLOW}", 60)
    awaited_refusal(managed)


def test_xend_is_killed_while_it_is_built(managed: Dom0, empty: Left) -> None:
    begin_slowly(managed)
    manager.kill(managed, manager.PID)
    managed.must(f"ended() {{ [ ! -e /proc/$(cat {HELPER_PID}) ]; }}\n{UNTIL}until_done ended")
    manager.start_xend(managed)
    awaited_end_of_slow(managed)
    assert state_of(managed) == empty
