"""A domain at work is saved to a file and restored, by our xend and by turns with Debian's xl."""

from collections.abc import Callable

import pytest

from tests.xen import manager
from tests.xen.dom0 import Dom0
from tests.xen.guest import OURS, UNTIL, Devices, Guest
from tests.xen.host_state import Left, state_of

pytestmark = pytest.mark.xen

#: The number of a disk xvda.
XVDA = 51712
#: Room for the memory of one.
FILE = f"{manager.LOG}/dump/{{}}.saved"
SAVE_LIMIT_S = 240
#: Sees that a guest goes on with all that it did; the number is what it had counted to.
Works = Callable[[Dom0, Guest, int], None]
#: Counts on its disk, its console and in its memory, until it is told to stop.
COUNT = (
    "setsid sh -c 'n=0; until [ -e /stop ]; do n=$((n + 1)); echo $n >/count.new; mv /count.new /count; "
    "echo beat $n >/dev/hvc0; echo $n | dd of=/dev/xvda bs=512 seek=8 conv=sync,fsync 2>/dev/null; "
    "sleep 1; done' >/dev/null 2>&1 &"
)
#: What a command in the background said, and the helper that does its work.
SAID, HELPER_PID = "/run/said", "/run/helper.pid"
#: For dom0's shell: stops the helper that has read or written ten megabytes: it is met in their midst, which
#: may take less time than the start of a few programs: those that run are looked at many times, by none.  (A
#: directory that is read may be at a far larger number.)
STOP = (
    "stop() { local pids=$(pgrep -f xend.helper) pid info at\n"
    "for round in {1..50}; do for pid in $pids; do for info in /proc/$pid/fdinfo/*; do\n"
    "{ read -r _ at <$info; } 2>/dev/null || continue\n"
    f"if [[ ${{#at}} = [89] ]]; then kill -STOP $pid; echo $pid >{HELPER_PID}; return; fi\n"
    "done; done; done; false; }\n"
)
#: Of what takes most of the time one type is enough for every day.
pvh_is_long = pytest.mark.parametrize(
    "worker", ["pv", pytest.param("pvh", marks=pytest.mark.long)], indirect=True
)
pv_is_long = pytest.mark.parametrize(
    "worker", [pytest.param("pv", marks=pytest.mark.long), "pvh"], indirect=True
)


@pytest.fixture(scope="module", params=["pv", "pvh"])
def worker(request: pytest.FixtureRequest, managed: Dom0, empty: Left) -> Guest:
    """A guest that counts; the last test of this file ends it."""
    name = f"worker-{request.param}"
    managed.must(f"rm -f {FILE.format('*')}")  # what a failed test left: there is room for one
    guest = Guest(
        managed,
        name,
        Devices(f"/run/{name}.img", "10.0.0.6"),
        toolstack=OURS,
        # All of its memory is written and read each time.
        settings={"type": request.param, "memory": 112, "extra": "console=hvc0 quiet address=10.0.0.6"},
    )
    guest.must(COUNT)
    return guest


def count(guest: Guest) -> int:
    return int(guest.must("cat /count"))


def begin(dom0: Dom0, words: str) -> None:
    """A command of xl's; returns while its helper stands amid the memory."""
    dom0.must(
        f"setsid bash -c '{OURS.xl} {words}; echo over' >{SAID} 2>&1 </dev/null &\n"
        f"{STOP}until stop; do :; done",
        SAVE_LIMIT_S,
    )


def await_end(dom0: Dom0) -> None:
    """Until it has ended."""
    dom0.must(f"{UNTIL}until_done grep over {SAID}", SAVE_LIMIT_S)


def kill(dom0: Dom0, who: str) -> None:
    """As by a crash; a xend is started again."""
    manager.kill(dom0, manager.PID if who == "xend" else HELPER_PID)
    if who == "xend":
        dom0.must(f"kill -CONT $(cat {HELPER_PID})")  # it hears of that now
        manager.start_xend(dom0)


def found_again(dom0: Dom0, guest: Guest) -> None:
    """It has another domid."""
    guest.domid = int(dom0.must(f"{OURS.xl} domid {guest.name}"))
    guest.home = f"/local/domain/{guest.domid}"


def await_disk(dom0: Dom0, name: str, number: int = XVDA) -> None:
    """Until its disk is connected again: Linux 6.1's front end does not survive that its guest is suspended
    before (BUG_ON in xlvbd_alloc_gendisk)."""
    state = f"/local/domain/$(xl domid {name})/device/vbd/{number}/state"
    dom0.must(f'connected() {{ [ "$(xenstore-read {state})" = 4 ]; }}\n{UNTIL}until_done connected', 60)


