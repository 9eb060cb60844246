"""What a guest does all the time, so that whatever is interrupted shows."""

from tests.xen.dom0 import Dom0
from tests.xen.guest import UNTIL, Guest

#: What the guest does all the time; whatever goes wrong stands in /errors.  A line each: an order is one.
#: Under emulation one process in some hundreds ends with a segmentation fault, whatever it does: it is
#: started again.  What the store or a disk answers wrongly is still told, by the program that saw it.
_STORE = (
    "n=0; put() { xenstore-write data/beat $n; }; "
    "while :; do n=$((n + 1)); put || put || echo write $n; "
    '[ "$(xenstore-read data/beat)" = $n ] || [ "$(xenstore-read data/beat)" = $n ] || echo read $n; '
    "done >>/errors 2>&1 </dev/null &"
)
_DISK = (
    "put() { dd if=/data of=/dev/xvda bs=16k conv=fsync 2>/dev/null; }; "
    "same() { dd if=/dev/xvda bs=16k count=4 2>/dev/null | cmp -s - /data; }; "
    "while :; do dd if=/dev/urandom of=/data bs=16k count=4 2>/dev/null; "
    "put || put || put || echo disk: write; same || same || same || echo disk: read; sleep 1; "
    "done >>/errors 2>&1 </dev/null &"
)
_NETWORK = "ping 10.0.0.1 >/pings 2>&1 </dev/null &"


def load(dom0: Dom0, guest: Guest) -> None:
    """Have it use its store, xvda and dom0's address from now on; returns once it does."""
    for each in (_STORE, _DISK, _NETWORK):
        guest.must(each)
    await_beats(dom0, guest)


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


def end(guest: Guest) -> None:
    """See that nothing went wrong so far, and no ping was lost."""
    lost = guest.must("kill -INT $(pidof ping); sleep 1; grep 'packet loss' /pings")
    assert " 0% packet loss" in lost
    assert errors_of(guest) == ""
    assert guest.must("dmesg | grep -ciE 'xenbus.*(error|fail|timeout)' || true") == "0"
