"""What Linux alone has to shut a program in: its own view of the files, no network, no way to more rights.

Interfaces: unshare(2), mount(2), pivot_root(2), prctl(2), Documentation/filesystems/overlayfs.rst of Linux.
"""

import ctypes
import errno
import os
import re
import select
import signal
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress

import attrs

__all__ = [
    "View",
    "be_ended_first",
    "begin_own_mounts",
    "die_with_parent",
    "enter",
    "forbid_more_rights",
    "give_disk",
    "mount_scratch",
    "narrow_view",
    "show_directory",
    "show_own_process",
]

_NEW_MOUNTS, _NEW_NAMES, _NEW_IPC = 0x00020000, 0x04000000, 0x08000000
_NEW_PIDS, _NEW_NETWORK = 0x20000000, 0x40000000
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_EXEC = 1, 2, 4, 8
_REMOUNT, _BIND, _RECURSIVE, _PRIVATE, _SLAVE = 32, 4096, 16384, 1 << 18, 1 << 19
_DETACH = 2
_PARENT_DEATH, _NO_NEW_RIGHTS = 1, 38
#: Memory that belongs to no process, so that no limit counts it and the end of none frees it (sysvipc(7)).
_NO_IPC = (("shmall", "0"), ("msgmni", "0"), ("sem", "0 0 0 0"))
#: The number of keyctl(2), which libc has not, by machine (add_key(2) is two before it).
KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "ppc64le": 271}
JOIN_SESSION_KEYRING = 1
SESSION_KEYRING = -3
#: What programs of the system need, and all that there is of the host's files.
_TOPS = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "terminfo", "localtime")
_DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9))

#: Where it is made below the root of its mounts: who has another root than that may begin no namespace of
#: users (user_namespaces(7)), in which he would be root, and have file systems in memory without bounds.
_VIEW = "/view"

_libc = ctypes.CDLL(None, use_errno=True)


def enter() -> None:
    """Begin namespaces of its own; processes that are started from now on have no others to see or to signal.

    Raises:
        OSError: this process may not, or the system has none.
    """
    flags = _NEW_MOUNTS | _NEW_NAMES | _NEW_IPC | _NEW_NETWORK | _NEW_PIDS
    _check(_libc.unshare(flags), "unshare")
    mount("none", "/", "", _RECURSIVE | _PRIVATE)
    _leave_keys()
    for name, none in _NO_IPC:
        with suppress(FileNotFoundError), open(f"/proc/sys/kernel/{name}", "w") as file:
            file.write(none)


def _leave_keys() -> None:
    """A key ring of its own in place of xend's, whose keys every program has that has the ring."""
    number = KEYCTL.get(os.uname().machine) if sys.maxsize > 1 << 32 else None
    if number is None or _libc.syscall(number, JOIN_SESSION_KEYRING, None) >= 0:
        return
    if (error := ctypes.get_errno()) != errno.ENOSYS:
        raise OSError(error, os.strerror(error), "keyctl")


def begin_own_mounts() -> None:
    """What this process mounts from now on is nobody else's; what the host takes away goes for it, too.

    Raises:
        OSError: this process may not.
    """
    _check(_libc.unshare(_NEW_MOUNTS), "unshare")
    mount("none", "/", "", _RECURSIVE | _SLAVE)


def be_ended_first() -> None:
    """Have the kernel end this process, and those that it starts, before all others where memory is short.

    To be called before the view is narrowed: there /proc is read only.
    """
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def mount_scratch(path: str, size_bytes: int, files: int, has_devices: bool = False) -> None:
    """A file system in memory, of bounded size and number of files, at most a quarter of the memory."""
    size_bytes = min(size_bytes, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4)
    flags = _NO_SUID if has_devices else _NO_SUID | _NO_DEVICES
    mount("tmpfs", path, "tmpfs", flags, f"size={size_bytes},nr_inodes={files},mode=0755")


def give_disk(disk: str, scratch: str, gid: int) -> str:
    """Where a disk lies so that the group `gid` may read it, whoever may read the original, and none write.

    A device gets another node.  A file is shown by an overlay that has an owner of its own for it: its
    content stays where it is (metacopy), and nothing of the original is changed.

    Args:
        scratch: an empty directory.

    Raises:
        OSError: the file system has no overlays, for example.
    """
    disk = os.path.realpath(disk)
    status = os.stat(disk)
    mount("tmpfs", scratch, "tmpfs", _NO_SUID | _NO_EXEC, "size=1m,mode=0755")
    if stat.S_ISBLK(status.st_mode):
        node = os.path.join(scratch, "disk")
        os.mknod(node, stat.S_IFBLK | 0o440, status.st_rdev)
        os.chown(node, 0, gid)
        return node
    upper, work, merged = (os.path.join(scratch, name) for name in ("upper", "work", "merged"))
    for path in (upper, work, merged):
        os.mkdir(path)
    os.chdir(os.path.dirname(disk))  # a name in the options could hold what separates them
    options = f"lowerdir=.,upperdir={upper},workdir={work},metacopy=on"
    mount("overlay", merged, "overlay", _NO_SUID | _NO_DEVICES | _NO_EXEC, options)
    os.chdir("/")
    shown = os.path.join(merged, os.path.basename(disk))
    os.chown(shown, 0, gid)
    os.chmod(shown, 0o440)
    return shown


@attrs.frozen
class View:
    """What is seen: the system's programs and this one; root: an empty directory for it."""

    root: str
    program: str