def works(dom0: Dom0, guest: Guest, before: int) -> None:
    """It counts on from there, on its disk too, is heard on its console and pings."""
    now = count(guest)
    assert before <= now < before + 600
    guest.await_console(f"beat {now + 2}", 60)
    assert int(guest.must("dd if=/dev/xvda bs=512 skip=8 count=1 2>/dev/null | head -n 1")) >= now
    assert guest.pings("10.0.0.1")


def is_killed_while_saved(dom0: Dom0, guest: Guest, who: str, works: Works) -> None:
    """The helper, or xend: it runs on, on the same host's things, and there is no file."""
    file, before, had = FILE.format(guest.name), count(guest), state_of(dom0)
    begin(dom0, f"save {guest.name} {file}")
    kill(dom0, who)
    await_end(dom0)
    works(dom0, guest, before)
    assert dom0.must(f"ls -A {manager.LOG}/dump") == ""
    assert state_of(dom0) == had  # the same device model, too: each stands there with its process


def is_killed_while_restored(dom0: Dom0, guest: Guest, empty: Left, works: Works) -> None:
    """The helper, then xend: nothing is left of it, and it is restored once from the same file."""
    file, before = FILE.format(guest.name), count(guest)
    guest.xl(f"save {guest.name} {file}", SAVE_LIMIT_S)
    for who in ("helper", "xend"):
        begin(dom0, f"restore {file}")
        kill(dom0, who)
        await_end(dom0)
        dom0.must(f"gone() {{ ! {OURS.xl} domid {guest.name}; }}\n{UNTIL}until_done gone", 60)
        assert state_of(dom0) == empty
    guest.xl(f"restore {file}", SAVE_LIMIT_S)
    found_again(dom0, guest)
    assert dom0.must(f"{OURS.xl} list | grep -c {guest.name}") == "1"
    works(dom0, guest, before)
    dom0.must(f"rm {file}")


def test_a_checkpoint_and_a_suspend(managed: Dom0, worker: Guest) -> None:
    file, before = FILE.format(worker.name), count(worker)
    worker.xl(f"save -c {worker.name} {file}", SAVE_LIMIT_S)
    works(managed, worker, before)
    assert managed.must(f"stat -c %a {file}") == "600"
    worker.xl(f"suspend {worker.name}", 60)
    assert worker.is_still()
    worker.xl(f"resume {worker.name}", 60)
    works(managed, worker, before)
    managed.must(f"rm {file}")


@pytest.mark.long  # others save and restore each type, too
@pytest.mark.parametrize("rounds", [1, 10])
def test_it_is_saved_and_goes_on(managed: Dom0, worker: Guest, rounds: int) -> None:
    file = FILE.format(worker.name)
    for _ in range(rounds):
        before = count(worker)
        worker.xl(f"save {worker.name} {file}", SAVE_LIMIT_S)
        assert managed.run(f"{OURS.xl} domid {worker.name}").status != 0
        worker.xl(f"restore {file}", SAVE_LIMIT_S)
        found_again(managed, worker)
        works(managed, worker, before)
        managed.must(f"rm {file}")


@pvh_is_long
@pytest.mark.parametrize("who", ["xend", "helper"])
def test_killed_while_it_is_saved(managed: Dom0, worker: Guest, who: str) -> None:
    is_killed_while_saved(managed, worker, who, works)


@pvh_is_long
def test_killed_while_it_is_restored(managed: Dom0, worker: Guest, empty: Left) -> None:
    is_killed_while_restored(managed, worker, empty, works)


@pv_is_long
def test_files_of_debians_xl_are_read_and_ours_by_it(managed: Dom0, worker: Guest) -> None:
    file, before = FILE.format(worker.name), count(worker)
    worker.xl(f"save {worker.name} {file}", SAVE_LIMIT_S)
    with manager.consoles_of_debians(managed):
        managed.must(f"xl restore {file} && rm {file}", SAVE_LIMIT_S)
        await_disk(managed, worker.name)
        managed.must(f"xl save {worker.name} {file}", SAVE_LIMIT_S)
    worker.xl(f"restore {file}", SAVE_LIMIT_S)
    found_again(managed, worker)
    works(managed, worker, before)
    managed.must(f"rm {file}")


def test_nothing_is_left(managed: Dom0, worker: Guest, empty: Left) -> None:
    worker.destroy()
    assert state_of(managed) == empty
