"""Domains of our xend beside each other, one that shows its console at once, one that does not end."""

import shutil
import time
from collections.abc import Iterable, Iterator

import pytest

from tests.xen import images, manager, packages
from tests.xen.dom0 import Dom0
from tests.xen.figures import Figures
from tests.xen.guest import OURS, UNTIL, Devices, Guest, Program, Settings, linux
from tests.xen.host_state import Left, state_of

pytestmark = pytest.mark.xen

#: What nft and the far end of the network behind dom0 need, beside what every dom0 here has.
#: The first is one that another asks for by name as it begins.
MODULES = ["crc32c_generic", "nft_masq", "nft_chain_nat", "nf_tables", "veth"]
FAR = "10.99.0.2"
THREE = ("one", "two", "three")
TEN = range(10)


@pytest.fixture(scope="module", autouse=True)
def stubborn(managed: Dom0, empty: Left) -> Iterator[Program]:
    """One that is told to shut down all the time: xl takes a minute to give up, in which the others run."""
    guest = Program(managed, "stubborn", "stubborn", toolstack=OURS)
    managed.must(
        f"(setsid bash -c '{OURS.xl} shutdown stubborn; echo status $?' >/run/stubborn.out 2>&1 </dev/null &)"
    )
    yield guest
    guest.destroy()
    assert state_of(managed) == empty


def test_create_shows_the_console_from_its_first_line_on(managed: Dom0) -> None:
    config = linux(managed, "talker", settings={"extra": "console=hvc0"})
    create = f"{OURS.xl} create -c /run/talker.cfg"
    managed.must(
        f"cat >/run/talker.cfg <<'END'\n{config}END\n"
        f"setsid script -qfc '{create}' /run/talker >/dev/null 2>&1 </run/never &\n"
        f"echo $! >/run/talker.pid\n{UNTIL}until_done grep -aq 'guest: up, named talker' /run/talker",
        120,
    )
    assert "Linux version" in managed.must("cat /run/talker")
    managed.must("kill $(cat /run/talker.pid)")
    assert managed.must(f"{OURS.xl} list talker").splitlines()[1].split()[0] == "talker"
    managed.must(f"{OURS.xl} shutdown -w talker", 60)


def test_three_are_made_and_ended_at_once(managed: Dom0) -> None:
    for number, name in enumerate(THREE, 31):
        config = linux(managed, name, Devices(f"/run/{name}.img", f"10.0.0.{number}"))
        managed.must(f"truncate -s 8M /run/{name}.img; cat >/run/{name}.cfg <<'END'\n{config}END")
    managed.must(at_once(f"{OURS.xl} create -q /run/$name.cfg", THREE), 180)
    state = f"/local/domain/$({OURS.xl} domid $name)/data/state"
    managed.must(f"{UNTIL}for name in {' '.join(THREE)}; do until_done xenstore-read {state}; done", 120)
    listed = {row.split()[0] for row in managed.must(f"{OURS.xl} list").splitlines()}
    assert set(THREE) < listed
    for number in range(31, 34):
        assert " 0% packet loss" in managed.must(f"busybox ping -c 3 -W 20 10.0.0.{number}", 70)
    managed.must(at_once(f"{OURS.xl} shutdown -w $name", THREE), 120)


def at_once(command: str, names: Iterable[str]) -> str:
    """For dom0's shell: a command for each `$name`, beside each other; all have to succeed."""
    return (
        f'for name in {" ".join(names)}; do {command} & all="$all $!"; done\n'
        "for each in $all; do wait $each; done"
    )


def test_one_is_translated_by_vif_nat(managed: Dom0) -> None:
    """It reaches a host that knows no way back to it."""
    modules = images.in_order(packages.kernel(), MODULES)
    for path in modules:
        shutil.copy(path, managed.share)  # where dom0 sees them, whatever userland it has
    managed.must(
        f"for file in {' '.join(path.name for path in modules)}; do name=${{file##*/}}; name=${{name%.ko}}\n"
        "[ -d /sys/module/${name//-/_} ] || busybox insmod /run/share/$file; done\n"
        "echo 1 >/proc/sys/net/ipv4/ip_forward\n"
        "ip netns add far\nip link add near type veth peer name far netns far\n"
        "ip addr add 10.99.0.1/24 dev near\nip link set near up\n"
        f"ip -n far addr add {FAR}/24 dev far\nip -n far link set far up"
    )
    settings: Settings = {
        "vif": ["script=vif-nat,ip=10.0.9.2/24"],
        "extra": "console=hvc0 quiet address=10.0.9.2",
    }
    guest = Guest(managed, "translated", Devices(), toolstack=OURS, settings=settings)
    guest.must("ip route add default via 10.0.9.1")
    assert guest.pings("10.0.9.1")
    assert guest.pings(FAR)
    assert "10.0.9.2" in managed.must("nft list ruleset")
    guest.xl(f"shutdown -w {guest.name}", 60)
    guest.await_end()
    assert "10.0.9.2" not in managed.must("nft list ruleset")
    managed.must("ip netns del far")


@pytest.mark.long
def test_ten(managed: Dom0, figures: Figures) -> None:
    """One after another, then at once; xend starts again beside them."""
    began = time.monotonic()
    ten = [Program(managed, f"ten-{number}", "beat", toolstack=OURS) for number in TEN]
    figures.add(f"ten small domains of ours, one after another: {time.monotonic() - began:.1f} s")
    names = " ".join(f"ten-{number}" for number in TEN)
    for verb, words in (("destroyed", "destroy {}"), ("made", "create -q /run/{}.cfg")):
        line = f"{OURS.xl} {words.format('$name')}"
        began = time.monotonic()
        managed.must(
            f'for name in {names}; do {line} & all="$all $!"; done\nfor one in $all; do wait $one; done', 300
        )
        figures.add(f"ten {verb} at once: {time.monotonic() - began:.1f} s")
    listed = managed.must(f"{OURS.xl} list").splitlines()
    assert {f"ten-{number}" for number in TEN} < {row.split()[0] for row in listed}
    status = f"/proc/$(cat {manager.PID})/status"
    figures.add(f"xend beside ten domains: {managed.must(f'grep VmRSS {status}').split()[1]} KiB")
    manager.kill(managed, manager.PID)
    began = time.monotonic()
    manager.start_xend(managed)
    figures.add(f"start of xend beside ten domains: {time.monotonic() - began:.1f} s")
    for each in ten:
        managed.must(f"{OURS.xl} destroy {each.name}", 60)


def test_one_that_ignores_shutdown_runs_on(managed: Dom0, stubborn: Program) -> None:
    managed.must(f"{UNTIL}until_done grep -q ^status /run/stubborn.out", 90)
    said = managed.must("cat /run/stubborn.out").splitlines()
    assert said[-1] == "status 1"
    assert "did not answer control/shutdown within 60 s" in said[-2]
    stubborn.await_console("bare: ignores poweroff")
    assert managed.must(f"xenstore-read {stubborn.home}/control/shutdown") == "", "the request is taken back"
    assert managed.must(f"{OURS.xl} list stubborn").splitlines()[1].split()[0] == "stubborn"
