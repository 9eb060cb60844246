"""Linux as dom0: /dev/xen/{evtchn,gntdev,privcmd}, /proc/xen.

Numbers and layouts: ring-and-boot.md 3 (include/uapi/xen/{evtchn,gntdev,privcmd}.h,
drivers/xen/xenbus/xenbus_dev_backend.c).
Why ioctls and no library: see `xenstore.platform.xen`.
"""

import errno
import os
import struct

from xenstore._system import System
from xenstore.platform import Page, PlatformError
from xenstore.platform.devices import PORT, Devices, EventDevice, ForeignPages
from xenstore.platform.hypercalls import PAGE_SIZE, Hypercalls, open_device
from xenstore.platform.mapping import Mapping
from xenstore.platform.xen import XenPlatform

EVTCHN = "/dev/xen/evtchn"
GNTDEV = "/dev/xen/gntdev"
PRIVCMD = "/dev/xen/privcmd"
HYPERCALL_BUFFER = "/dev/xen/hypercall"
XENBUS_BACKEND = "/dev/xen/xenbus_backend"
XSD_KVA = "/proc/xen/xsd_kva"
XSD_PORT = "/proc/xen/xsd_port"

EVTCHN_BIND_VIRQ = 0x00044500
EVTCHN_BIND_INTERDOMAIN = 0x00084501
EVTCHN_UNBIND = 0x00044503
EVTCHN_NOTIFY = 0x00044504
EVTCHN_RESET = 0x00004505
PRIVCMD_HYPERCALL = 0x00305000
PRIVCMD_MMAPBATCH_V2 = 0x00205004
GNTDEV_MAP_GRANT_REF = 0x00184700
GNTDEV_UNMAP_GRANT_REF = 0x00104701
XENBUS_BACKEND_EVTCHN = 0x00004200

_INTERDOMAIN = struct.Struct("=II")
_HYPERCALL = struct.Struct("=6Q")
#: count, pad, index (out), then the references: domid, ref.
_MAP_GRANT = struct.Struct("=IIQII")
_INDEX_AT = 8
#: index, count, pad.
_UNMAP_GRANT = struct.Struct("=QII")


class LinuxHypercalls(Hypercalls):
    """Linux 3.3 or later."""

    device = PRIVCMD
    remedy = "load the kernel module xen-privcmd (modprobe xen-privcmd)"

    def __call__(self, number: int, *arguments: int) -> int:
        request = bytearray(_HYPERCALL.pack(number, *arguments, *[0] * (5 - len(arguments))))
        return self._system.ioctl(self.fd, PRIVCMD_HYPERCALL, request)

    def _allocate(self, size: int) -> Mapping:
        """The kernel's own memory for this, of which an opener has 64 pages; else, and before 4.18, locked
        pages, which the kernel may still move."""
        try:
            return map_device(self._system, HYPERCALL_BUFFER, size)
        except OSError:
            return self._system.allocate(size, locked=True)


class LinuxEvents(EventDevice):
    device = EVTCHN
    remedy = "load the kernel module xen-evtchn (modprobe xen-evtchn)"
    notify_number = EVTCHN_NOTIFY
    unbind_number = EVTCHN_UNBIND
    reset_number = EVTCHN_RESET

    def bind_interdomain(self, domid: int, remote_port: int) -> int:
        request = bytearray(_INTERDOMAIN.pack(domid, remote_port))
        return self._system.ioctl(self._fd, EVTCHN_BIND_INTERDOMAIN, request)

    def bind_virq(self, virq: int) -> int:
        return self._system.ioctl(self._fd, EVTCHN_BIND_VIRQ, bytearray(PORT.pack(virq)))


class LinuxPages(ForeignPages):
    batch_number = PRIVCMD_MMAPBATCH_V2

    def __init__(self, hypercalls: Hypercalls, system: System) -> None:
        super().__init__(hypercalls, system)
        self._grants: dict[int, int] = {}  # gntdev's index of a page, by its address
        remedy = "load the kernel module xen-gntdev (modprobe xen-gntdev)"
        self._gntdev = open_device(system, GNTDEV, remedy)

    def map_grant(self, domid: int, reference: int) -> Mapping:
        """The ioctl only reserves an index; mmap at that offset maps the grant, and fails if it is bad."""
        request = bytearray(_MAP_GRANT.pack(1, 0, 0, domid, reference))
        self._system.ioctl(self._gntdev, GNTDEV_MAP_GRANT_REF, request)
        (index,) = struct.unpack_from("=Q", request, _INDEX_AT)
        try:
            memory = self._system.map(self._gntdev, PAGE_SIZE, index)
        except OSError:
            self._forget_grant(index)
            raise
        self._grants[memory.address] = index
        return memory

    def unmap(self, page: Mapping) -> None:
        index = self._grants.pop(page.address, None)
        page.close()
        if index is not None:
            self._forget_grant(index)

    def close(self) -> None:
        self._grants.clear()  # the kernel forgets them with what is still mapped
        self._system.close(self._gntdev)

    def _forget_grant(self, index: int) -> None:
        request = bytearray(_UNMAP_GRANT.pack(index, 1, 0))
        self._system.ioctl(self._gntdev, GNTDEV_UNMAP_GRANT_REF, request)

    def _place_for_frame(self) -> Mapping:
        return self._system.map(self._hypercalls.fd, PAGE_SIZE)


DEVICES = Devices(LinuxHypercalls, LinuxEvents, LinuxPages)


class LinuxPlatform(XenPlatform):
    """Linux 3.3 or later."""

    name = "Linux"
    devices = DEVICES

    def map_own_page(self) -> tuple[Page, int] | None:
        """From /proc/xen where xenfs is mounted there, else from the device that has the same to give."""
        try:
            if self._system.exists(XSD_PORT):
                return map_device(self._system, XSD_KVA), self._read_number(XSD_PORT)
            return map_device(self._system, XENBUS_BACKEND), self._backend_port()
        except PlatformError:
            raise
        except OSError as error:
            raise PlatformError(
                error.errno or errno.EIO,
                f"{XSD_KVA}, {XSD_PORT}, {XENBUS_BACKEND}: {error.strerror}; "
                "mount xenfs (mount -t xenfs xenfs /proc/xen), and run in dom0",
            ) from error

    def _backend_port(self) -> int:
        fd = self._system.open(XENBUS_BACKEND, os.O_RDWR)
        try:
            return self._system.ioctl(fd, XENBUS_BACKEND_EVTCHN, bytearray())
        finally:
            self._system.close(fd)


def map_device(system: System, path: str, size: int = PAGE_SIZE) -> Mapping:
    """The pages behind a device file; raises OSError."""
    fd = system.open(path, os.O_RDWR)
    try:
        return system.map(fd, size)
    finally:
        system.close(fd)
