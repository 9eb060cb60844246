"""What a simulated domain boots: a file that looks like a kernel; what is in it never runs."""

import errno
import os
import stat
import struct
from pathlib import Path

from xend.hypervisor import HypervisorError, Image, Machine

#: How files begin that are kernels: ELF, and the compressed forms in which they are shipped.
_MAGIC = (b"\x7fELF", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x5d\0\0")
#: What an emulated machine cannot do without, beside its graphics card's memory.
_MACHINE_MIN_KIB = 4096
#: Linux's boot protocol: bzImage.
_BZIMAGE_AT, _BZIMAGE = 0x202, b"HdrS"

#: An ELF header of x86-64 that says of itself that it is executable, and has nothing to execute.
KERNEL = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0)


def write_kernel(path: str | os.PathLike[str]) -> None:
    """Make a file that `build` takes for a kernel.

    Raises:
        OSError: it cannot be written.
    """
    Path(path).write_bytes(KERNEL)


def check(image: Image) -> None:
    """Whether a domain can boot this with the memory that it begins with.

    Raises:
        HypervisorError: as `Hypervisor.build` says.
    """
    if image.machine is not None:  # its firmware boots, or a device model, whose files are not looked at
        _check_machine(image.machine, image.memory_kib)
        return
    size = _size(image.kernel, is_kernel=True)
    if image.ramdisk is not None:
        size += _size(image.ramdisk, is_kernel=False)
    if size > image.memory_kib * 1024:
        raise HypervisorError(
            errno.ENOMEM,
            f"kernel and ramdisk ({-(-size // 1024)} KiB) do not fit {image.memory_kib} KiB of memory",
        )


def _check_machine(machine: Machine, memory_kib: int) -> None:
    if memory_kib - machine.video_kib < _MACHINE_MIN_KIB:
        raise HypervisorError(
            errno.ENOMEM, f"{memory_kib} KiB of memory: its graphics card takes {machine.video_kib}"
        )


def _size(path: str, is_kernel: bool) -> int:
    try:
        with open(path, "rb", opener=_open) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise HypervisorError(errno.EINVAL, f"{path} is no regular file")
            beginning, size = file.read(_BZIMAGE_AT + len(_BZIMAGE)), status.st_size
    except OSError as error:
        number = errno.EINVAL if error.errno == errno.EISDIR else error.errno or errno.EIO
        raise HypervisorError(number, f"{path}: {error.strerror or error}") from error
    if is_kernel and not (beginning.startswith(_MAGIC) or beginning[_BZIMAGE_AT:] == _BZIMAGE):
        raise HypervisorError(errno.ENOEXEC, f"{path} is no kernel: neither ELF, compressed ELF nor bzImage")
    return size


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not hold up the host
