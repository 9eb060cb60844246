"""Build what is booted: Xen, a kernel, and one initial RAM disk each for dom0 and for the guests."""

import fcntl
import gzip
import hashlib
import lzma
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.xen import guest_disk
from tests.xen.cpio import Archive
from tests.xen.packages import INSTALLED, Kernel, cache, kernel, require_installed, userland
from tests.xen.userland import Userland

HERE = Path(__file__).parent
BUSYBOX = Path("/usr/bin/busybox")
#: Loaded in this order, each after those it depends on.
DOM0_MODULES = [
    "virtio_pci",
    "9pnet_virtio",
    "9p",
    "xenfs",
    "xen-evtchn",
    "xen-gntdev",
    "xen-gntalloc",
    "xen-privcmd",
    "xen-blkback",
    "xen-netback",
    "loop",
    "bridge",
    "overlay",
    "xen-pciback",
    "e1000",
    "e1000e",
    "tun",
]
GUEST_MODULES = ["xen-blkfront", "xen-netfront"]
#: Of the guests that have a directory of dom0's, or a card: they load them themselves.
DEVICE_MODULES = ["9pnet_xen", "9p", "xen-pcifront", "e1000", "e1000e"]
#: Of the files, in the order of Images.
NAMES = (
    "xen",
    "vmlinux",
    "dom0.img",
    "guest.img",
    "program",
    "program32",
    "vmlinuz",
    "devices.img",
    "disk.img",
)
#: A guest without a kernel, freestanding C.
PROGRAM = HERE / "bare"
#: Loaded at run time by name, so that ldd does not list it.
UNLISTED_LIBRARY = "/lib/x86_64-linux-gnu/libgcc_s.so.1"


class Images(NamedTuple):
    """Files to boot, all in the cache.

    Attributes:
        root: the root file system of dom0, a folder.
        program: for 64 bits; program32: for 32 with PAE.
        compressed: the kernel as Debian ships it.
        guest_with_modules: the guest's initial RAM disk with DEVICE_MODULES, which `load-devices` loads.
        guest_disk: a disk with a guest's kernel, initial RAM disk and menu in its one partition.
    """

    root: Path
    xen: Path
    kernel: Path
    dom0: Path
    guest: Path
    program: Path
    program32: Path
    compressed: Path
    guest_with_modules: Path
    guest_disk: Path


def build() -> Images:
    """Everything to boot, rebuilt when what it is made of changed. A few seconds, then none.

    Raises packages.Missing.
    """
    require_installed()
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of two workers, one builds
        return _build()


def _build() -> Images:
    linux, debian = kernel(), userland()
    folder = cache() / f"images-{_fingerprint(linux, debian)}"
    images = Images(debian.root, *(folder / name for name in NAMES))
    if not folder.exists():
        unfinished = folder.with_name("images.new")
        unfinished.mkdir(exist_ok=True)
        _build_in(unfinished, linux, debian)
        unfinished.rename(folder)
    debian.show(folder)
    return images


def _build_in(folder: Path, linux: Kernel, debian: Userland) -> None:
    (folder / "xen").write_bytes(gzip.decompress(debian.hypervisor.read_bytes()))
    (folder / "vmlinux").write_bytes(_decompressed(linux.image))
    (folder / "vmlinuz").write_bytes(linux.image.read_bytes())
    dom0 = _base(linux, DOM0_MODULES, HERE / "dom0/init")
    dom0.write(folder / "dom0.img")
    guest_archive(GUEST_MODULES).write(folder / "guest.img")
    _add_devices(folder / "devices.img", folder / "guest.img", linux)
    kernels = (folder / "vmlinux", folder / "vmlinuz")
    guest_disk.write(folder / "disk.img", *kernels, folder / "guest.img", folder)
    compile_program(folder / "program", 64)
    compile_program(folder / "program32", 32)


def guest_archive(modules: Iterable[str]) -> Archive:
    """A guest that obeys, with modules that it loads at its start."""
    guest = _base(kernel(), modules, HERE / "domu/init")
    _add_store_programs(guest)
    for name in ("poweroff", "reboot"):
        guest.file(f"sbin/{name}", f"#!/bin/busybox sh\nexec /bin/busybox {name} -f\n".encode())
    return guest


