"""The tree of a device model, seen by a process that leaves the rest as qemu does (-chroot, -runas)."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from xend.model.tree import DEVICES, Tree
from xenstore.daemon import child

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root has namespaces of mounts")

UID = 2_000_100_001
#: What stands for qemu: says what it sees, and what it can do to see more.
PROGRAM = """
import ctypes, json, os, sys
os.chroot(sys.argv[1]); os.chdir("/"); os.setgroups([]); os.setgid(UID); os.setuid(UID)
libc = ctypes.CDLL(None, use_errno=True)
def tried(act):
    try:
        act()
    except OSError as error:
        return error.errno
    return 0
def unshared(flags):
    if libc.unshare(flags):
        raise OSError(ctypes.get_errno(), "")
seen = {}
for top, folders, files in os.walk("/"):
    if top.count("/") > 1 and top.startswith("/proc/"):
        folders.clear()
    for name in folders + files:
        try:
            found = os.stat(os.path.join(top, name))
        except OSError:
            continue
        seen[os.path.join(top, name)] = (oct(found.st_mode), found.st_uid, found.st_rdev)
print(json.dumps({
    "seen": seen,
    "user namespace": tried(lambda: unshared(0x10000000)),
    "mount namespace": tried(lambda: unshared(0x00020000)),
    "chroot": tried(lambda: os.chroot("/dev")),
    "mknod": tried(lambda: os.mknod("/dev/disk", 0o60600, 0x700)),
    "file": tried(lambda: open("/file", "w")),
    "mode": tried(lambda: os.chmod("/proc/self/fd/%d" % os.open("/file", os.O_RDONLY), 0o640)),
    "image": tried(lambda: open("/dev/fdset/768")),
    "rename": tried(lambda: os.rename("/dev/fdset", "/dev/other")),
    "root": tried(lambda: os.setuid(0)),
}))
""".replace("UID", str(UID))
ENOENT, EPERM, EACCES = 2, 1, 13


def told_by(tree: Tree, program: str = PROGRAM) -> dict[str, Any]:
    words = [sys.executable, "-S", "-c", program, tree.root]
    order = {"argv": words, "environment": {"PATH": "/bin"}, "tree": attrs.asdict(tree)}
    done = subprocess.run(
        child.module("xend.model.starter"),
        input=json.dumps(order).encode() + b"\n",
        capture_output=True,
        env=child.environment(os.environ),
        cwd=child.DIRECTORY,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_nothing_else_is_seen_and_nothing_can_be_done_about_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir(mode=0)
    told = told_by(Tree(str(root), (UID, UID), [(768, True), (51712, False)]))
    seen = told.pop("seen")
    xen = {path: list(seen.pop(path)) for path in DEVICES if path in seen}
    assert xen == {
        path: [oct(stat.S_IFCHR | 0o600), UID, os.stat(path).st_rdev]
        for path in DEVICES
        if os.path.exists(path)
    }
    folder = [oct(stat.S_IFDIR | 0o755), 0, 0]
    assert seen == {
        "/dev": folder, "/dev/xen": folder, "/dev/fdset": folder,
        "/dev/fdset/768": [oct(stat.S_IFBLK), 0, 0],
        "/dev/fdset/51712": [oct(stat.S_IFREG), 0, 0],
    }  # fmt: skip
    assert told == {
        "user namespace": EPERM,
        "mount namespace": EPERM,
        "chroot": EPERM,
        "mknod": EACCES,
        "file": EACCES,
        "mode": ENOENT,
        "image": EACCES,
        "rename": EACCES,
        "root": EPERM,
    }
    assert list(root.iterdir()) == []
    assert str(root) not in Path("/proc/self/mountinfo").read_text()
    root.rmdir()


def test_a_share_is_seen_with_its_owner_and_written_to(tmp_path: Path) -> None:
    root, share = tmp_path / "root", tmp_path / "share"
    root.mkdir(mode=0)
    share.mkdir()
    (share / "secret").write_text("")
    for path, mode in ((share, 0o755), (share / "secret", 0o600)):
        path.chmod(mode)
    os.mknod(share / "device", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.chown(share, UID, UID)
    program = PROGRAM.replace("/file", f"{share}/new").replace("/dev/fdset/768", f"{share}/secret")
    told = told_by(Tree(str(root), (UID, UID), shares=[str(share)]), program)
    processes = {path.split("/")[2] for path in told["seen"] if path.startswith("/proc/")}
    assert len([each for each in processes if each.isdigit()]) == 1  # its own
    found = {path for path in told["seen"] if path.startswith(str(share))}
    assert found == {f"{share}{each}" for each in ("", "/secret", "/device")}
    assert (told["file"], told["mode"], told["image"]) == (0, 0, EACCES)
    made = (share / "new").stat()
    assert (made.st_uid, made.st_mode & 0o777) == (UID, 0o640)
    program = PROGRAM.replace("/file", f"{share}/device")
    assert told_by(Tree(str(root), (UID, UID), shares=[str(share)]), program)["file"] == EACCES
    assert str(root) not in Path("/proc/self/mountinfo").read_text()


def test_where_none_can_be_made_it_does_not_begin(tmp_path: Path) -> None:
    tree = Tree(f"{tmp_path}/none", (UID, UID))
    with pytest.raises(AssertionError, match=r"to see of the files cannot be made: .*/none: No such"):
        told_by(tree)
