"""What is needed from Debian: programs that must be installed, and a kernel that is only unpacked."""

import functools
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.peers.debian import HYPERVISOR, SYSTEM_PACKAGE, XEN_BIN
from tests.xen import fetched
from tests.xen.userland import Userland, chosen

#: A file and the package that brings it.
INSTALLED = {
    "/usr/bin/qemu-system-x86_64": "qemu-system-x86",
    str(HYPERVISOR): SYSTEM_PACKAGE,
    str(XEN_BIN / "xl"): SYSTEM_PACKAGE,
    "/usr/bin/xenstore": "xenstore-utils",
    "/usr/bin/busybox": "busybox-static",
    "/usr/sbin/brctl": "bridge-utils",
    "/usr/sbin/ip": "iproute2",
    "/usr/bin/gcc": "gcc",
    "/usr/bin/strip": "binutils",
    "/usr/sbin/mke2fs": "e2fsprogs",
    "/usr/libexec/xen-qemu-system-i386": "qemu-system-xen",
    "/usr/bin/qemu-img": "qemu-utils",
    "/usr/lib/grub-xen/grub-x86_64-xen.bin": "grub-xen-host",
}
#: The kernel's package depends on the one with the files. (The cloud kernel cannot be a dom0.)
KERNEL = "linux-image-amd64"


class Missing(Exception):
    """Something that only the user can install is not there; the message says what to do."""


class Kernel(NamedTuple):
    """An unpacked kernel package.

    Attributes:
        version: as `uname -r` says it.
        image: the compressed kernel.
        modules: the folder with all modules.
    """

    version: str
    image: Path
    modules: Path


def cache() -> Path:
    """The folder where packages and images stay between runs, created when needed.

    `$XEND_XEN_CACHE`, or `xend-xen` in the user's cache folder. It costs about 600 MB, 250 more with --long.
    """
    named = os.environ.get("XEND_XEN_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(named) if named else base / "xend-xen"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@functools.cache
def userland() -> Userland:
    """What dom0 runs, complete, with this project as it was at the first call.

    Raises Missing when it has to be fetched or built and cannot be.
    """
    try:
        found = chosen(cache())
        if found.suite:
            fetched.prepare(found)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise Missing(f"no userland for dom0: {error}") from error
    return found


def require_installed() -> None:
    """Raise Missing with the command to give, unless every program of Debian's is there."""
    wanted = sorted({package for file, package in INSTALLED.items() if not Path(file).exists()})
    if wanted:
        raise Missing(f"not installed; run: apt-get install --no-install-recommends {' '.join(wanted)}")


def kernel() -> Kernel:
    """Debian's current kernel, fetched with apt-get and unpacked (not installed) into the cache, once.

    Raises Missing when apt cannot say or fetch it; a kernel in the cache is used without asking.
    """
    folder = cache() / "kernel"
    if not folder.exists():
        _fetch(_package_of_kernel(), folder)
    (image,) = folder.glob("boot/vmlinuz-*")
    version = image.name.removeprefix("vmlinuz-")
    return Kernel(version, image, folder / "lib/modules" / version)


def unpacked(package: str) -> Path:
    """The folder with a package's files: fetched with apt-get and unpacked into the cache, once.

    Raises Missing when apt cannot fetch it.
    """
    folder = cache() / package
    if not folder.exists():
        _fetch(package, folder)
    return folder


def _package_of_kernel() -> str:
    """The one with the files."""
    depends = _run("apt-cache", "depends", "--important", KERNEL)
    package = next((line.split()[1] for line in depends.splitlines() if "Depends: linux-image" in line), None)
    if package is None:
        raise Missing(f"apt knows no {KERNEL}; run: apt-get update (Debian is needed)")
    return package


def _fetch(package: str, folder: Path) -> None:
    """Leave `folder` complete or not at all."""
    unfinished = folder.with_name(f"{folder.name}.new")
    _run("apt-get", "download", package)
    (archive,) = cache().glob(f"{package}_*.deb")
    _run("dpkg", "-x", str(archive), str(unfinished))
    archive.unlink()
    unfinished.rename(folder)


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=cache(), capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise Missing(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout
