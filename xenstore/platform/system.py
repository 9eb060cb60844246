"""The system calls on which the platforms of real hosts stand; tests put a kernel of their own here."""

import fcntl
import os
from typing import Protocol

from xenstore._memory import Memory


class Mapping(Protocol):
    """Mapped memory, a writable buffer (see `xenstore._memory.Memory`)."""

    @property
    def address(self) -> int: ...

    def close(self) -> None: ...

    def __buffer__(self, flags: int, /) -> memoryview: ...


class System:
    """This machine's kernel.  Every method raises OSError as the call does."""

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def open(self, path: str, flags: int) -> int:
        return os.open(path, flags)

    def close(self, fd: int) -> None:
        os.close(fd)

    def read(self, fd: int, size: int) -> bytes:
        return os.read(fd, size)

    def write(self, fd: int, data: bytes) -> int:
        return os.write(fd, data)

    def ioctl(self, fd: int, number: int, argument: bytearray) -> int:
        """The call's result; what the kernel wrote is in `argument`."""
        result: int = fcntl.ioctl(fd, number, argument)
        return result

    def map(self, fd: int, size: int, offset: int = 0) -> Mapping:
        """Pages of a device, shared and writable."""
        return Memory(fd, size, offset)

    def allocate(self, size: int, *, locked: bool = False) -> Mapping:
        """New pages, shared; locked: never paged out, as what a hypercall points to must be."""
        return Memory(-1, size, 0, locked)