def _fingerprint(linux: Kernel, debian: Userland) -> str:
    """A short name for what the images are made of."""
    digest = hashlib.sha256(linux.version.encode())
    ours = (
        HERE / "images.py",
        HERE / "cpio.py",
        HERE / "guest_disk.py",
        HERE / "bzimage.py",
        *HERE.glob("dom*/init"),
        *PROGRAM.iterdir(),
    )
    for source in (*ours, debian.hypervisor, *map(Path, INSTALLED)):
        digest.update(f"{source}:{os.stat(source).st_mtime_ns}".encode())
    return digest.hexdigest()[:12]


def compile_program(target: Path, bits: int) -> None:
    """Make the guest that is one small program, of 64 or 32 bits: no libraries, general registers alone."""
    options = (
        "-std=c11 -O2 -Wall -Wextra -Werror -ffreestanding -fno-stack-protector -fno-pie -mno-red-zone "
        "-mgeneral-regs-only -fcf-protection=none -fno-asynchronous-unwind-tables -no-pie -static -nostdlib "
        "-Wl,-Ttext-segment=0x100000,--build-id=none,-z,noexecstack,-z,max-page-size=4096"
    )
    sources = sorted(map(str, PROGRAM.glob("*.c")))
    subprocess.run(["gcc", f"-m{bits}", *options.split(), "-o", str(target), *sources], check=True)


def _decompressed(image: Path) -> bytes:
    """The ELF kernel inside a bzImage compressed with xz: it starts seconds earlier under emulation."""
    data = image.read_bytes()
    start = data.find(b"\xfd7zXZ\0")
    return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(data[start:])


def _base(linux: Kernel, modules: Iterable[str], init: Path) -> Archive:
    archive = Archive()
    for name in ("dev", "proc", "sys", "run", "host", "tmp"):
        archive.folder(name)
    archive.device("dev/console", 5, 1)
    archive.file("bin/busybox", BUSYBOX.read_bytes())
    archive.file("init", init.read_bytes())
    order = in_order(linux, modules)
    for path in order:
        archive.file(f"modules/{path.name}", path.read_bytes(), 0o644)
    archive.file("modules/order", "".join(f"{path.name}\n" for path in order).encode(), 0o644)
    return archive


def in_order(linux: Kernel, modules: Iterable[str]) -> list[Path]:
    """The modules' files and those they depend on, in an order in which insmod takes them."""
    files = {path.stem.replace("-", "_"): path for path in linux.modules.rglob("*.ko")}
    order: list[Path] = []

    def add(name: str) -> None:
        path = files.get(name.replace("-", "_"))
        if path is None or path in order:  # None: built into the kernel
            return
        for needed in _depends(path):
            add(needed)
        order.append(path)

    for name in modules:
        add(name)
    return order


def _depends(module: Path) -> list[str]:
    """The names in a module's own list of what it depends on."""
    data = module.read_bytes()
    start = data.index(b"\0depends=") + len(b"\0depends=")
    return [name for name in data[start : data.index(b"\0", start)].decode().split(",") if name]


def _add_devices(target: Path, guest: Path, linux: Kernel) -> None:
    """The guest's RAM disk with more: the kernel unpacks one archive behind the other."""
    archive = Archive()
    order = in_order(linux, DEVICE_MODULES)
    for path in order:
        archive.file(f"modules/{path.name}", path.read_bytes(), 0o644)
    lines = "".join(f"insmod /modules/{path.name} || exit 1\n" for path in order)
    archive.file("bin/load-devices", f"#!/bin/busybox sh\n{lines}".encode())
    archive.write(target)
    target.write_bytes(guest.read_bytes() + target.read_bytes())


def _add_store_programs(archive: Archive) -> None:
    """Debian's xenstore-* with their libraries: what a guest would really run."""
    for library in (*_libraries(Path("/usr/bin/xenstore")), UNLISTED_LIBRARY):
        archive.file(library, Path(library).read_bytes())
    archive.file("usr/bin/xenstore", Path("/usr/bin/xenstore").read_bytes())
    for verb in ["chmod", "exists", "list", "ls", "read", "rm", "watch", "write"]:
        archive.link(f"usr/bin/xenstore-{verb}", "xenstore")


def _libraries(program: Path) -> list[str]:
    listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
    words = [line.split() for line in listed.splitlines()]
    return [next(word for word in line if word.startswith("/")) for line in words if "/" in "".join(line)]
