"""A device model (Debian's qemu) under a guest: its disk of qcow2, its rights, its death; nothing is left."""

import re
import struct

import pytest

from tests.xen import manager
from tests.xen.dom0 import Dom0
from tests.xen.guest import DEBIANS, OURS, UNTIL, Devices, Guest, Settings
from tests.xen.host_state import Left, state_of

pytestmark = pytest.mark.xen

IMAGE = "/run/modelled.qcow2"
CLUSTER = 65536
#: The first user of a device model's, less its domid.
FIRST_UID = 2_000_100_000
_DISK: Settings = {"disk": [f"format=qcow2,vdev=xvda,access=w,target={IMAGE}"]}


def empty_qcow2(size_bytes: int) -> bytes:
    """An image of version 2 without data: header, reference counts, one table of the first level."""
    header = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 0, 0, 16, size_bytes, 0, 1, 3 * CLUSTER, CLUSTER, 1, 0, 0
    )
    clusters = [header, struct.pack(">Q", 2 * CLUSTER), struct.pack(">4H", 1, 1, 1, 1), b""]
    return b"".join(each.ljust(CLUSTER, b"\0") for each in clusters)


@pytest.fixture(scope="module")
def modelled(managed: Dom0, empty: Left) -> Guest:
    """A guest whose disk a device model serves."""
    (managed.share / "image").write_bytes(empty_qcow2(16 << 20))
    managed.must(f"cp /run/share/image {IMAGE}")
    return begin(managed)


def begin(dom0: Dom0) -> Guest:
    return Guest(dom0, "modelled", Devices(), toolstack=OURS, settings=_DISK)


def pid_of(dom0: Dom0, guest: Guest) -> str:
    return dom0.must(f"xenstore-read {guest.home}/image/device-model-pid").strip()


def test_it_reads_and_writes(managed: Dom0, modelled: Guest) -> None:
    modelled.must("[ $(cat /sys/block/xvda/size) = 32768 ]")
    modelled.must("echo written >/dev/xvda && sync && echo 3 >/proc/sys/vm/drop_caches")
    assert "written" in modelled.must("head -c 8 /dev/xvda")
    assert int(managed.must(f"stat -c %s {IMAGE}")) > 4 * CLUSTER


def test_it_has_neither_roots_rights_nor_the_hosts_files(managed: Dom0, modelled: Guest) -> None:
    pid, uid = pid_of(managed, modelled), FIRST_UID + modelled.domid
    said = managed.must(f"cat /proc/{pid}/status; readlink /proc/{pid}/root; ls /proc/{pid}/root/")
    assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in said
    assert "NoNewPrivs:\t1" in said
    assert said.rstrip().endswith(f"/qemu-root-{modelled.domid}")


def test_it_outlives_a_kill_of_xend(managed: Dom0, modelled: Guest) -> None:
    before = pid_of(managed, modelled)
    manager.kill(managed, manager.PID)
    modelled.must("echo 3 >/proc/sys/vm/drop_caches; head -c 8 /dev/xvda")
    manager.start_xend(managed)
    managed.must(f"[ -e /proc/{before} ]")


def test_its_disk_is_whole_in_the_next_life(managed: Dom0, modelled: Guest) -> None:
    before = pid_of(managed, modelled)
    modelled.xl(f"reboot {modelled.name}")
    modelled.await_next_life()
    assert pid_of(managed, modelled) != before
    assert "written" in modelled.must("head -c 8 /dev/xvda")


def test_its_death_is_told_at_once_and_destroy_leaves_nothing(
    managed: Dom0, modelled: Guest, empty: Left
) -> None:
    pid = pid_of(managed, modelled)
    told = f"grep -q 'device_model_died.*dead devices: vbd xvda' {manager.LOG}/xend.log"
    managed.must(f"{UNTIL}kill -9 {pid}\nuntil_done {told}", 10)
    assert f"pid {pid}) " in modelled.xl("device-explain modelled xvda")
    modelled.destroy()
    managed.must('[ -z "$(ls /run/xend/models)" ] && ! pgrep -f xen-qemu-system')
    assert state_of(managed) == empty


def test_a_broken_image_is_told_in_qemus_words(managed: Dom0, empty: Left) -> None:
    managed.must("head -c 65536 /dev/zero >/run/broken.qcow2")
    managed.must(
        f"cat >/run/broken.cfg <<'END'\nname = 'broken'\nmemory = 64\nkernel = '{managed.images.kernel}'\n"
        "disk = ['format=qcow2,vdev=xvda,access=w,target=/run/broken.qcow2']\nEND"
    )
    done = managed.run(f"{OURS.xl} create /run/broken.cfg", 60)
    assert done.status != 0
    assert "Image is not in qcow2 format" in done.output
    assert state_of(managed) == empty


#: Stands for qemu, and notes its words.
WRAPPER = """#!/bin/sh
echo "$@" >>/run/words
exec /usr/libexec/xen-qemu-system-i386 "$@"
"""


def test_its_command_line_is_that_of_debians_xl(managed: Dom0, empty: Left) -> None:
    managed.must(f"cat >/run/wrapper <<'END'\n{WRAPPER}END\nchmod 755 /run/wrapper")
    settings: Settings = {
        "device_model_version": "qemu-xen",
        "device_model_override": "/run/wrapper",
        **_DISK,
    }
    (managed.share / "image").write_bytes(empty_qcow2(16 << 20))
    words = []
    for toolstack in (DEBIANS, OURS):
        managed.must(f"cp /run/share/image {IMAGE}; rm -f /run/words")
        guest = Guest(managed, "worded", Devices(), toolstack=toolstack, settings=settings)
        words.append(normal(managed.must("cat /run/words"), guest.domid))
        guest.destroy()
    assert words[0] == words[1]
    assert state_of(managed) == empty


def normal(line: str, domid: int) -> list[str]:
    """Without what differs from domain to domain, and without the rights that only ours gives up."""
    line = re.sub(r"-(chroot|runas) \S+ ?", "", line)
    line = re.sub(r"path=\S*/(qmp-[a-z]+)", r"path=\1", line)
    return [re.sub(rf"\b{domid}\b", "N", word) for word in line.split()]
