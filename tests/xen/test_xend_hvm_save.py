"""A guest with a whole machine is saved with what plays that, and goes on, by our xend and Debian's xl."""

import pytest

from tests.xen import bios_disk, hvm, manager
from tests.xen.dom0 import Dom0
from tests.xen.guest import NO_DEVICES, OURS, Guest, Settings
from tests.xen.host_state import Left, state_of
from tests.xen.test_xend_model import rights_of, seen
from tests.xen.test_xend_save import (
    SAVE_LIMIT_S,
    await_disk,
    count,
    found_again,
    is_killed_while_restored,
    is_killed_while_saved,
)

pytestmark = [pytest.mark.xen, pytest.mark.long]

ADDRESS = "10.0.0.35"
#: All of its memory is written and read each time.
SMALL: Settings = {"memory": 160}
#: Room for the memory of one: no file system of the real host takes pages of other domains.
FILE = f"{manager.LOG}/dump/keeper.saved"
#: The number of its disk, sda.
SDA = 2048
#: A sector of the disk that nobody reads.
FREE = bios_disk.ARGUMENTS + 1
#: Counts on its disk, its screen and in its memory.
COUNT = (
    "setsid sh -c 'n=0; while true; do n=$((n + 1)); echo $n >/count.new; mv /count.new /count; "
    f"echo beat $n >/dev/tty0; echo $n | dd of=/dev/xvda bs=512 seek={FREE} conv=sync,fsync,notrunc "
    "2>/dev/null; sleep 1; done' >/dev/null 2>&1 &"
)
MEDIUM = "dd if=/dev/sr0 bs=2048 count=1 2>/dev/null | head -n 1"


@pytest.fixture(scope="module")
def keeper(managed: Dom0, empty: Left, one_processor: None) -> Guest:
    """A guest whose devices are paravirtual but for its CD drive and its screen; the last test ends it."""
    settings = {**hvm.settings(managed, "keeper", hvm.SDA, ADDRESS), **SMALL}
    guest = Guest(managed, "keeper", NO_DEVICES, toolstack=OURS, settings=settings)
    assert guest.must(hvm.DISKS).split() == ["sr0", "xvda"]
    guest.must(COUNT)
    return guest


def works(dom0: Dom0, keeper: Guest, before: int) -> None:
    """It counts on from there, on its disk too; its screen is shown, its CD is read, and it pings."""
    now = count(keeper)
    assert before <= now < before + 3600
    keeper.must(f"until [ $(cat /count) -gt {now + 1} ]; do sleep 1; done", 60)
    disk = hvm.DISK.format(keeper.name)
    assert int(dom0.must(f"dd if={disk} bs=512 skip={FREE} count=1 2>/dev/null | head -n 1")) > now
    assert keeper.must(hvm.DISKS).split() == ["sr0", "xvda"]
    assert hvm.screen(dom0, keeper, colours=2)["size"] == hvm.TEXT_SIZE
    assert keeper.must(MEDIUM, 60) == "this is keeper"
    assert keeper.pings("10.0.0.1")


def test_a_checkpoint_and_a_suspend(managed: Dom0, keeper: Guest) -> None:
    before = count(keeper)
    keeper.xl(f"save -c keeper {FILE}", SAVE_LIMIT_S)
    works(managed, keeper, before)
    assert managed.must(f"stat -c %a {FILE}") == "600"
    keeper.xl("suspend keeper", 60)
    assert keeper.is_still()
    keeper.xl("resume keeper", 60)
    works(managed, keeper, before)
    managed.must(f"rm {FILE}")


def test_it_is_saved_and_goes_on(managed: Dom0, keeper: Guest) -> None:
    before = count(keeper)
    keeper.xl(f"save keeper {FILE}", SAVE_LIMIT_S)
    assert managed.run(f"{OURS.xl} domid keeper").status != 0
    keeper.xl(f"restore {FILE}", SAVE_LIMIT_S)
    found_again(managed, keeper)
    user, files = rights_of(managed, keeper)
    assert (user > 2_000_000_000, files) == (True, seen())
    works(managed, keeper, before)
    managed.must(f"rm {FILE}")


