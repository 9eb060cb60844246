"""Whole machines that start otherwise than from a SCSI disk by a BIOS, and two at a time."""

import pytest

from tests.xen import bios_disk, hvm
from tests.xen.dom0 import Dom0
from tests.xen.guest import NEWEST, NO_DEVICES, OURS, Guest, Settings, linux
from tests.xen.host_state import Left, state_of
from tests.xen.packages import unpacked

pytestmark = [pytest.mark.xen, pytest.mark.long, pytest.mark.usefixtures("one_processor")]

ADDRESS, OTHER_ADDRESS = "10.0.0.35", "10.0.0.36"
#: What is slow, and how long it may take, in seconds.
LIMIT_S = 400


@pytest.mark.parametrize(
    ("name", "more", "disks"),
    [("ide", {}, ["sr0", "xvda"]), ("ahci", hvm.AHCI, ["sda", "sr0", "xvda"])],
    ids=["ide", "ahci"],
)
def test_what_qemu_unplugs(managed: Dom0, empty: Left, name: str, more: Settings, disks: list[str]) -> None:
    """Of the second kind nothing, which xend warns of."""
    settings = {**hvm.settings(managed, name, hvm.HDA, ADDRESS), **more}
    guest = Guest(managed, name, NO_DEVICES, toolstack=OURS, settings=settings, wait=False)
    guest.await_report(LIMIT_S)
    assert guest.must(hvm.DISKS).split() == disks
    assert guest.must(hvm.DRIVER) == "vif"
    assert guest.pings("10.0.0.1")
    guest.destroy()
    assert state_of(managed) == empty


def test_a_kernel_of_dom0s(managed: Dom0, empty: Left) -> None:
    """Its firmware loads it a byte at a time."""
    settings: Settings = {**hvm.MACHINE, "kernel": str(managed.images.compressed), "memory": 256}
    settings = {**settings, "ramdisk": str(managed.images.guest), "extra": "console=hvc0 quiet"}
    guest = Guest(managed, "direct", NO_DEVICES, toolstack=OURS, settings=settings, wait=False)
    guest.await_report(LIMIT_S)
    assert guest.must("cat /sys/hypervisor/uuid") == managed.must(f"xenstore-read {guest.home}/vm")[4:]
    guest.destroy()
    assert state_of(managed) == empty


def test_two_at_once(managed: Dom0, empty: Left) -> None:
    guests = []
    for name, address in (("first", ADDRESS), ("second", OTHER_ADDRESS)):
        settings = hvm.settings(managed, name, hvm.SDA, address)
        guests.append(Guest(managed, name, NO_DEVICES, toolstack=OURS, settings=settings, wait=False))
    for guest in guests:
        guest.await_report(LIMIT_S)
    assert guests[0].pings(OTHER_ADDRESS)
    assert hvm.screen(managed, guests[1], colours=2)["size"] == hvm.TEXT_SIZE
    for guest in guests:
        guest.destroy()
    assert state_of(managed) == empty


def test_uefi_is_built_and_not_run(managed: Dom0, empty: Left) -> None:
    """The emulator of the host ends itself where OVMF runs (docs/reference/hvm.md, section 6)."""
    firmware = unpacked("ovmf") / "usr/share/ovmf/OVMF.fd"
    settings = {**hvm.MACHINE, "bios": "ovmf", "bios_path_override": str(firmware)}
    config = linux(managed, "uefi", NO_DEVICES, settings)
    managed.must(f"cat >/run/uefi.cfg <<'END'\n{config}END\n{OURS.xl} create -p /run/uefi.cfg", LIMIT_S)
    said = managed.must(f"{NEWEST}xenstore-read $home/hvmloader/bios\n{OURS.xl} list uefi | tail -n 1")
    assert said.splitlines()[0] == "ovmf"
    assert said.split()[5] == "--p---"
    managed.must(f"{OURS.xl} destroy uefi", LIMIT_S)
    assert state_of(managed) == empty


def test_debians_installer_to_its_first_screen(managed: Dom0, empty: Left) -> None:
    """It asks where its kernel says that its console is."""
    disk = "/run/installer.img"
    told = bios_disk.tell(disk, "quiet console=tty0")
    managed.must(f"cp --sparse=always {bios_disk.installer()} {disk}\n{told}", 120)
    settings = {**hvm.MACHINE, "memory": 1000, "disk": [f"{disk},raw,sda,rw"]}
    guest = Guest(managed, "installer", NO_DEVICES, toolstack=OURS, settings=settings, wait=False)
    hvm.screen(managed, guest, 5, 3 * LIMIT_S)
    guest.destroy()
    managed.must(f"rm {disk}")
    assert state_of(managed) == empty
