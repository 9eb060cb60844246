"""All that a device model sees of the host's files once it has begun, on Linux: a tree of its own.

It is in memory, at the directory that -chroot names, in a namespace of mounts that nobody else is in, so that
it ends with the device model, whoever is killed.  Xen's devices are in it, which qemu opens anew for each
ring, and a name for each image that it has by a descriptor: before qemu opens one, it looks whether there is
a file or a device by that name.

Source: qemu 7.2's hw/block/xen-block.c (xen_block_drive_create), hw/xen/xen-bus.c (xen_device_realize); Xen's
tools/libs/gnttab and evtchn, linux.c.
"""

import os
import stat
from collections.abc import Sequence
from contextlib import suppress

import attrs

from xend.bootloader import linux
from xend.model.image import FILES

__all__ = ["STORE_DEVICE", "Tree", "make", "put_name"]

#: The way to the store by Linux's kernel, whose connection outlives a store that is killed.
STORE_DEVICE = "/dev/xen/xenbus"
#: What it opens for a ring, for the events of one, and for each disk anew to follow its nodes.
DEVICES = ("/dev/xen/gntdev", "/dev/xen/evtchn", STORE_DEVICE)
_SIZE_BYTES = 1 << 16
#: There is one for each image that it ever got.
_FILES_MAX = 4096


@attrs.frozen
class Tree:
    """One.

    Attributes:
        root: the directory where it is.
        ids: user and group that the device model becomes.
        images: numbers of sets of descriptors, each with whether it is a device's.
        shares: directories of the host's that are seen at their places.
    """

    root: str
    ids: tuple[int, int]
    images: Sequence[tuple[int, bool]] = ()
    shares: Sequence[str] = ()


def make(tree: Tree) -> None:
    """Make it, in a namespace of this process's own; its umask is another one then.

    Raises:
        OSError.
    """
    linux.begin_own_mounts()
    linux.mount_scratch(tree.root, _SIZE_BYTES, _FILES_MAX, has_devices=True)
    os.umask(0o022)
    names = f"{tree.root}{FILES}"
    os.makedirs(names)
    os.mkdir(f"{tree.root}/dev/xen")
    for path in DEVICES:
        with suppress(FileNotFoundError):  # without Xen
            os.mknod(f"{tree.root}{path}", stat.S_IFCHR | 0o600, os.stat(path).st_rdev)
            os.chown(f"{tree.root}{path}", *tree.ids)
    if tree.shares:  # qemu sets modes of files by its descriptors of them, by their names below /proc/self/fd
        os.mkdir(f"{tree.root}/proc")
        with suppress(OSError):
            linux.show_own_process(f"{tree.root}/proc")
    for path in tree.shares:
        linux.show_directory(path, f"{tree.root}{path}")
    directory_fd = os.open(names, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for number, is_device in tree.images:
            put_name(directory_fd, number, is_device)
    finally:
        os.close(directory_fd)


def put_name(directory_fd: int, number: int, is_device: bool) -> None:
    """Have the directory of the sets' names tell of one more, or otherwise of one.

    Raises:
        OSError.
    """
    name = str(number)
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory_fd)
    os.mknod(name, stat.S_IFBLK if is_device else stat.S_IFREG, dir_fd=directory_fd)