def test_files_of_debians_xl_are_read_and_ours_by_it(managed: Dom0, keeper: Guest) -> None:
    before = count(keeper)
    keeper.xl(f"save keeper {FILE}", SAVE_LIMIT_S)
    with manager.consoles_of_debians(managed):
        managed.must(f"xl restore {FILE} && rm {FILE}", SAVE_LIMIT_S)
        await_disk(managed, keeper.name, SDA)
        managed.must(f"xl save keeper {FILE}", SAVE_LIMIT_S)
    # Of another toolstack's file xend takes no arguments for qemu, which its card's ROM depends on here.
    keeper.xl(f"restore /run/keeper.cfg {FILE}", SAVE_LIMIT_S)
    found_again(managed, keeper)
    works(managed, keeper, before)
    managed.must(f"rm {FILE}")


@pytest.mark.parametrize("who", ["xend", "helper"])
def test_killed_while_it_is_saved(managed: Dom0, keeper: Guest, who: str) -> None:
    is_killed_while_saved(managed, keeper, who, works)


def test_killed_while_it_is_restored(managed: Dom0, keeper: Guest, empty: Left) -> None:
    is_killed_while_restored(managed, keeper, empty, works)
    models = [each for each in state_of(managed).helpers if "-xen-domid" in each]
    assert len(models) == 1
    assert f"-xen-domid {keeper.domid} " in models[0]


def test_nothing_is_left(managed: Dom0, keeper: Guest, empty: Left) -> None:
    keeper.destroy()
    assert state_of(managed) == empty


def test_one_that_has_no_drivers_yet_is_saved_without_its_doing(
    managed: Dom0, one_processor: None, empty: Left
) -> None:
    """While its BIOS, or its boot loader, reads the emulated disk."""
    settings = {**hvm.settings(managed, "early", hvm.SDA, ADDRESS), **SMALL}
    early = Guest(managed, "early", NO_DEVICES, toolstack=OURS, settings=settings, wait=False)
    early.xl(f"save early {FILE}", SAVE_LIMIT_S)
    early.xl(f"restore {FILE}", SAVE_LIMIT_S)
    managed.must(f"rm {FILE}")
    found_again(managed, early)
    early.await_report()
    assert early.must(hvm.DISKS).split() == ["sr0", "xvda"]
    early.destroy()
    assert state_of(managed) == empty


def test_one_whose_disk_is_an_image_of_qcow2(managed: Dom0, one_processor: None, empty: Left) -> None:
    """Its BIOS reads it emulated, its kernel by qdisk; both are opened once nothing of dom0 is seen."""
    disk, image = hvm.DISK.format("layered"), "/run/layered.qcow2"
    settings: Settings = {
        **hvm.settings(managed, "layered", hvm.SDA, ADDRESS),
        **SMALL,
        "disk": [f"format=qcow2,vdev=xvda,access=rw,target={image}"],
    }
    managed.must(f"qemu-img convert -O qcow2 {disk} {image}; chmod 600 {image}; rm {disk}")
    layered = Guest(managed, "layered", NO_DEVICES, toolstack=OURS, settings=settings)
    for turn in ("first", "second"):
        assert layered.must(hvm.DISKS).split() == ["xvda"]
        user, files = rights_of(managed, layered)
        assert (user > 2_000_000_000, files) == (True, seen(51712))
        layered.must(f"echo {turn} | dd of=/dev/xvda bs=512 seek={FREE} conv=sync,fsync,notrunc")
        layered.xl(f"save layered {FILE}", SAVE_LIMIT_S)
        layered.xl(f"restore {FILE}", SAVE_LIMIT_S)
        managed.must(f"rm {FILE}")
        found_again(managed, layered)
        layered.must("echo 1 >/proc/sys/vm/drop_caches")
        read = f"dd if=/dev/xvda bs=512 skip={FREE} count=1 2>/dev/null | head -n 1"
        assert layered.must(read) == turn
    layered.destroy()
    managed.must(f"rm {image}")
    assert state_of(managed) == empty
