"""A domain's life under our xend, store, xl, consoles and scripts, paravirtual and PVH."""

import re

import pytest

from tests.xen import manager
from tests.xen.dom0 import Dom0
from tests.xen.guest import OURS, UNTIL, Devices, Guest, Settings
from tests.xen.host_state import Left, state_of
from tests.xen.userland import XEN_BIN

pytestmark = pytest.mark.xen

SYSTEM, DATA = "/run/{}-system.img", "/run/{}-data.img"


#: A core of a PVH domain takes two minutes here: libxenguest looks at each frame of its 4 GiB of addresses.
ON_CRASH = {"pv": "coredump-restart", "pvh": "restart"}


#: Of what takes most of the time one type is enough for every day.
pvh_is_long = pytest.mark.parametrize(
    "web", ["pv", pytest.param("pvh", marks=pytest.mark.long)], indirect=True
)


@pytest.fixture(scope="module", params=["pv", "pvh"])
def web(request: pytest.FixtureRequest, managed: Dom0, empty: Left) -> Guest:
    """A guest with two disks and two interfaces; the last test of this file ends it."""
    name = f"web-{request.param}"
    for image in (SYSTEM, DATA):
        managed.must(f"truncate -s 16M {image.format(name)}")
    settings: Settings = {
        "type": request.param,
        "vcpus": 2,
        "disk": [f"{SYSTEM.format(name)},raw,xvda,w", f"{DATA.format(name)},raw,xvdb,w"],
        "vif": ["mac=00:16:3e:01:02:02,bridge=xenbr0", "mac=00:16:3e:01:02:03,bridge=xenbr0"],
        "extra": "console=hvc0 quiet address=10.0.0.2",
        "on_crash": ON_CRASH[request.param],
    }
    return Guest(managed, name, Devices(), toolstack=OURS, settings=settings)


def test_it_is_listed_as_running(managed: Dom0, web: Guest) -> None:
    row = managed.must(f"{OURS.xl} list {web.name}").splitlines()[1].split()
    assert row[:2] == [web.name, str(web.domid)]
    assert row[3] == "2"
    theirs = managed.must(f"xl list {web.name}").splitlines()[1].split()
    assert theirs[:4] == row[:4]


def test_its_console_is_read_through_a_terminal(managed: Dom0, web: Guest) -> None:
    managed.must(
        f"setsid script -qfc '{OURS.xl} console {web.name}' /run/typescript >/dev/null 2>&1 </run/never &\n"
        f"echo $! >/run/console.pid\n{UNTIL}until_done grep -aq named /run/typescript"
    )
    web.must("echo a line of now >/dev/console")
    managed.must(f"{UNTIL}until_done grep -aq 'a line of now' /run/typescript\nkill $(cat /run/console.pid)")


def test_its_console_is_read_by_xens_own_xenconsole(managed: Dom0, web: Guest) -> None:
    managed.must(
        f"setsid script -qfc '{XEN_BIN}/xenconsole {web.domid}' /run/theirs >/dev/null 2>&1 </run/never &\n"
        f"echo $! >/run/console.pid\n{UNTIL}until_done grep -aq named /run/theirs"
    )
    web.must("echo a line for theirs >/dev/console")
    managed.must(f"{UNTIL}until_done grep -aq 'a line for theirs' /run/theirs\nkill $(cat /run/console.pid)")


def test_it_writes_both_disks_and_reads_them_back(managed: Dom0, web: Guest) -> None:
    for device, image in (("xvda", SYSTEM), ("xvdb", DATA)):
        web.must(f"echo on {device} | dd of=/dev/{device} bs=512 seek=8 conv=sync && sync")
        reader = "dd bs=512 skip=8 count=1 2>/dev/null | head -n 1"
        assert web.must(f"({reader}) </dev/{device}") == f"on {device}"
        assert managed.must(f"({reader}) <{image.format(web.name)}") == f"on {device}"


def test_it_pings_dom0(web: Guest) -> None:
    assert web.pings("10.0.0.1")
    assert web.must("ls /sys/class/net | grep -c eth") == "2"


def test_a_paused_one_stands_still(managed: Dom0, web: Guest) -> None:
    web.xl(f"pause {web.name}")
    assert managed.must(f"{OURS.xl} list {web.name}").splitlines()[1].split()[4][2] == "p"
    assert web.is_still()
    web.xl(f"unpause {web.name}")
    web.must("true")


def test_it_gives_memory_back_and_gets_it_again(managed: Dom0, web: Guest) -> None:
    total = "awk '/^MemTotal/ {print $2}' /proc/meminfo"
    before = int(web.must(total))
    web.xl(f"mem-set {web.name} 128m")
    managed.must(
        f"shrunk() {{ [ $({OURS.xl} list {web.name} | awk 'NR == 2 {{print $3}}') -le 129 ]; }}\n"
        f"{UNTIL}until_done shrunk"
    )
    assert before - int(web.must(total)) >= 30 << 10
    web.xl(f"mem-set {web.name} 160m")


