"""Disks of NetBSD: the kernel is asked by ioctls on raw nodes, and by sysctl(3) which major is whose.

A disk has two nodes for each partition, wd0e (block) and rwd0e (character), whose majors differ: kern.drivers
pairs them.  Where a partition lies its disklabel says (DIOCGDINFO), where a wedge lies the kernel
(DIOCGWEDGEINFO); a vnd tells its file (VNDIOCGET), a cgd what it encrypts (CGDIOCGET).  RAIDframe and LVM are
asked by raidctl(8) and dmsetup(8), what is mounted and swapped to by mount(8) and swapctl(8).
Numbers and layouts: sys/disklabel.h, sys/dkio.h, sys/disk.h, dev/vndvar.h, dev/cgdvar.h, sys/sysctl.h (LP64).
"""

import os
import platform
import re
import stat
import struct
import sys
from collections.abc import Iterator

import attrs

from xend.disk.identity import Disks, Extent, Identity, Use, file_extent
from xend.disk.netbsd_kernel import Kernel, NetBSDKernel

DIOCGDINFO = 0x41986465
DIOCGWEDGEINFO = 0x40D0647A
VNDIOCGET = 0xC0184603
CGDIOCGET = 0xC0404614

#: struct disklabel: size, and where d_secsize and d_partitions are.
_LABEL_BYTES, _SECSIZE_AT, _PARTITIONS_AT = 408, 40, 148
#: p_size and p_offset of a partition, in sectors.
_PARTITION = struct.Struct("=2I8x")
#: dkw_parent, dkw_offset and dkw_size, in sectors of the parent.
_WEDGE = struct.Struct("=144x16sqQ32x")
#: vnu_unit, vnu_dev, vnu_ino.
_VND = struct.Struct("=i4xQQ")
#: cgu_unit, cgu_dev.
_CGD = struct.Struct("=i4xQ48x")

MAXPARTITIONS = 16
#: Where x86 has partitions i to p: a minor had room for eight at first.
_OLD_MAXPARTITIONS, _MAXDISKS = 8, (1 << 20) // MAXPARTITIONS
_X86 = ("amd64", "i386", "x86_64")
#: Drivers whose minors are units, without partitions.
UNPARTITIONED = ("dk", "dm", "fss")
SECTOR_BYTES = 512
DEPTH_MAX = 32

_COMPONENT = re.compile(r"^\s*(/dev/\S+):", re.MULTILINE)
_DEPENDENCY = re.compile(r"\((\d+), (\d+)\)")
_MOUNT = re.compile(r"^(/.*?) on (/.*) type \S+(?: \((.*)\))?$", re.MULTILINE)
_SWAP = re.compile(r"^(/.*?)\s+\d+\s+\d+\s+\d+\s+\d+%\s+-?\d+\s*$", re.MULTILINE)


@attrs.frozen
class _Part:
    """What a node stands for: a partition ("a" is 0) of a unit of a driver; None: the driver has none."""

    driver: str
    unit: int
    partition: int | None


def unit_of(minor: int, machine: str) -> tuple[int, int]:
    """Unit and partition of a disk's node, DISKUNIT and DISKPART of machine/disklabel.h.

    machine: as uname has it.
    """
    if machine not in _X86:
        return divmod(minor, MAXPARTITIONS)
    high, rest = divmod(minor, _MAXDISKS * _OLD_MAXPARTITIONS)
    unit, low = divmod(rest, _OLD_MAXPARTITIONS)
    return unit, high * _OLD_MAXPARTITIONS + low


