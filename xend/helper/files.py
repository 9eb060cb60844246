"""Kernels and ramdisks: opened once, only if they are regular files, and mapped."""

import errno
import mmap
import os
import stat

from xend.helper.steps import Refused

MIB = 1 << 20
#: The largest kernel and ramdisk, as files, in bytes.  A ramdisk must fit the domain as well.
KERNEL_MAX = 1024 * MIB
RAMDISK_MAX = 16 * 1024 * MIB
#: Of a BIOS or UEFI, and of tables for it.
FIRMWARE_MAX = 64 * MIB
#: What a kernel may unpack to, in bytes.  libxenguest by itself allows 1 GiB (XC_DOM_DECOMPRESS_MAX of
#: xenguest.h).
UNPACKED_MAX = 256 * MIB

_GZIP = b"\x1f\x8b"
_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISCHR, "a character device"),
)


def kernel(path: str) -> mmap.mmap:
    """A kernel's file, mapped.

    Raises:
        Refused: it cannot be read, is no file, or is none that holds a kernel.
    """
    mapped = _map(path, "kernel", KERNEL_MAX, errno.ENOEXEC)
    # The end of what gzip made says its size; libxenguest believes it, too.
    if mapped[:2] == _GZIP and int.from_bytes(mapped[-4:], "little") > UNPACKED_MAX:
        raise too_large(path)
    return mapped


def ramdisk(path: str, memory_kib: int) -> mmap.mmap:
    """A ramdisk's file, mapped.

    Raises:
        Refused: it cannot be read, is no file, or does not fit that memory.
    """
    mapped = _map(path, "ramdisk", RAMDISK_MAX, errno.EINVAL)
    if len(mapped) > memory_kib * 1024:
        raise Refused(
            errno.ENOMEM,
            f"the ramdisk {path} ({-(-len(mapped) // 1024)} KiB) does not fit {memory_kib} KiB of memory: "
            "give the domain more memory",
        )
    return mapped


def firmware(path: str) -> mmap.mmap:
    """A file of an emulated machine's firmware, or of tables for it, mapped.

    Raises:
        Refused: it cannot be read, is no file, is empty, or larger than any.
    """
    return _map(path, "firmware", FIRMWARE_MAX, errno.ENOEXEC)


def too_large(path: str) -> Refused:
    """What is said of a kernel that unpacks to too much."""
    return Refused(errno.ENOEXEC, f"the kernel {path} unpacks to more than {UNPACKED_MAX // MIB} MiB")


def _map(path: str, what: str, most: int, number_if_empty: int) -> mmap.mmap:
    try:
        _require_file(os.stat(path), path, what)  # opening a device may do something
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            _require_file(status, path, what)
            if status.st_size == 0:
                raise Refused(number_if_empty, f"the {what} {path} is empty")
            if status.st_size > most:
                raise Refused(errno.EINVAL, f"the {what} {path} is larger than {most // MIB} MiB")
            return mmap.mmap(descriptor, status.st_size, mmap.MAP_PRIVATE, mmap.PROT_READ)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Refused(error.errno or errno.EIO, f"the {what} {path}: {error.strerror or error}") from error


def _require_file(status: os.stat_result, path: str, what: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for test, name in _KINDS if test(status.st_mode)), "something else")
        raise Refused(errno.EINVAL, f"the {what} {path} is {kind}: a regular file is needed")
