"""Calls to the hypervisor, through the device files that dom0's kernel has for them.

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
            self.page = self._argument_page()
        except OSError as error:
            self.close()
            raise Unavailable(
                f"no memory for hypercalls can be locked: {error.strerror}; xenstored must run as root"
            ) from error

    def close(self) -> None:
        self._system.close(self.fd)

    @abstractmethod
    def __call__(self, number: int, *arguments: int) -> int:
        """The hypervisor's result of a call with at most five arguments; raises OSError with its errno."""

    @abstractmethod
    def _argument_page(self) -> Mapping:
        """Raises OSError."""


def open_device(system: System, path: str, remedy: str, flags: int = 0) -> int:
    """A descriptor of a device file.

    Raises:
        Unavailable: it cannot be opened; the text says what to do.
    """
    try:
        return system.open(path, os.O_RDWR | flags)
    except PermissionError as error:
        raise Unavailable(f"{path}: {error.strerror}; xenstored must run as root") from error
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}; {remedy}") from error
