"""Guests whose devices are a device model's: a disk of qcow2, a screen, a channel; a shared directory."""

import json
import shlex

import pytest

from tests.xen import manager
from tests.xen.dom0 import Dom0
from tests.xen.guest import NO_DEVICES, OURS, UNTIL, Guest, Settings, linux
from tests.xen.host_state import Left, state_of
from tests.xen.userland import VERSION

pytestmark = pytest.mark.xen

IMAGE, MORE, SOCKET = "/run/desk.qcow2", "/run/more.qcow2", "/run/desk.sock"
#: In a directory in which root alone puts things.
FOLDER = "/run/roots/desk"
PYTHON = f"cd {manager.ROOT} && {manager.BIN}/python -m tests.xen"
#: A sector of the image, by the program that qemu itself has for it; another process has it open.
SECTOR = (
    f"qemu-img convert -U -f qcow2 -O raw {IMAGE} /run/desk.raw; dd if=/run/desk.raw bs=512 count=1 skip="
)
#: What the guest does all the while: counts in a sector that nobody else writes to.
BEAT = (
    "n=0; while true; do n=$((n + 1)); "
    "echo $n | dd of=/dev/xvda bs=512 seek=8192 conv=sync,fsync 2>/dev/null || echo $n; sleep 0.3; "
    "done >>/errors 2>&1"
)
LAST_BEAT = f"{SECTOR}8192 2>/dev/null | head -n 1"
STORE_PID = "/run/xenstored.pid"
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
        f"for image in {IMAGE} {MORE}; do qemu-img create -q -f qcow2 $image 64M; chmod 600 $image; done\n"
        f"qemu-io -f qcow2 -c 'write -P 0x41 1M 512' {IMAGE}"
    )
    settings: Settings = {
        "ramdisk": str(managed.images.guest_with_modules),
        "disk": [f"format=qcow2,vdev=xvda,access=w,target={IMAGE}"],
        "vfb": ["vnc=1,vncdisplay=7"],
        "channel": [f"name=org.xend.test,connection=socket,path={SOCKET}"],
    }
    return Guest(managed, "desk", NO_DEVICES, toolstack=OURS, settings=settings)


def rights_of(managed: Dom0, guest: Guest) -> tuple[int, list[str]]:
    """The user that its device model is, and all files that it sees."""
    pid = managed.must(f"xenstore-read {guest.home}/image/device-model-pid")
    user, *files = managed.must(
        f"stat -c %u /proc/{pid}; cd /proc/{pid}/root && find . ! -type d | sort"
    ).splitlines()
    return int(user), files


def open_images(managed: Dom0, guest: Guest) -> list[str]:
    """What of dom0's files below /run it has open."""
    pid = managed.must(f"xenstore-read {guest.home}/image/device-model-pid")
    return managed.must(f"readlink /proc/{pid}/fd/* | grep '^/run/[^/]*$' | sort -u").splitlines()


def seen(*numbers: int) -> list[str]:
    """By a device model that has disks of such numbers."""
    xen = [f"./dev/xen/{name}" for name in ("evtchn", "gntdev", "xenbus")]
    return [*(f"./dev/fdset/{number}" for number in numbers), *xen]


def test_its_device_model_has_few_rights(managed: Dom0, desk: Guest) -> None:
    user, files = rights_of(managed, desk)
    assert (user > 2_000_000_000, files) == (True, seen(51712))
    assert open_images(managed, desk) == [IMAGE]


def test_it_reads_and_writes_a_disk_of_qcow2(managed: Dom0, desk: Guest) -> None:
    assert desk.must("dd if=/dev/xvda bs=512 skip=2048 count=1 2>/dev/null | tr -d A | wc -c") == "0"
    desk.must("echo by the guest | dd of=/dev/xvda bs=512 seek=4096 conv=sync,fsync")
    assert managed.must(f"{SECTOR}4096 2>/dev/null | head -n 1") == "by the guest"
    assert int(managed.must(f"stat -c %s {IMAGE}; rm /run/desk.raw")) < 2 << 20


