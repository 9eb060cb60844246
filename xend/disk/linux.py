"""Disks of Linux: sysfs says what a block device is a part of, lies on and is the loop device of.

/sys/dev/block/MAJOR:MINOR: `partition`, `start` and `size` in units of 512 bytes (sysfs-block), `slaves/`
(the device mapper, md, bcache and others), `loop/`.  The file behind a loop device: LOOP_GET_STATUS64
(linux/loop.h), as the name in sysfs may be another file's by now.
"""

import fcntl
import os
import re
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from xend.disk.identity import Disks, Extent, Identity, Use, file_extent

SECTOR_BYTES = 512
LOOP_GET_STATUS64 = 0x4C05
#: lo_device, lo_inode, lo_rdevice, lo_offset, lo_sizelimit, at the beginning of struct loop_info64.
_LOOP_INFO = struct.Struct("=5Q")
_LOOP_INFO_BYTES = 232
#: How deep devices may lie on each other: more than any host has.
DEPTH_MAX = 32
_OCTAL = re.compile(r"\\([0-7]{3})")


@attrs.frozen
class Backing:
    """What a loop device lies on: `device` and `inode` of a file, or the block device `node`; in bytes."""

    device: int
    inode: int
    node: int
    offset: int
    limit: int


def loop_backing(path: str) -> Backing:
    """Asks a loop device by the path of its node.

    Raises:
        OSError: it has no file; it may not be asked.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        info = bytearray(_LOOP_INFO_BYTES)
        fcntl.ioctl(fd, LOOP_GET_STATUS64, info)
    finally:
        os.close(fd)
    return Backing(*_LOOP_INFO.unpack_from(info))


class LinuxDisks(Disks):
    """Linux.  Where its file systems are mounted, and how loop devices are asked, may be another's."""

    def __init__(
        self,
        sys: str = "/sys",
        proc: str = "/proc",
        dev: str = "/dev",
        ask_loop: Callable[[str], Backing] = loop_backing,
    ) -> None:
        self._sys = Path(sys)
        self._proc = Path(proc)
        self._dev = dev
        self._ask_loop = ask_loop

    def of_node(self, status: os.stat_result) -> Identity:
        if stat.S_ISCHR(status.st_mode):
            return Identity(Extent(("character", _number(status.st_rdev))))
        return self.of_number(_number(status.st_rdev))

    def of_number(self, number: str, depth: int = 0) -> Identity:
        """A block device by its MAJOR:MINOR, decimal."""
        plain = Identity(Extent(("block", number)))
        directory = Path(os.path.realpath(self._sys / "dev/block" / number))
        if depth == DEPTH_MAX or not directory.is_dir():
            return plain
        if (directory / "partition").exists():
            whole = self.of_number(_text(directory.parent / "dev"), depth + 1)
            begin, size = (int(_text(directory / name)) * SECTOR_BYTES for name in ("start", "size"))
            return whole.part(begin, size)
        if (directory / "loop/backing_file").exists():
            return self._of_loop(directory, depth) or plain
        below = [
            self.of_number(_text(lower / "dev"), depth + 1)
            for lower in sorted(_children(directory / "slaves"))
        ]
        return attrs.evolve(plain, below=frozenset(e for lower in below for e in (lower.own, *lower.below)))

    def _of_loop(self, directory: Path, depth: int) -> Identity | None:
        """None: its file was taken out meanwhile."""
        try:
            backing = self._ask_loop(os.path.join(self._dev, directory.name))
        except OSError:
            return self._of_named_file(directory / "loop")
        # lo_rdevice of a file is 0, or again lo_device.
        if backing.node in (0, backing.device):
            lower = Identity(file_extent(backing.device, backing.inode))
        else:
            lower = self.of_number(_number(backing.node), depth + 1)
        return lower.part(backing.offset, backing.limit or None)

    def _of_named_file(self, loop: Path) -> Identity | None:
        """By the name of the file in sysfs, for who may not open the device."""
        try:
            lower = self.of_path(_text(loop / "backing_file"))
            offset, limit = (int(_text(loop / name)) for name in ("offset", "sizelimit"))
        except OSError:
            return None
        return lower.part(offset, limit or None)

    # --- dom0's own ---------------------------------------------------------------------------------------

    def used_by_dom0(self) -> Iterator[Use]:
        yield from self._mounted()
        for line in _lines(self._proc / "swaps")[1:]:
            path = _unescaped(line.split()[0])
            try:
                yield Use(self.of_path(path), path, "in use for swapping", True)
            except OSError:
                continue  # it was taken out of use

    def _mounted(self) -> Iterator[Use]:
        """Each device once: other mounts of it show the same file system."""
        seen: set[str] = set()
        for line in _lines(self._proc / "self/mountinfo"):
            before, _, after = line.partition(" - ")
            fields = before.split()
            kind, source, *options = after.split()
            how = f"mounted on {_unescaped(fields[4])}"
            writes = "ro" not in options[-1].split(",")
            for number in self._devices(fields[2], kind, _unescaped(source)):
                if number not in seen:
                    seen.add(number)
                    yield Use(self.of_number(number), self._name(number), how, writes)

    def _devices(self, number: str, kind: str, source: str) -> Iterator[str]:
        """What a mounted file system lies on; one of several devices has a number that is no device's."""
        if not number.startswith("0:"):
            yield number
            return
        if not source.startswith("/"):
            return
        for path in source.split(":"):  # bcachefs names all of them
            try:
                status = self.stat(path)
            except OSError:
                continue
            if not stat.S_ISBLK(status.st_mode):
                continue
            own = _number(status.st_rdev)
            yield own
            yield from self._btrfs_devices(own) if kind == "btrfs" else ()

    def _btrfs_devices(self, number: str) -> Iterator[str]:
        """All devices of the btrfs that has one."""
        for file_system in _children(self._sys / "fs/btrfs"):
            numbers = [_text(device / "dev") for device in _children(file_system / "devices")]
            if number in numbers:
                yield from numbers

    def _name(self, number: str) -> str:
        return os.path.join(self._dev, Path(os.path.realpath(self._sys / "dev/block" / number)).name)


def _number(device: int) -> str:
    return f"{os.major(device)}:{os.minor(device)}"


def _text(path: Path) -> str:
    return path.read_text(errors="surrogateescape").rstrip("\n")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []


def _children(directory: Path) -> list[Path]:
    try:
        return [directory / name for name in os.listdir(directory)]
    except OSError:
        return []


def _unescaped(text: str) -> str:
    r"""Blanks and others are written \040 in mountinfo and swaps."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
