"""Process 1 of a dom0 of the tests' own: makes the root file system, takes its place, starts programs, reaps.

`python -m tests.rcd.init ROOT PYTHON DIRECTORY ...` lets it begin, in new mount and process namespaces.  It
prints its process id, and "up" once the root is there.  It starts what the interpreter PYTHON, which has been
put there, hands over (`tests.starter.server`); it ends, and everything in it, when its standard input does.
"""

import os
import shutil
import sys
from pathlib import Path

from tests.starter import server, system

#: Of the machine, as they are.
LENT = (
    "usr/bin",
    "usr/sbin",
    "usr/lib",
    "usr/lib64",
    "usr/libexec",
    "usr/share",
    "usr/local",
    "etc/alternatives",
)
LINKS = ("bin", "sbin", "lib", "lib64")
FILES = ("etc/passwd", "etc/group", "etc/nsswitch.conf", "etc/ld.so.cache")
DEVICES = ("null", "zero", "random", "urandom")
#: What NetBSD's dom0 has, as far as a script can see: device nodes, and the entries of kernfs.
XEN_DEVICES = ("xenevt", "xsd_kva")
KERNFS = ("version", "xen/privcmd", "xen/xsd_port", "xen/xenbus")
MADE = ("proc", "tmp", "root", "var/run", "var/log", "var/db", "etc/rc.d", "etc/rc.conf.d", "dev/pts")


def main(root: Path, python: str, lent: list[str]) -> int:
    """The part of process 1's parent, which is not in its namespaces."""
    system.unshare(system.CLONE_NEWNS | system.CLONE_NEWPID)
    pid = os.fork()
    if pid != 0:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    # This /proc is still the machine's.  Process 1 prints both lines, or they might come in the other order.
    print(os.readlink("/proc/self"), flush=True)
    system.mount("none", "/", "", system.MS_REC | system.MS_PRIVATE)
    make_root(root, lent)
    put_interpreter(root, python)
    os.chroot(root)
    os.chdir("/")
    listener = server.listen(f"{python}.socket")
    print("up", flush=True)
    server.Server(listener).run()
    return 0


def make_root(root: Path, lent: list[str]) -> None:
    """Whatever a root file system has that nobody installs."""
    system.mount("tmpfs", str(root), "tmpfs", 0, "mode=755")
    for name in MADE:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for name in (*LENT, *lent):
        if Path("/", name).is_dir():
            (root / name).mkdir(parents=True, exist_ok=True)
            bind(f"/{name}", root / name, system.MS_REC)
            bind(f"/{name}", root / name, system.MS_REMOUNT | system.MS_RDONLY)
    for name in LINKS:
        if Path("/", name).is_symlink():
            (root / name).symlink_to(os.readlink(f"/{name}"))
    for name in FILES:
        (root / name).write_bytes(Path("/", name).read_bytes())
    make_devices(root)
    for name in KERNFS:
        file = root / "kern" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("2\n")


def make_devices(root: Path) -> None:
    """Bound, not made: that needs fewer rights."""
    for name in (*DEVICES, *XEN_DEVICES):
        file = root / "dev" / name
        file.touch()
        bind("/dev/null" if name in XEN_DEVICES else f"/dev/{name}", file)
    system.mount("devpts", str(root / "dev/pts"), "devpts", 0, "newinstance,ptmxmode=0666,mode=0620")
    (root / "dev/ptmx").symlink_to("pts/ptmx")
    system.mount("proc", str(root / "proc"), "proc", 0)


def bind(source: str, target: Path, flags: int = 0) -> None:
    """Have a file or directory be at another place, too; or change how it is there."""
    system.mount(source, str(target), "", system.MS_BIND | flags)


def put_interpreter(root: Path, python: str) -> None:
    """Put this program's there, which hands over."""
    target = root / python.removeprefix("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(sys.executable, target)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