def test_what_its_disk_does_is_counted(managed: Dom0, desk: Guest) -> None:
    def counted() -> list[int]:
        """Requests and sectors, read and written."""
        (line,) = managed.must(f"{manager.BIN}/xentop -b -i 1 | grep ' desk '").splitlines()
        return [int(word) for word in line.split()[-5:-1]]

    before = counted()
    assert min(before) > 0
    desk.must("dd if=/dev/zero of=/dev/xvda bs=64k count=1 seek=256 conv=fsync")
    after = counted()
    assert (after[1] > before[1], after[3] - before[3] >= 128) == (True, True)


def writes(guest: Guest, disk: str) -> None:
    """And reads it again, past its cache."""
    guest.must(f"for i in $(seq 50); do [ -b /dev/{disk} ] && break; sleep 0.2; done")
    guest.must(
        f"echo again | dd of=/dev/{disk} bs=512 seek=7 conv=sync,fsync; echo 1 >/proc/sys/vm/drop_caches"
    )
    assert guest.must(f"dd if=/dev/{disk} bs=512 skip=7 count=1 2>/dev/null | head -n 1") == "again"


def test_another_disk_comes_and_goes(managed: Dom0, desk: Guest) -> None:
    desk.xl(f"block-attach desk format=qcow2,vdev=xvdb,access=w,target={MORE}")
    writes(desk, "xvdb")
    assert open_images(managed, desk) == [IMAGE, MORE]
    desk.unplug_disk()
    assert open_images(managed, desk) == [IMAGE]


