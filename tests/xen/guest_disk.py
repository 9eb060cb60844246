"""The disk of a guest that boots itself: a partition with a kernel, an initial RAM disk and GRUB's menu."""

import struct
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.xen.bzimage import SECTOR, bzimage

#: Where the partition begins, and how long disk and partition are, in bytes.
BEGIN = 1 << 20
SIZE = 40 << 20
#: On the disk.  The kernel as it is shipped takes longer: in a PVH domain it begins by unpacking itself.
SHIPPED = "/boot/vmlinuz-shipped"
KERNEL, RAMDISK, MENU = "/boot/vmlinuz", "/boot/initrd.img", "/boot/grub/grub.cfg"
_LINUX = 0x83


def menu(entry: str = "first", other: str = "second", kernel: str = KERNEL) -> str:
    """A menu whose entries tell the kernel which of them it was; the first is taken after a second."""
    entries = "".join(
        f"menuentry '{name}' {{\n\tlinux {kernel} console=hvc0 quiet entry={name}\n\tinitrd {RAMDISK}\n}}\n"
        for name in (entry, other)
    )
    return f"set default=0\nset timeout=1\n{entries}"


def write(disk: Path, kernel: Path, shipped: Path, ramdisk: Path, folder: Path) -> None:
    """Make it at `disk`; nothing is mounted.

    Args:
        kernel: an ELF image, of which it gets a bzImage that has nothing but a payload.
        folder: for what is in between.
    """
    with TemporaryDirectory(dir=folder) as name:
        root, stripped = Path(name) / "root", Path(name) / "stripped"
        (root / MENU[1:]).parent.mkdir(parents=True)
        subprocess.run(["strip", "-s", "-o", stripped, kernel], check=True)
        (root / KERNEL[1:]).write_bytes(bzimage(stripped.read_bytes(), "gzip"))
        (root / SHIPPED[1:]).write_bytes(shipped.read_bytes())
        (root / RAMDISK[1:]).write_bytes(ramdisk.read_bytes())
        (root / MENU[1:]).write_text(menu())
        with disk.open("wb") as file:
            file.write(_partition_table())
            file.truncate(SIZE)
        options = f"root_owner=0:0,offset={BEGIN}"
        blocks = str((SIZE - BEGIN) >> 10)
        words = ("mke2fs", "-q", "-t", "ext2", "-b", "1024", "-E", options, "-d", root, disk, blocks)
        subprocess.run(words, check=True)


def _partition_table() -> bytes:
    """A sector of MBR with one partition; its fields of cylinders and heads say that they are not used."""
    none = b"\xfe\xff\xff"
    entry = b"\x80" + none + bytes([_LINUX]) + none
    entry += struct.pack("<II", BEGIN // SECTOR, (SIZE - BEGIN) // SECTOR)
    return bytes(446) + entry + bytes(48) + b"\x55\xaa"
