"""Guests that boot themselves: by pygrub in dom0, and by pvgrub in themselves."""

from collections.abc import Iterator

import pytest

from tests.xen import guest_disk
from tests.xen.dom0 import Dom0
from tests.xen.guest import NO_DEVICES, OURS, Guest, Settings, linux
from tests.xen.host_state import Left, state_of

pytestmark = pytest.mark.xen

DISK, BLANK, COPY = "/run/own.img", "/run/blank.img", "/run/own.qcow2"
#: The loader, its menu's second and the start of what it found.
LOADER_LIMIT_S = 120
#: What these configurations do without.
BY_ITSELF: Settings = {"kernel": None, "ramdisk": None, "extra": None}
#: By type: GRUB as a kernel, and the kernel that it boots: one of a PVH domain begins as on bare hardware.
PVGRUB = {
    "pv": ("/usr/lib/grub-xen/grub-x86_64-xen.bin", guest_disk.KERNEL),
    "pvh": ("/usr/lib/grub-xen/grub-i386-xen_pvh.bin", guest_disk.SHIPPED),
}


def on(disk: str) -> Settings:
    return {"disk": [f"format=raw,vdev=xvda,access=w,target={disk}"]}


@pytest.fixture(scope="module")
def disk(managed: Dom0) -> Iterator[str]:
    """A disk with a guest on it, which may be written to."""
    managed.must(f"cp --sparse=always {managed.images.guest_disk} {DISK}")
    yield DISK
    managed.must(f"rm -f {DISK}")


def change_menu(dom0: Dom0, disk: str, text: str) -> None:
    """Put another menu on a disk, as a guest's update of its kernel does."""
    dom0.must(
        f"cat >/run/menu <<'END'\n{text}END\n"
        f"printf '%s\\n' 'rm {guest_disk.MENU}' 'write /run/menu {guest_disk.MENU}' >/run/commands\n"
        f"debugfs -w -f /run/commands '{disk}?offset={guest_disk.BEGIN}' 2>&1; rm /run/menu /run/commands"
    )


def test_pygrub_starts_what_is_on_the_disk_and_looks_again(managed: Dom0, empty: Left, disk: str) -> None:
    settings: Settings = {**BY_ITSELF, **on(disk), "bootloader": "pygrub", "extra": "more=1"}
    own = Guest(managed, "own", NO_DEVICES, toolstack=OURS, settings=settings)
    words = own.must("cat /proc/cmdline").split()
    assert ("entry=first" in words, words[-1]) == (True, "more=1")
    change_menu(managed, disk, guest_disk.menu("later"))
    own.xl(f"reboot {own.name}", 60)
    own.await_next_life()
    assert "entry=later" in own.must("cat /proc/cmdline").split()
    own.destroy()
    assert state_of(managed) == empty


@pytest.mark.long
def test_pygrub_takes_another_entry_when_it_is_told(managed: Dom0, empty: Left, disk: str) -> None:
    settings: Settings = {
        **BY_ITSELF,
        **on(disk),
        "bootloader": "pygrub",
        "bootloader_args": ["-q", "--entry=1"],
    }
    config = linux(managed, "own", NO_DEVICES, settings)
    managed.must(f"cat >/run/own.cfg <<'END'\n{config}END\n{OURS.xl} create -p /run/own.cfg", LOADER_LIMIT_S)
    home = "/local/domain/$(xl domid own)"
    line = managed.must(f"xenstore-read $(xenstore-read {home}/vm)/image/cmdline")
    assert "entry=second" in line.split()
    managed.must(f"{OURS.xl} destroy own", 60)
    assert state_of(managed) == empty


@pytest.mark.parametrize("kind", ["pv", pytest.param("pvh", marks=pytest.mark.long)])
def test_pvgrub_reads_the_disk_itself(managed: Dom0, empty: Left, disk: str, kind: str) -> None:
    grub, kernel = PVGRUB[kind]
    change_menu(managed, disk, guest_disk.menu(kernel=kernel))
    settings: Settings = {**BY_ITSELF, **on(disk), "type": kind, "kernel": grub, "memory": 256}
    own = Guest(managed, f"own-{kind}", NO_DEVICES, toolstack=OURS, settings=settings)
    assert "entry=first" in own.must("cat /proc/cmdline").split()
    own.destroy()
    assert state_of(managed) == empty


#: Settings, and what the error says.
REFUSED: dict[str, tuple[Settings, str]] = {
    "no such loader": ({"bootloader": "pygrab", **on(DISK)}, "there is no such program"),
    "a loader that is no program": ({"bootloader": BLANK, **on(DISK)}, BLANK),
    "a disk without a kernel": (
        {"bootloader": "pygrub", **on(BLANK)},
        "Unable to find partition containing kernel",
    ),
    "no disk": ({"bootloader": "pygrub"}, "it has no disk"),
    "a disk of another format": (
        {"bootloader": "pygrub", "disk": [f"format=qcow2,vdev=xvda,access=w,target={COPY}"]},
        "qemu-img convert -O raw",
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_and_leaves_nothing(managed: Dom0, empty: Left, disk: str, case: str) -> None:
    settings, expected = REFUSED[case]
    managed.must(f"truncate -s 1M {BLANK}; qemu-img create -q -f qcow2 {COPY} 1M")
    config = linux(managed, "bad", NO_DEVICES, {**BY_ITSELF, **settings})
    managed.must(f"cat >/run/bad.cfg <<'END'\n{config}END")
    done = managed.run(f"{OURS.xl} create -q /run/bad.cfg", LOADER_LIMIT_S)
    assert done.status == 1, done
    first = done.output.splitlines()[0]
    assert (first.startswith("xl: "), expected in first) == (True, True), done.output
    managed.must(f"rm {BLANK} {COPY}")
    assert state_of(managed) == empty


@pytest.mark.long
def test_a_menu_that_never_ends_is_ended(managed: Dom0, empty: Left, disk: str) -> None:
    change_menu(managed, disk, guest_disk.menu().replace("set timeout=1", "set timeout=1000"))
    config = linux(managed, "bad", NO_DEVICES, {**BY_ITSELF, **on(disk), "bootloader": "pygrub"})
    managed.must(f"cat >/run/bad.cfg <<'END'\n{config}END")
    done = managed.run(f"{OURS.xl} create -q /run/bad.cfg", 2 * LOADER_LIMIT_S)
    assert (done.status, done.output.startswith("xl: ")) == (1, True), done
    assert "120 s" in done.output.splitlines()[0], done
    assert state_of(managed) == empty
