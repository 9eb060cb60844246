"""A file without a name, by which a device model's state goes to it and comes from it.

qemu truncates what it is to write to, and takes nothing but a descriptor of a file that is open for writing
alone.  It may have been broken into, and keep that descriptor for as long as it lives: on Linux the file is
memory, and sealed once it has been written, so that nobody writes to it any more.
"""

import fcntl
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from xenstore.daemon.files import write_all

__all__ = ["Scratch", "copy", "seal", "sealable"]

_PIECE_BYTES = 1 << 20


class Scratch:
    """One, to be closed; it has no more than `limit_bytes` once it is sealed.

    Args:
        directory: where it is on a system that has no files in memory alone.

    Raises of all methods:
        OSError.
    """

    def __init__(self, directory: Path, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._is_sealed = False
        self._is_sealable = hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd")
        if self._is_sealable:
            self.fd = sealable("xend")
            os.fchmod(self.fd, 0o600)
            return
        self.fd, self._name = tempfile.mkstemp(dir=directory, prefix=".state-")

    def writable(self) -> int:
        """A descriptor for writing alone; once, and before it is sealed.  The caller closes it."""
        name = f"/proc/self/fd/{self.fd}" if self._is_sealable else self._name
        fd = os.open(name, os.O_WRONLY | os.O_CLOEXEC)
        self._unlink()
        return fd

    @property
    def size(self) -> int:
        """So many bytes it has."""
        return os.fstat(self.fd).st_size

    @property
    def is_too_long(self) -> bool:
        """Whether it has more than it may."""
        return self.size > self._limit_bytes

    def seal(self) -> None:
        """From here on nobody writes to it, where the system can have it so."""
        self._unlink()
        if self._is_sealable and not self._is_sealed:
            seal(self.fd)
            self._is_sealed = True

    def take(self, source: int, begins: int, length: int) -> None:
        """Have it hold a part of another file, and be at its beginning."""
        copy(source, begins, self.fd, length)
        os.lseek(self.fd, 0, os.SEEK_SET)

    def close(self) -> None:
        """Nothing is left of it."""
        self._unlink()
        os.close(self.fd)

    def _unlink(self) -> None:
        if not self._is_sealable:
            with suppress(FileNotFoundError):
                os.unlink(self._name)


def sealable(name: str) -> int:
    """A descriptor of an empty file in memory, which can be sealed; Linux."""
    return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def seal(fd: int) -> None:
    """From here on nobody writes to such a file, or changes its size."""
    seals = fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)


def copy(source: int, begins: int, target: int, length: int) -> None:
    """A part of a file to another one's place.

    Raises:
        OSError: it cannot be, or the source is shorter.
    """
    end = begins + length
    while begins < end:
        data = os.pread(source, min(_PIECE_BYTES, end - begins), begins)
        if not data:
            raise OSError(0, "the file has become shorter")
        begins += len(data)
        write_all(target, data)
