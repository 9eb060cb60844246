"""Images that a device model has by descriptors, as it sees none of the host's files (guests.md 1.5).

qemu takes a set of descriptors for nobody's once no monitor is connected and nothing has it open; from 9.1
on it keeps what it is not told to remove.  So each image is held by a node of qemu's own until its backend,
which opens it in qemu's main loop, has done so, and then the set is removed: what is open stays so.

One past dom0's cache (O_DIRECT) takes a descriptor that is so, too, from 9.1 on.

Source: qemu 7.2's monitor/fds.c (monitor_fdset_cleanup); seen with 7.2 and 10.0.
"""

from collections.abc import Mapping

import attrs

__all__ = ["FILES", "Image", "file_of", "holder", "holder_of"]

#: Where it finds the files that it was given, by the numbers of their sets.
FILES = "/dev/fdset"


@attrs.frozen(kw_only=True)
class Image:
    """One that it opens once it serves.

    Attributes:
        number: of its set: that of the disk.
        path: on the host.
        is_direct: it is opened past dom0's cache, and its descriptor has to be such a one.
        label: what people call the disk.
    """

    number: int
    path: str
    is_read_only: bool
    is_direct: bool = False
    label: str


def file_of(number: int) -> str:
    """The name that the file of a set has for it."""
    return f"{FILES}/{number}"


def holder_of(number: int) -> str:
    """What the node is called that holds a set."""
    return f"held-{number}"


def holder(image: Image, is_device: bool) -> Mapping[str, object]:
    """What blockdev-add is told to make that node."""
    return {
        "driver": "host_device" if is_device else "file",
        "node-name": holder_of(image.number),
        "filename": file_of(image.number),
        "locking": "off",
        "read-only": image.is_read_only,
        **({"cache": {"direct": True}} if image.is_direct else {}),
    }
