"""Process 1 of a dom0 of the tests' own: makes the root file system, takes its place, and reaps.

`init.py ROOT` in new mount and process namespaces.  A program on its own: it imports nothing of the tests.
Says "up" once the root is there; ends, and everything in it, when its standard input does.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

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


def main(root: Path, lent: list[str]) -> None:
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(root))
    for name in MADE:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for name in (*LENT, *lent):
        if Path("/", name).is_dir():
            (root / name).mkdir(parents=True, exist_ok=True)
            mount("--rbind", f"/{name}", str(root / name))
            mount("-o", "remount,bind,ro", str(root / name))
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
    os.chroot(root)
    os.chdir("/")


def make_devices(root: Path) -> None:
    """Bound, not made: that needs fewer rights."""
    for name in (*DEVICES, *XEN_DEVICES):
        file = root / "dev" / name
        file.touch()
        mount("--bind", "/dev/null" if name in XEN_DEVICES else f"/dev/{name}", str(file))
    mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=0620", "devpts", str(root / "dev/pts"))
    (root / "dev/ptmx").symlink_to("pts/ptmx")
    mount("-t", "proc", "proc", str(root / "proc"))


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def reap() -> None:
    """For ever; no other process of this namespace is anybody's but its own caller's."""
    while True:
        signal.sigwait([signal.SIGCHLD])
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


def end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    threading.Thread(target=end_with_input, daemon=True).start()
    print("up", flush=True)
    reap()
