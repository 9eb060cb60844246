"""The disk of a fully virtualised guest: boot sector, GRUB, a kernel and an initial RAM disk with drivers.

Nothing is mounted for it.  What the kernel is told stands in a sector of its own, ARGUMENTS, so that the
guest itself, or dom0, says how the next start goes.
"""

import fcntl
import gzip
import hashlib
import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

from tests.xen import images
from tests.xen.packages import Missing, cache, kernel, unpacked, userland

#: A file and the package that brings it.
NEEDED = {
    "/usr/bin/grub-mkimage": "grub-common",
    "/usr/lib/grub/i386-pc/boot.img": "grub-pc-bin",
    "/usr/sbin/mke2fs": "e2fsprogs",
    "/usr/libexec/xen-qemu-system-i386": "qemu-system-xen",
    "/usr/share/seabios/bios-256k.bin": "seabios",
    "/usr/lib/ipxe/qemu/efi-e1000.rom": "ipxe-qemu",
}
GRUB = Path("/usr/lib/grub/i386-pc")
GRUB_MODULES = ("biosdisk", "part_msdos", "ext2", "linux", "normal", "configfile", "echo", "test")
SECTOR = 512
#: The sector with the rest of the kernel's command line, behind GRUB and before the partition.
ARGUMENTS = 2040
#: Sectors: where the only partition begins, the length of the disk, and of the installer's.
BEGIN, LENGTH, INSTALLERS_LENGTH = 2048, 40 << 11, 80 << 11
#: Debian's installer, as it is started over the network: its package, and where that has it.
INSTALLER = "debian-installer-12-netboot-amd64"
INSTALLERS_FOLDER = "usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64"
#: Of both kinds of devices: a paravirtual driver does not load where its kernel keeps the emulated ones, and
#: finds the emulated ones gone where it does not.
MODULES = (
    *images.GUEST_MODULES,
    *("ata_piix", "ahci", "sym53c8xx", "sd_mod", "sr_mod", "8139cp", "e1000"),
    *("button", "evdev"),
)
_LINUX = 0x83
_MENU = f"""
source (hd0){ARGUMENTS}+1
linux /vmlinuz console=tty0 console=hvc0 $arguments
initrd /initrd.img
boot
"""


def build() -> Path:
    """In the cache, which dom0 sees at the same place; made anew when what it is made of changed.

    Raises packages.Missing.
    """
    return _built("bios", _put_guest, LENGTH)


def installer() -> Path:
    """The same with Debian's installer in place of the guest."""
    return _built("installer", _put_installer, INSTALLERS_LENGTH)


def _built(name: str, put: Callable[[Path], None], length: int) -> Path:
    """The disk whose partition has what `put` puts into a folder."""
    wanted = sorted({package for file, package in NEEDED.items() if not Path(file).exists()})
    if wanted:
        raise Missing(f"not installed; run: apt-get install --no-install-recommends {' '.join(wanted)}")
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = cache() / f"{name}-{_fingerprint()}"
        if not folder.exists():
            with TemporaryDirectory(dir=cache()) as new:
                _build_in(Path(new) / "new", put, length)
                (Path(new) / "new").rename(folder)
        userland().show(folder)
    return folder / "disk.img"


def tell(disk: str, words: str) -> str:
    """For a shell that has the disk: from the next start on its kernel is told `words`."""
    return (
        f"(echo 'set arguments=\"{words}\"'; yes '') 2>/dev/null | "
        f"dd of={disk} bs={SECTOR} count=1 seek={ARGUMENTS} iflag=fullblock conv=notrunc 2>/dev/null; sync"
    )


def _put_guest(root: Path) -> None:
    """Linux, and a guest that obeys."""
    ramdisk = root / "initrd.img"
    (root / "vmlinuz").write_bytes(kernel().image.read_bytes())
    images.guest_archive(MODULES).write(ramdisk)
    ramdisk.write_bytes(gzip.compress(ramdisk.read_bytes(), 6, mtime=0))


def _put_installer(root: Path) -> None:
    folder = unpacked(INSTALLER) / INSTALLERS_FOLDER
    (root / "vmlinuz").write_bytes((folder / "linux").read_bytes())
    (root / "initrd.img").write_bytes((folder / "initrd.gz").read_bytes())


def _build_in(folder: Path, put: Callable[[Path], None], length: int) -> None:
    root = folder / "root"
    root.mkdir(parents=True)
    put(root)
    (root / "grub.cfg").write_text(_MENU)
    core = folder / "core"
    subprocess.run(
        ["grub-mkimage", "-O", "i386-pc", "-o", core, "-p", "(hd0,msdos1)/", *GRUB_MODULES], check=True
    )
    disk = folder / "disk.img"
    _write_head(disk, core.read_bytes(), length)
    core.unlink()
    subprocess.run(["sh", "-c", tell(str(disk), "quiet")], check=True)
    options = f"root_owner=0:0,offset={BEGIN * SECTOR}"
    blocks = str((length - BEGIN) * SECTOR >> 10)
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext2", "-b", "1024", "-E", options, "-d", root, disk, blocks], check=True
    )
    rmtree(root)


def _write_head(disk: Path, core: bytes, length: int) -> None:
    """What comes before the partition: boot.img loads the sector behind it, which knows how many follow."""
    assert SECTOR + len(core) <= ARGUMENTS * SECTOR, len(core)
    code = (GRUB / "boot.img").read_bytes()[:446]
    with disk.open("wb") as file:
        file.write(code + _partition(length) + b"\x55\xaa" + core)
        file.truncate(length * SECTOR)


def _partition(length: int) -> bytes:
    """A table with one partition, whose fields of cylinders and heads say that they are not used."""
    none = b"\xfe\xff\xff"
    entry = b"\x80" + none + bytes([_LINUX]) + none
    return entry + struct.pack("<II", BEGIN, length - BEGIN) + bytes(48)


def _fingerprint() -> str:
    digest = hashlib.sha256(kernel().version.encode())
    here = Path(__file__)
    sources = (
        here,
        *(here.parent / name for name in ("images.py", "cpio.py", "domu/init")),
        *map(Path, NEEDED),
    )
    for source in sources:
        digest.update(f"{source}:{os.stat(source).st_mtime_ns}".encode())
    return digest.hexdigest()[:12]