def narrow_view(view: View, disk: tuple[str, str], files: tuple[str, str]) -> None:
    """See nothing else from now on but one disk, and a directory of its own, which alone is writable.

    Args:
        disk, files: where each lies, and where it is shown.

    Raises:
        OSError: some of it cannot be had.
    """
    scratch = os.path.realpath(view.root) + _VIEW  # as the list of mounts has it, where /var/run is a link
    _check(_libc.unshare(_NEW_MOUNTS), "unshare")
    mount("tmpfs", view.root, "tmpfs", _NO_SUID, "size=1m,mode=0755")
    os.mkdir(scratch)
    for name in _TOPS:
        _show_top(scratch, name)
    for name in _ETC:
        _show(f"/etc/{name}", f"{scratch}/etc/{name}")
    os.makedirs(f"{scratch}/dev", exist_ok=True)
    for name, major, minor in _DEVICES:
        os.mknod(f"{scratch}/dev/{name}", stat.S_IFCHR | 0o666, os.makedev(major, minor))
        os.chmod(f"{scratch}/dev/{name}", 0o666)
    os.mkdir(f"{scratch}/tmp")
    mount("tmpfs", f"{scratch}/tmp", "tmpfs", _NO_SUID | _NO_DEVICES, "size=16m,nr_inodes=256,mode=1777")
    os.mkdir(f"{scratch}/proc")
    with suppress(OSError):  # it is of use to some interpreters, and no more
        mount("proc", f"{scratch}/proc", "proc", _READ_ONLY | _NO_SUID | _NO_DEVICES | _NO_EXEC)
    if not os.path.exists(scratch + view.program):
        _show(view.program, scratch + view.program)
    _show(disk[0], scratch + disk[1], has_devices=True)
    os.makedirs(scratch + files[1])
    mount(files[0], scratch + files[1], "", _BIND)
    _freeze(view.root, has_devices=True)
    os.chdir(view.root)
    _check(_libc.pivot_root(b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _DETACH), "umount2")
    os.chroot(_VIEW)
    os.chdir("/")


def show_directory(path: str, shown: str) -> None:
    """A directory with all that is mounted in it, to be written to as far as it is; no device there works.

    Raises:
        OSError.
    """
    os.makedirs(shown, exist_ok=True)
    mount(path, shown, "", _BIND | _RECURSIVE)
    for each in _mounted_at(shown):
        read_only = _READ_ONLY if os.statvfs(each).f_flag & os.ST_RDONLY else 0
        mount("none", each, "", _REMOUNT | _BIND | _NO_SUID | _NO_DEVICES | read_only)


def show_own_process(shown: str) -> None:
    """Those files of /proc that are of the own processes of who looks there.

    Raises:
        OSError: a kernel before 5.8, which cannot show these alone.
    """
    flags = _READ_ONLY | _NO_SUID | _NO_DEVICES | _NO_EXEC
    mount("proc", shown, "proc", flags, "subset=pid,hidepid=2")


def forbid_more_rights() -> None:
    """No program that is started from now on gets more rights than this process has, set-user-ID or not."""
    _check(_libc.prctl(_NO_NEW_RIGHTS, 1, 0, 0, 0), "prctl")


def die_with_parent(parent: int) -> None:
    """Have this process killed as soon as its parent has ended.

    parent: the parent's pidfd, as it may have ended before.
    """
    _check(_libc.prctl(_PARENT_DEATH, int(signal.SIGKILL), 0, 0, 0), "prctl")
    ended = select.poll()
    ended.register(parent, select.POLLIN)
    if ended.poll(0):
        os._exit(1)  # the first process of its namespace does not obey a signal of its own


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """mount(2).

    Raises:
        OSError: it is refused.
    """
    words: Sequence[bytes] = [os.fsencode(each) for each in (source, target, kind)]
    _check(_libc.mount(*words, ctypes.c_ulong(flags), options.encode()), target)


def _show_top(root: str, name: str) -> None:
    """A directory of the system's, or the link that it is."""
    path, shown = f"/{name}", f"{root}/{name}"
    if os.path.islink(path):
        os.symlink(os.readlink(path), shown)
    else:
        _show(path, shown)


def _show(path: str, shown: str, has_devices: bool = False) -> None:
    """Read only, if it is there."""
    if not os.path.exists(path):
        return
    os.makedirs(os.path.dirname(shown), exist_ok=True)
    if os.path.isdir(path):
        os.mkdir(shown)
    else:
        os.close(os.open(shown, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o444))
    mount(os.path.realpath(path), shown, "", _BIND | _RECURSIVE)
    for each in _mounted_at(shown):
        _freeze(each, has_devices)


def _mounted_at(path: str) -> list[str]:
    """The mounts at a path and below: what lies in /usr may have file systems of its own.

    Source: /proc/PID/mountinfo (proc(5)), the fifth field, in which a blank, for example, is \\040.
    """
    with open("/proc/self/mountinfo", "rb") as file:
        fields = [line.split()[4] for line in file]
    escaped = re.compile(rb"\\([0-7]{3})")
    points = {os.fsdecode(escaped.sub(lambda found: bytes([int(found[1], 8)]), each)) for each in fields}
    return sorted(each for each in points if each == path or each.startswith(f"{path}/"))


def _freeze(path: str, has_devices: bool = False) -> None:
    flags = _REMOUNT | _BIND | _READ_ONLY | _NO_SUID
    mount("none", path, "", flags if has_devices else flags | _NO_DEVICES)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
