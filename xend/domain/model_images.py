"""The images of emulated disks, by descriptors.

A device model that goes on with a state opens its images for reading, and again for writing once it has read
that: by then it sees none of the host's files any more.
"""

import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack

import attrs

from xend.device.files import opened
from xend.model.part import Part
from xend.model.qmp import FILES

__all__ = ["by_descriptors"]


def by_descriptors(parts: Sequence[Part], held: ExitStack) -> tuple[list[Part], list[tuple[int, int]]]:
    """The same, with descriptors in place of the paths of images that are written to; and those, each with
    the number of its set.

    held: closes them.

    Raises:
        XendError: bad_image.
    """
    found: list[Part] = []
    files: list[tuple[int, int]] = []
    for part in parts:
        drive = part.drive
        if drive is not None and drive.path is not None and not (drive.is_cdrom or drive.is_read_only):
            number = 1 + len(files) // 2
            for flags in (os.O_RDWR, os.O_RDONLY):
                fd = opened("disk", drive.path, drive.label, flags)
                held.callback(os.close, fd)
                files.append((fd, number))
            driver = "host_device" if stat.S_ISBLK(os.fstat(files[-1][0]).st_mode) else "file"
            drive = attrs.evolve(drive, path=f"{FILES}/{number}", driver=driver)
        found.append(attrs.evolve(part, drive=drive))
    return found, files
