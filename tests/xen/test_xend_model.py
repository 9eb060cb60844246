"""A guest whose devices are a device model's: a disk of qcow2, a shared directory, a screen, a channel."""

import json

import pytest

from tests.xen import manager
from tests.xen.dom0 import Dom0
from tests.xen.guest import NO_DEVICES, OURS, UNTIL, Guest, Settings, linux
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


#: What another guest cannot have, and what the error says.
REFUSED: dict[str, tuple[Settings, str]] = {
    "a port in use": ({"vfb": ["vnc=1,vncdisplay=7,vncunused=0"]}, "Address already in use"),
    "an image that is none": (
        {"disk": ["format=qcow2,vdev=xvda,access=w,target=/run/junk.qcow2"]},
        "Image is not in qcow2 format",
    ),
    "a directory that is not there": ({"p9": ["tag=a,path=/run/none,security_model=none"]}, "/run/none"),
}


@pytest.mark.long
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_served_is_refused(managed: Dom0, desk: Guest, case: str) -> None:
    settings, expected = REFUSED[case]
    config = linux(managed, "twin", NO_DEVICES, settings)
    before = state_of(managed)
    managed.must(f"echo junk >/run/junk.qcow2; cat >/run/twin.cfg <<'END'\n{config}END")
    done = managed.run(f"{OURS.xl} create -q /run/twin.cfg", 120)
    first = done.output.splitlines()[0]
    assert (done.status, first.startswith("xl: "), expected in first) == (1, True, True), done.output
    assert state_of(managed) == before


@pytest.mark.long
def test_a_screen_alone_is_shown_without_rights(managed: Dom0) -> None:
    settings: Settings = {"vfb": ["vnc=1,vncdisplay=8"], "memory": 128}
    before = state_of(managed)
    lone = Guest(managed, "lone", NO_DEVICES, toolstack=OURS, settings=settings)
    pid = managed.must(f"xenstore-read {lone.home}/image/device-model-pid")
    user, seen = managed.must(f"stat -c %u /proc/{pid}; ls /proc/{pid}/root").partition("\n")[::2]
    assert (int(user) > 2_000_000_000, seen) == (True, "")
    lone.must("head -c 400000 /dev/urandom >/dev/fb0")
    assert json.loads(managed.must(f"{PYTHON}.rfb 5908", 120).splitlines()[-1])["colours"] > 1000
    lone.destroy()
    assert state_of(managed) == before


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
