"""What NetBSD's kernel and its programs are asked of disks; a test puts another in its place."""

import ctypes
import fcntl
import os
import struct
import subprocess
from abc import ABC, abstractmethod

#: Where the programs are; nothing else of the environment reaches them.
ENVIRONMENT = {"PATH": "/sbin:/usr/sbin:/bin:/usr/bin", "LC_ALL": "C"}
PROGRAM_SECONDS = 10.0
#: struct kinfo_drivers: d_cmajor, d_bmajor, d_name.
_DRIVER = struct.Struct("=ii24s")
#: Of x86, where the kernel does not say.
RAW_PARTITION = 3


class Kernel(ABC):
    """The questions."""

    @abstractmethod
    def stat(self, path: str) -> os.stat_result:
        """stat(2)."""

    @abstractmethod
    def drivers(self) -> list[tuple[str, int, int]]:
        """Name, major of character nodes, major of block nodes (-1: it has none)."""

    @abstractmethod
    def raw_partition(self) -> int:
        """The partition that is the whole disk, getrawpartition(3): 3 is "d"."""

    @abstractmethod
    def ask(self, node: str, request: int, argument: bytes) -> bytes | None:
        """An ioctl on a node of /dev; None: there is no such node, or it does not know."""

    @abstractmethod
    def run(self, *argv: str) -> str:
        """What a program prints; nothing if it is missing, fails or does not end."""


class NetBSDKernel(Kernel):
    """The one that runs."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def stat(self, path: str) -> os.stat_result:
        return os.stat(path)

    def drivers(self) -> list[tuple[str, int, int]]:
        table = self._sysctl(b"kern.drivers")
        table = table[: len(table) // _DRIVER.size * _DRIVER.size]
        rows = _DRIVER.iter_unpack(table)
        return [(name.partition(b"\0")[0].decode("ascii", "replace"), c, b) for c, b, name in rows]

    def raw_partition(self) -> int:
        value = self._sysctl(b"kern.rawpartition")
        return struct.unpack("=i", value)[0] if len(value) == 4 else RAW_PARTITION

    def ask(self, node: str, request: int, argument: bytes) -> bytes | None:
        try:
            fd = os.open(f"/dev/{node}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            return fcntl.ioctl(fd, request, argument)
        except OSError:
            return None
        finally:
            os.close(fd)

    def run(self, *argv: str) -> str:
        try:
            return subprocess.run(
                argv,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="surrogateescape",
                timeout=PROGRAM_SECONDS,
            ).stdout
        except (OSError, subprocess.SubprocessError):
            return ""

    def _sysctl(self, name: bytes) -> bytes:
        """sysctlbyname(3); nothing where there is no such variable."""
        size = ctypes.c_size_t(0)
        if self._libc.sysctlbyname(name, None, ctypes.byref(size), None, 0):
            return b""
        value = ctypes.create_string_buffer(size.value)
        if self._libc.sysctlbyname(name, value, ctypes.byref(size), None, 0):
            return b""
        return value.raw[: size.value]