#: Further images: what makes one at $image, and how it is given.
IMAGES = {
    "vhd": ("qemu-img create -q -f vpc $image 8M", "format=vhd"),
    "raw": ("truncate -s 8M $image", "format=raw,backendtype=qdisk"),
    "a device": (
        "truncate -s 8M $image.file; losetup /dev/loop7 $image.file; ln -sf /dev/loop7 $image",
        "format=raw,backendtype=qdisk",
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("kind", IMAGES)
def test_other_images_come_and_go(managed: Dom0, desk: Guest, kind: str) -> None:
    make, how = IMAGES[kind]
    managed.must(f"image=/run/other; {make}")
    desk.xl(f"block-attach desk {how},vdev=xvdc,access=w,target=/run/other")
    writes(desk, "xvdc")
    desk.unplug_disk("xvdc")
    managed.must("losetup -D; rm /run/other*")  # a device that is still open stays
    assert "loop7" not in managed.must("losetup -a")


@pytest.mark.long
def test_an_image_on_others_is_served_without_rights(managed: Dom0) -> None:
    """Names in their headers are those of a directory that its device model does not see."""
    managed.must(
        "cd /run; qemu-img create -q -f raw base.raw 8M\n"
        "qemu-io -f raw -c 'write -P 0x42 0 512' base.raw\n"
        "qemu-img create -q -f qcow2 -b base.raw -F raw base.qcow2\n"
        "qemu-io -f qcow2 -c 'write -P 0x44 64k 512' base.qcow2\n"
        "qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 over.qcow2\n"
        "chmod 600 base.raw base.qcow2 over.qcow2"
    )
    before = state_of(managed)
    settings: Settings = {"disk": ["format=qcow2,vdev=xvda,access=w,target=/run/over.qcow2"], "memory": 128}
    above = Guest(managed, "above", NO_DEVICES, toolstack=OURS, settings=settings)
    user, files = rights_of(managed, above)
    assert (user > 2_000_000_000, files) == (True, seen(51712 | 1 << 30))
    assert open_images(managed, above) == ["/run/base.qcow2", "/run/base.raw", "/run/over.qcow2"]
    assert above.must("dd if=/dev/xvda bs=512 count=1 2>/dev/null | tr -d B | wc -c") == "0"
    assert above.must("dd if=/dev/xvda bs=512 skip=128 count=1 2>/dev/null | tr -d D | wc -c") == "0"
    writes(above, "xvda")
    above.destroy()
    assert state_of(managed) == before
    read = "qemu-img convert -f qcow2 -O raw /run/over.qcow2 /run/over.raw; dd if=/run/over.raw bs=512 skip=7"
    assert managed.must(f"{read} count=1 2>/dev/null | head -n 1; rm /run/over.* /run/base.*") == "again"


@pytest.mark.long
def test_it_serves_on_through_kills_of_both_daemons(managed: Dom0, desk: Guest) -> None:
    """Its disk is used all the while; what was attached before a kill is taken out behind it."""
    desk.must(f"setsid sh -c {shlex.quote(BEAT)} >/dev/null 2>&1 </dev/null &")
    for _ in range(3):
        desk.xl(f"block-attach desk format=qcow2,vdev=xvdb,access=w,target={MORE}")
        writes(desk, "xvdb")
        manager.kill(managed, manager.PID, STORE_PID)
        beat = beat_of(managed)
        manager.start_store(managed)
        manager.start_xend(managed)
        managed.must(f"later() {{ [ $({LAST_BEAT}) -gt {beat + 1} ]; }}\n{UNTIL}until_done later", 60)
        desk.unplug_disk()
        assert open_images(managed, desk) == [IMAGE]
    assert desk.must("cat /errors") == ""


def beat_of(managed: Dom0) -> int:
    return int(managed.must(LAST_BEAT))


#: QEMU 10's VNC shows a screen of its own, whatever the guest draws (docs/reference/guests.md, section 3).
shows_the_guest = pytest.mark.skipif(VERSION == "4.20", reason="QEMU 10's VNC shows no PV guest's screen")


@shows_the_guest
def test_its_screen_is_seen_by_vnc(managed: Dom0, desk: Guest) -> None:
    assert managed.must(f"xenstore-read {desk.home}/console/vnc-port") == "5907"
    desk.must("head -c 400000 /dev/urandom >/dev/fb0")
    seen = json.loads(managed.must(f"{PYTHON}.rfb 5907 1001", 120).splitlines()[-1])
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


@shows_the_guest
@pytest.mark.long
def test_a_screen_alone_is_shown_without_rights(managed: Dom0) -> None:
    settings: Settings = {"vfb": ["vnc=1,vncdisplay=8"], "memory": 128}
    before = state_of(managed)
    lone = Guest(managed, "lone", NO_DEVICES, toolstack=OURS, settings=settings)
    user, files = rights_of(managed, lone)
    assert (user > 2_000_000_000, files) == (True, seen())
    lone.must("head -c 400000 /dev/urandom >/dev/fb0")
    assert json.loads(managed.must(f"{PYTHON}.rfb 5908 1001", 120).splitlines()[-1])["colours"] > 1000
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
    managed.must(f"rm {IMAGE} {MORE}")
    assert state_of(managed) == empty


#: Whom the directory belongs to, and the device model is; None: root.
USERS = [None, pytest.param("nobody", marks=pytest.mark.long)]


@pytest.mark.parametrize("user", USERS)
def test_a_directory_is_shared_with_dom0(managed: Dom0, empty: Left, user: str | None) -> None:
    managed.must(
        f"mkdir -p {FOLDER}; echo from dom0 >{FOLDER}/letter; echo secret >{FOLDER}/secret\n"
        f"chmod 600 {FOLDER}/secret; chown {user or 'root'} {FOLDER}"
    )
    settings: Settings = {
        "ramdisk": str(managed.images.guest_with_modules),
        "p9": [f"tag=desk,path={FOLDER},security_model=none"],
        "device_model_user": user,
    }
    sharer = Guest(managed, "sharer", NO_DEVICES, toolstack=OURS, settings=settings)
    sharer.must("load-devices && mkdir /mnt && mount -t 9p -o trans=xen,version=9p2000.L desk /mnt", 60)
    assert sharer.must("cat /mnt/letter") == "from dom0"
    sharer.must("echo from the guest >/mnt/answer")
    answer = f"cat {FOLDER}/answer; stat -c %U {FOLDER}/answer"
    assert managed.must(answer).split("\n") == ["from the guest", user or "root"]
    assert (sharer.obey("cat /mnt/secret").status == 0) is (user is None)
    sharer.must("umount /mnt")
    sharer.destroy()
    managed.must(f"rm -r {FOLDER}")
    assert state_of(managed) == empty
