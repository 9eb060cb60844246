"""A guest with a whole machine: started from its own disk by a BIOS; its devices are emulated, then not."""

import pytest

from tests.xen import bios_disk, hvm, manager
from tests.xen.dom0 import Dom0
from tests.xen.figures import Figures
from tests.xen.guest import NO_DEVICES, OURS, UNTIL, Guest
from tests.xen.host_state import Left, state_of

pytestmark = pytest.mark.xen

ADDRESS = "10.0.0.34"
#: A sector of the disk that nobody reads.
FREE = bios_disk.ARGUMENTS + 1
READER = f"dd bs={bios_disk.SECTOR} skip={FREE} count=1 2>/dev/null | head -n 1"
WRITER = f"dd bs={bios_disk.SECTOR} seek={FREE} count=1 conv=sync,fsync,notrunc 2>/dev/null"
MEDIUM = "dd if=/dev/sr0 bs=2048 count=1 2>/dev/null | head -n 1"
#: The first look at a medium that was changed finds none: that is how qemu tells it.
CHANGED = f"until {MEDIUM} | grep .; do sleep 0.5; done"
#: A processor that came is used as soon as somebody says so, as udev does.
USE_PROCESSOR = (
    "cd /sys/devices/system/cpu; until [ -d cpu1 ]; do sleep 0.2; done; "
    "grep -q 1 cpu1/online || echo 1 >cpu1/online"
)
#: Its kernel finds nothing that does what it is requested; of the buttons, which are input devices, it obeys
#: the first that is pressed.
OBEY_BUTTON = (
    "rm /sbin/poweroff; xenstore-write control/feature-poweroff ''; for event in /dev/input/event*; do "
    "(dd if=$event bs=24 count=1 >/dev/null && poweroff -f) & done"
)


@pytest.fixture(scope="module")
def box(managed: Dom0, empty: Left, one_processor: None) -> Guest:
    """In its first life its devices are emulated, in the second they are not."""
    settings = hvm.settings(managed, "box", hvm.SDA, ADDRESS, hvm.EMULATED)
    return Guest(managed, "box", NO_DEVICES, toolstack=OURS, settings=settings)


def test_the_bios_starts_it_from_its_own_disk(box: Guest, figures: Figures) -> None:
    figures.add(f"an hvm domain: user space {box.start_s:.0f} s after xl create")
    assert hvm.EMULATED in box.must("cat /proc/cmdline")
    assert box.must(hvm.DISKS).split() == ["sda", "sr0"]
    assert box.must(hvm.DRIVER) == "e1000"


def test_its_screen_is_seen_by_vnc(managed: Dom0, box: Guest) -> None:
    box.must("echo to be seen >/dev/tty0")
    assert hvm.screen(managed, box, colours=2)["size"] == hvm.TEXT_SIZE


def test_it_reads_and_writes_its_disk(managed: Dom0, box: Guest) -> None:
    box.must(f"echo by an emulated disk | {WRITER} of=/dev/sda")
    assert box.must(f"({READER}) </dev/sda") == "by an emulated disk"
    assert managed.must(f"({READER}) <{hvm.DISK.format('box')}") == "by an emulated disk"


def test_it_pings_dom0_by_its_emulated_card(managed: Dom0, box: Guest) -> None:
    assert f"vif{box.domid}.0\nvif{box.domid}.0-emu" in managed.must("ls /sys/class/net/xenbr0/brif")
    assert box.pings("10.0.0.1")


def test_its_medium_is_changed_and_read(managed: Dom0, box: Guest) -> None:
    assert box.must(MEDIUM) == "this is box"
    box.xl(f"cd-insert box hdc {hvm.medium(managed, 'other')}", 60)
    assert box.must(CHANGED) == "this is other"
    box.xl("cd-eject box hdc", 60)
    assert box.must(MEDIUM) == ""
    box.xl(f"cd-insert box hdc {hvm.MEDIUM.format('box')}", 60)
    assert box.must(CHANGED) == "this is box"


def test_rebooted_it_has_paravirtual_devices_alone(box: Guest) -> None:
    before = box.domid
    box.must(bios_disk.tell("/dev/sda", hvm.kernel_words(ADDRESS)))
    box.xl("reboot box", 60)
    box.await_next_life()
    assert box.domid > before
    assert box.must(hvm.DISKS).split() == ["sr0", "xvda"]
    assert box.must(hvm.DRIVER) == "vif"
    assert box.pings("10.0.0.1")


def test_it_goes_on_with_the_same_disk(managed: Dom0, box: Guest) -> None:
    assert box.must(f"({READER}) </dev/xvda") == "by an emulated disk"
    box.must(f"echo by a paravirtual disk | {WRITER} of=/dev/xvda")
    assert managed.must(f"({READER}) <{hvm.DISK.format('box')}") == "by a paravirtual disk"
    assert box.must(MEDIUM) == "this is box"


def test_it_gets_a_processor(box: Guest) -> None:
    box.xl("vcpu-set box 2", 60)
    box.must(USE_PROCESSOR)
    assert box.must("grep -c ^processor /proc/cpuinfo") == "2"


def test_its_power_button_is_pressed(managed: Dom0, box: Guest, empty: Left) -> None:
    box.must(f"({OBEY_BUTTON}) >/dev/null 2>&1")
    box.xl("shutdown -F -w box", 120)
    box.await_end()
    assert state_of(managed) == empty


def test_it_does_not_outlive_its_device_model(managed: Dom0, one_processor: None, empty: Left) -> None:
    """One that stays, so that it can be looked at."""
    settings = {**hvm.settings(managed, "doomed", hvm.SDA, ADDRESS), "on_crash": "preserve"}
    doomed = Guest(managed, "doomed", NO_DEVICES, toolstack=OURS, settings=settings, wait=False)
    managed.must(f"kill -9 $(xenstore-read {doomed.home}/image/device-model-pid)")
    managed.must(f"{UNTIL}until_done grep 'device_model_died.*doomed' {manager.LOG}/xend.log", 30)
    crashed = f"{OURS.xl} list doomed | awk 'NR == 2 {{exit $5 !~ /c/}}'"
    managed.must(f"crashed() {{ {crashed}; }}\n{UNTIL}until_done crashed")
    doomed.destroy()
    assert state_of(managed) == empty
