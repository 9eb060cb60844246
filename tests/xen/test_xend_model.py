"""A guest whose devices are a device model's: a disk of qcow2, a shared directory, a screen, a channel."""

import json

import pytest

from tests.xen import manager
from tests.xen.dom0 import Dom0
from tests.xen.guest import NO_DEVICES, OURS, UNTIL, Guest, Settings
from tests.xen.host_state import Left, state_of

pytestmark = pytest.mark.xen

IMAGE, FOLDER, SOCKET = "/run/desk.qcow2", "/run/desk", "/run/desk.sock"
PYTHON = f"cd {manager.ROOT} && {manager.BIN}/python -m tests.xen"
#: A sector of the image, by the program that qemu itself has for it; another process has it open.
SECTOR = (
    f"qemu-img convert -U -f qcow2 -O raw {IMAGE} /run/desk.raw; dd if=/run/desk.raw bs=512 count=1 skip="
)
LISTEN = f"""\
import socket
own = socket.socket(socket.AF_UNIX)
own.connect("{SOCKET}")
print("connected")
print(own.recv(99))
"""


@pytest.fixture(scope="module")
def desk(managed: Dom0, empty: Left) -> Guest:
    """The last test of this file ends it."""
    managed.must(
        f"mkdir -p {FOLDER}; echo from dom0 >{FOLDER}/letter; qemu-img create -q -f qcow2 {IMAGE} 64M\n"
        f"qemu-io -f qcow2 -c 'write -P 0x41 1M 512' {IMAGE}"
    )
    settings: Settings = {
        "ramdisk": str(managed.images.guest_with_modules),
        "disk": [f"format=qcow2,vdev=xvda,access=w,target={IMAGE}"],
        "vfb": ["vnc=1,vncdisplay=7"],
        "p9": [f"tag=desk,path={FOLDER},security_model=none"],
        "channel": [f"name=org.xend.test,connection=socket,path={SOCKET}"],
    }
    return Guest(managed, "desk", NO_DEVICES, toolstack=OURS, settings=settings)


def test_it_reads_and_writes_a_disk_of_qcow2(managed: Dom0, desk: Guest) -> None:
    assert desk.must("dd if=/dev/xvda bs=512 skip=2048 count=1 2>/dev/null | tr -d A | wc -c") == "0"
    desk.must("echo by the guest | dd of=/dev/xvda bs=512 seek=4096 conv=sync,fsync")
    assert managed.must(f"{SECTOR}4096 2>/dev/null | head -n 1") == "by the guest"
    assert int(managed.must(f"stat -c %s {IMAGE}; rm /run/desk.raw")) < 2 << 20


def test_it_shares_a_directory_with_dom0(managed: Dom0, desk: Guest) -> None:
    desk.must("load-devices && mkdir /mnt && mount -t 9p -o trans=xen,version=9p2000.L desk /mnt", 60)
    assert desk.must("cat /mnt/letter") == "from dom0"
    desk.must("echo from the guest >/mnt/answer")
    assert managed.must(f"cat {FOLDER}/answer") == "from the guest"
    desk.must("umount /mnt")


def test_its_screen_is_seen_by_vnc(managed: Dom0, desk: Guest) -> None:
    assert managed.must(f"xenstore-read {desk.home}/console/vnc-port") == "5907"
    desk.must("head -c 400000 /dev/urandom >/dev/fb0")
    seen = json.loads(managed.must(f"{PYTHON}.rfb 5907", 120).splitlines()[-1])
    assert seen["size"] == [800, 600]
    assert seen["colours"] > 1000


def test_its_channel_is_a_socket_in_dom0(managed: Dom0, desk: Guest) -> None:
    (row,) = managed.must(f"{OURS.xl} channel-list desk").splitlines()[1:]
    assert (row.split()[2], row.split()[-1]) == ("4", "socket")
    # What is said while nobody is connected is lost.
    managed.must(
        f"cat >/run/listen.py <<'END'\n{LISTEN}END\nsetsid python3 -u /run/listen.py >/run/heard 2>&1 &\n"
        f"{UNTIL}until_done grep connected /run/heard"
    )
    desk.must("echo through the channel >/dev/hvc1")
    managed.must(f"{UNTIL}until_done grep 'through the channel' /run/heard")


def test_the_death_of_its_device_model_is_told_at_once(managed: Dom0, desk: Guest) -> None:
    managed.must(f"kill -9 $(xenstore-read {desk.home}/image/device-model-pid)")
    managed.must(f"{UNTIL}until_done grep 'device_model_died.*desk' {manager.LOG}/xend.log", 10)
    said = managed.run(f"{OURS.xl} device-explain desk xvda")
    assert "its device model has died" in said.output
    desk.must("true")


def test_nothing_is_left(managed: Dom0, desk: Guest, empty: Left) -> None:
    desk.destroy()
    managed.must(f"rm -r {IMAGE} {FOLDER}")
    assert state_of(managed) == empty
