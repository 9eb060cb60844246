"""A guest with a whole machine: hvmloader and SeaBIOS start it, a device model plays it."""

import pytest

from tests.xen import manager
from tests.xen.dom0 import Dom0
from tests.xen.guest import OURS, UNTIL, Devices, Guest, Settings
from tests.xen.host_state import Left, state_of

pytestmark = [pytest.mark.xen, pytest.mark.long]

DISC, OTHER = "/run/box.iso", "/run/other.iso"


@pytest.fixture(scope="module")
def box(managed: Dom0, empty: Left) -> Guest:
    """The last test of this file ends it."""
    managed.must(f"truncate -s 2M {DISC}; truncate -s 3M {OTHER}")
    settings: Settings = {
        "type": "hvm",
        "kernel": str(managed.images.compressed),
        "memory": 256,
        "vcpus": 1,
        "maxvcpus": 2,
        "vga": "stdvga",
        "serial": "pty",
        "disk": [
            "format=raw,vdev=hda,access=w,target=/run/box.img",
            f"format=raw,vdev=hdc,access=ro,devtype=cdrom,target={DISC}",
        ],
    }
    return Guest(managed, "box", Devices(disk="/run/box.img"), toolstack=OURS, settings=settings)


def test_it_comes_up(managed: Dom0, box: Guest) -> None:
    assert "vendor_id" in box.must("cat /proc/cpuinfo")
    assert box.must("cat /sys/hypervisor/uuid") == managed.must(f"xenstore-read {box.home}/vm")[4:]


def test_its_disc_is_changed(managed: Dom0, box: Guest) -> None:
    box.xl(f"cd-insert box hdc {OTHER}", 60)
    managed.must(f"kill -0 $(xenstore-read {box.home}/image/device-model-pid)")


def test_it_ends_with_its_device_model(managed: Dom0, box: Guest, empty: Left) -> None:
    managed.must(f"kill -9 $(xenstore-read {box.home}/image/device-model-pid)")
    managed.must(f"{UNTIL}until_done grep 'box.*crash' {manager.LOG}/xend.log", 30)
    box.await_end()
    managed.must(f"rm {DISC} {OTHER} /run/box.img")
    assert state_of(managed) == empty