def test_a_vcpu_goes_and_comes(managed: Dom0, web: Guest) -> None:
    web.xl(f"vcpu-set {web.name} 1")
    managed.must(
        f"gone() {{ {OURS.xl} vcpu-list {web.name} | awk 'NR == 3 {{exit $5 !~ /^--/}}'; }}\n"
        f"{UNTIL}until_done gone"
    )
    assert web.must("grep -c ^processor /proc/cpuinfo") == "1"
    web.xl(f"vcpu-set {web.name} 2")
    # The guest's own rules, as those of udev, have it used again.
    web.must("until echo 1 >/sys/devices/system/cpu/cpu1/online; do sleep 0.2; done 2>/dev/null")
    assert web.must("grep -c ^processor /proc/cpuinfo") == "2"


#: Sub-commands whose tables are those of Debian's xl; seconds and states of the moment aside.
TABLES = (
    "vcpu-list", "sched-credit", "sched-credit2", "sched-credit2 -s", "sched-rtds", "cpupool-list",
    "cpupool-list -c", "list -c", "list -n", "claims", "sharing", "vm-list", "getenforce",
    "info -n | sed -n '/^cpu_topology/,/^node:/p'",
)  # fmt: skip
MOMENT = re.compile(r"[r-][b-]-[-]*|\d+\.\d")


@pvh_is_long
def test_tables_are_those_of_debians_xl(managed: Dom0, web: Guest) -> None:
    web.xl(f"sched-credit2 -d {web.name} -w 300 -c 80")
    web.xl(f"vcpu-pin {web.name} all 0 0")
    for words in TABLES:
        ours, theirs = (managed.must(f"{xl} {words} 2>/dev/null || true") for xl in (OURS.xl, "xl"))
        assert MOMENT.sub("", ours) == MOMENT.sub("", theirs), words
    assert managed.must(f"xl sched-credit2 -d {web.name}").split()[-2:] == ["300", "80"]
    web.xl(f"vcpu-pin {web.name} all all all")
    managed.must(f"{OURS.xl} debug-keys h")
    assert "(XEN)" in managed.must("xl dmesg | tail -n 3")


@pvh_is_long
def test_a_pool_of_its_own(managed: Dom0, web: Guest) -> None:
    """The host has two CPUs."""
    xl = OURS.xl
    managed.must(f"{xl} cpupool-cpu-remove Pool-0 1")
    managed.must(f"{xl} cpupool-create name=other sched=credit 'cpus=[1]'")
    managed.must(f"{xl} cpupool-migrate {web.name} other")
    row = managed.must("xl cpupool-list other").splitlines()[1].split()
    assert row == ["other", "1", "credit", "y", "1"]
    assert managed.must(f"xl sched-credit -d {web.name}") == managed.must(f"{xl} sched-credit -d {web.name}")
    web.must("true")
    managed.must(f"{xl} cpupool-migrate {web.name} Pool-0")
    managed.must(f"{xl} cpupool-destroy other")
    managed.must(f"{xl} cpupool-cpu-add Pool-0 1")
    assert managed.must("xl cpupool-list -c").splitlines()[1].split() == ["Pool-0", "0,1"]


def test_it_hears_a_sysrq(web: Guest) -> None:
    web.xl(f"sysrq {web.name} h")
    web.await_console("sysrq: HELP")


@pvh_is_long
def test_devices_come_and_go_in_use(web: Guest) -> None:
    web.plug_disk("/run/hot.img", "xvdc")
    web.unplug_disk("xvdc")
    web.plug_interface("00:16:3e:01:03:01", 2)
    web.unplug_interface(2)


@pvh_is_long
def test_it_reboots_in_place(managed: Dom0, web: Guest) -> None:
    before = web.domid
    web.xl(f"reboot {web.name}", 60)
    web.await_next_life()
    assert web.domid > before
    assert web.pings("10.0.0.1")


@pvh_is_long
def test_one_that_crashes_is_there_again(managed: Dom0, web: Guest) -> None:
    """One of them leaves a core."""
    web.order("echo c >/proc/sysrq-trigger")
    web.await_next_life(400)
    cores = managed.must(f"find {manager.LOG}/dump -name '{web.name}-*.core'").split()
    assert len(cores) == (web.name == "web-pv")
    for core in cores:
        header = managed.must(f"readelf -h {core}; rm {core}")
        assert re.search(r"Type:\s+CORE", header)
    web.must("true")


def test_it_shuts_down_and_leaves_nothing(managed: Dom0, empty: Left, web: Guest) -> None:
    web.xl(f"shutdown -w {web.name}", 60)
    web.await_end()
    for image in (SYSTEM, DATA):
        managed.must(f"rm {image.format(web.name)}")
    assert state_of(managed) == empty