class NetBSDDisks(Disks):
    """NetBSD 9 or later."""

    def __init__(self, kernel: Kernel | None = None, machine: str = platform.machine()) -> None:
        self._kernel = kernel or NetBSDKernel()
        self._machine = machine

    def of_node(self, status: os.stat_result) -> Identity:
        return self._of_number(status.st_rdev, stat.S_ISCHR(status.st_mode), 0)

    def stat(self, path: str) -> os.stat_result:
        return self._kernel.stat(path)

    def _of_number(self, number: int, is_character: bool, depth: int) -> Identity:
        part = self._part(os.major(number), os.minor(number), is_character)
        if part is None or depth == DEPTH_MAX:
            kind = "character" if is_character else "block"
            return Identity(Extent((kind, os.major(number), os.minor(number))))
        if part.driver == "dk":
            return self._wedge(part.unit, depth)
        whole = self._whole(part.driver, part.unit, depth)
        if part.partition in (None, self._kernel.raw_partition()):
            return whole
        return self._partition(whole, part)

    def _part(self, major: int, minor: int, is_character: bool) -> _Part | None:
        """None: no driver of disks has that major."""
        for driver, character, block in self._kernel.drivers():
            if block >= 0 and major == (character if is_character else block):
                if driver in UNPARTITIONED:
                    return _Part(driver, minor, None)
                return _Part(driver, *unit_of(minor, self._machine))
        return None

    def _whole(self, driver: str, unit: int, depth: int) -> Identity:
        """A disk, without regard to partitions."""
        if driver == "vnd" and (found := self._file_of(unit)):
            return found
        plain = Identity(Extent(("disk", driver, unit)))
        lower = self._lower(driver, unit, depth)
        return attrs.evolve(plain, below=frozenset(e for each in lower for e in (each.own, *each.below)))

    def _partition(self, whole: Identity, part: _Part) -> Identity:
        """One whose place nobody knows counts as the whole disk: rather one refused than one ruined."""
        assert part.partition is not None
        label = self._label(part.driver, part.unit)
        at = _PARTITIONS_AT + part.partition * _PARTITION.size
        if label is None or at + _PARTITION.size > len(label):
            return whole
        size, offset = _PARTITION.unpack_from(label, at)
        bytes_each = _sector_bytes(label)
        return whole.part(offset * bytes_each, size * bytes_each) if size else whole

    def _wedge(self, unit: int, depth: int) -> Identity:
        alone = Identity(Extent(("disk", "dk", unit)))
        answer = self._kernel.ask(f"rdk{unit}", DIOCGWEDGEINFO, bytes(_WEDGE.size))
        if answer is None:
            return alone
        parent, offset, size = _WEDGE.unpack(answer)
        match = re.fullmatch(r"([a-z]+)(\d+)", parent.rstrip(b"\0").decode("ascii", "replace"))
        if match is None:
            return alone
        driver, number = match[1], int(match[2])
        bytes_each = _sector_bytes(self._label(driver, number))
        return self._whole(driver, number, depth + 1).part(offset * bytes_each, size * bytes_each)

    def _label(self, driver: str, unit: int) -> bytes | None:
        return self._kernel.ask(self._raw(driver, unit), DIOCGDINFO, bytes(_LABEL_BYTES))

    def _raw(self, driver: str, unit: int) -> str:
        """The name of a unit's raw node."""
        letter = "" if driver in UNPARTITIONED else chr(ord("a") + self._kernel.raw_partition())
        return f"r{driver}{unit}{letter}"

    # --- what lies on something else ----------------------------------------------------------------------

    def _file_of(self, unit: int) -> Identity | None:
        """Of a vnd; None: it has no file."""
        answer = self._kernel.ask(self._raw("vnd", unit), VNDIOCGET, _VND.pack(unit, 0, 0))
        if answer is None:
            return None
        _, device, inode = _VND.unpack(answer)
        return Identity(file_extent(device, inode)) if inode else None

    def _lower(self, driver: str, unit: int, depth: int) -> list[Identity]:
        """What a unit lies on directly."""
        if driver == "cgd":
            answer = self._kernel.ask(self._raw("cgd", unit), CGDIOCGET, _CGD.pack(unit, 0))
            device = 0 if answer is None else _CGD.unpack(answer)[1]
            return [self._of_number(device, False, depth + 1)] if device else []
        if driver == "raid":
            said = self._kernel.run("raidctl", "-s", f"raid{unit}")
            return [found for path in _COMPONENT.findall(said) if (found := self._of_path(path, depth + 1))]
        if driver == "dm":
            major = next(block for name, _, block in self._kernel.drivers() if name == "dm")
            said = self._kernel.run("dmsetup", "deps", "-j", str(major), "-m", str(unit))
            numbers = [os.makedev(int(major), int(minor)) for major, minor in _DEPENDENCY.findall(said)]
            return [self._of_number(number, False, depth + 1) for number in numbers]
        return []

    def _of_path(self, path: str, depth: int) -> Identity | None:
        """None: there is none."""
        try:
            status = self.stat(path)
        except OSError:
            return None
        if not stat.S_ISBLK(status.st_mode):
            return self.of_status(status)
        return self._of_number(status.st_rdev, False, depth)

    # --- dom0's own ---------------------------------------------------------------------------------------

    def used_by_dom0(self) -> Iterator[Use]:
        for source, directory, options in _MOUNT.findall(self._kernel.run("mount")):
            found = self._of_path(source, 0)
            if found is not None:
                yield Use(found, source, f"mounted on {directory}", "read-only" not in options.split(", "))
        for path in _SWAP.findall(self._kernel.run("swapctl", "-l")):
            if found := self._of_path(path, 0):
                yield Use(found, path, "in use for swapping", True)


def _sector_bytes(label: bytes | None) -> int:
    if label is None:
        return SECTOR_BYTES
    return int.from_bytes(label[_SECSIZE_AT : _SECSIZE_AT + 4], sys.byteorder) or SECTOR_BYTES
