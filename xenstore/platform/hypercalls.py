"""Calls to the hypervisor, through the device files that dom0's kernel has for them.

What a call points to must be memory that the hypervisor can always reach: `Hypercalls.page`, or what
`Hypercalls.allocate` gives.
Source: xen/include/public/xen.h; the kernels' headers, see `xenstore.platform.linux` and `.netbsd`.
"""

import os
from abc import ABC, abstractmethod

from xenstore._system import System
from xenstore.platform import Unavailable
from xenstore.platform.mapping import Mapping

PAGE_SIZE = 4096


class Hypercalls(ABC):
    """An open device for hypercalls, and a page for their arguments.

    Attributes:
        fd: the device's descriptor, for other ioctls.
        page: memory that the hypervisor can always reach; whoever makes a call uses it from the start.

    Raises:
        Unavailable: there is no device, or no such memory; the text names the remedy.
    """

    #: The device file, and what provides it.
    device: str
    remedy: str

    def __init__(self, system: System) -> None:
        self._system = system
        self.fd = open_device(system, self.device, self.remedy)
        try:
            self.page = self.allocate(PAGE_SIZE)
        except Unavailable:
            self.close()
            raise

    def allocate(self, size: int) -> Mapping:
        """Memory of at least this size that the hypervisor can always reach, in whole pages.

        Raises:
            Unavailable: there is none; the text says what to do.
        """
        size = -(-size // PAGE_SIZE) * PAGE_SIZE
        try:
            return self._allocate(size)
        except OSError as error:
            raise Unavailable(
                f"{size >> 10} KiB for hypercalls cannot be locked in memory: {error.strerror}; "
                "this program must run as root, with enough of `ulimit -l` (RLIMIT_MEMLOCK)"
            ) from error

    def close(self) -> None:
        self._system.close(self.fd)

    @abstractmethod
    def __call__(self, number: int, *arguments: int) -> int:
        """The hypervisor's result of a call with at most five arguments; raises OSError with its errno."""

    @abstractmethod
    def _allocate(self, size: int) -> Mapping:
        """Whole pages; raises OSError."""


def open_device(system: System, path: str, remedy: str, flags: int = 0) -> int:
    """A descriptor of a device file.

    Raises:
        Unavailable: it cannot be opened; the text says what to do.
    """
    try:
        return system.open(path, os.O_RDWR | flags)
    except PermissionError as error:
        raise Unavailable(f"{path}: {error.strerror}; this program must run as root") from error
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}; {remedy}") from error
