"""Virtual disks' names and numbers (toolstack.md 2.3; xen/include/public/io/blkif.h).

xvda1, d0p1   major 202, 16 disks of 16 partitions; beyond that bit 28, and 256 partitions each
sda1          SCSI disks: majors 8, 65-71, 128-135, of 16 disks of 16 partitions each
hda1          IDE disks: two of 64 partitions in each of ten majors
0x301, 769    itself
"""

import re

from xend.config.number import number_of

__all__ = ["VDEV_FORMS", "vdev_hint", "vdev_name", "vdev_number", "vdev_place"]

#: For error messages.
VDEV_FORMS = "xvda, sda, hda (with or without a partition's number), d0p1, or a number such as 0x0"

_EXTENDED = 1 << 28
_MAX_DISKS = 1 << 20
_XVD_MAJOR = 202
_SD_MAJORS: tuple[int, ...] = (8, *range(65, 72), *range(128, 136))
_HD_MAJORS: tuple[int, ...] = (3, 22, 33, 34, 56, 57, 88, 89, 90, 91)

_LETTERED = re.compile(r"(xvd|sd|hd)([a-z]{1,6})([1-9][0-9]{0,3})?")
_OF_NETBSD = re.compile(r"(/dev/)?xbd[0-9]")
_COUNTED = re.compile(r"d(0|[1-9][0-9]{0,7})p(0|[1-9][0-9]{0,3})")


def vdev_number(vdev: str) -> int | None:
    """The number of a virtual disk by its name, or by the number itself; None: it is neither."""
    if match := _COUNTED.fullmatch(vdev):
        return _xvd(int(match[1]), int(match[2]))
    if match := _LETTERED.fullmatch(vdev):
        number_in = {"xvd": _xvd, "sd": _sd, "hd": _hd}[match[1]]
        return number_in(_disk_index(match[2]), int(match[3] or 0))
    number = number_of(vdev)
    return number if number is not None and number < 2 * _EXTENDED else None


def vdev_hint(vdev: str) -> str | None:
    """A hint at what somebody meant by what is no vdev; None: nothing is near."""
    if _OF_NETBSD.match(vdev):
        return "a NetBSD guest calls its disks xbd0, xbd1 ... by their order; here they are 0x0, 0x1 ..."
    bare = vdev.lower().removeprefix("/dev/")
    for meant in (bare, f"x{bare}", bare.replace("-", "")):
        if meant != vdev and _LETTERED.fullmatch(meant) and vdev_number(meant) is not None:
            return f"did you mean {meant}?"
    return None


def vdev_name(number: int) -> str | None:
    """The name that `vdev_number` turns into this number, xvd for xvd and dNpN; None: there is none.

    libxl's inverse calls every number xvd something; this one names what a guest would see.
    """
    found = _taken_apart(number)
    return None if found is None else _named(*found)


def vdev_place(number: int) -> tuple[int, int] | None:
    """(which disk of its kind, from 0, and which partition of it, 0: all of it); None: it is no such disk."""
    found = _taken_apart(number)
    return None if found is None else found[1:]


def _taken_apart(number: int) -> tuple[str, int, int] | None:
    """(prefix of the name, disk, partition)."""
    if number & _EXTENDED:
        disk, partition = number >> 8 & _MAX_DISKS - 1, number & 255
        return ("xvd", disk, partition) if _xvd(disk, partition) == number else None
    major, minor = number >> 8, number & 255
    if major == _XVD_MAJOR:
        return "xvd", minor >> 4, minor & 15
    if major in _SD_MAJORS:
        return "sd", 16 * _SD_MAJORS.index(major) + (minor >> 4), minor & 15
    if major in _HD_MAJORS and minor < 128:
        return "hd", 2 * _HD_MAJORS.index(major) + (minor >> 6), minor & 63
    return None


def _xvd(disk: int, partition: int) -> int | None:
    if disk < 16 and partition < 16:
        return _XVD_MAJOR << 8 | disk << 4 | partition
    return _EXTENDED | disk << 8 | partition if disk < _MAX_DISKS and partition < 256 else None


def _sd(disk: int, partition: int) -> int | None:
    if disk >= 16 * len(_SD_MAJORS) or partition > 15:
        return None
    return _SD_MAJORS[disk >> 4] << 8 | (disk & 15) << 4 | partition


def _hd(disk: int, partition: int) -> int | None:
    if disk >= 2 * len(_HD_MAJORS) or partition > 63:
        return None
    return _HD_MAJORS[disk >> 1] << 8 | (disk & 1) << 6 | partition


def _named(prefix: str, disk: int, partition: int) -> str:
    return f"{prefix}{_letters(disk)}{partition or ''}"


def _disk_index(letters: str) -> int:
    """a is 0, z is 25, aa is 26: base 26 without a zero."""
    index = 0
    for letter in letters:
        index = 26 * index + ord(letter) - ord("a") + 1
    return index - 1


def _letters(disk: int) -> str:
    letters = ""
    disk += 1
    while disk:
        disk, rest = divmod(disk - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters
