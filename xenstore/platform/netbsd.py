"""NetBSD as dom0: /dev/xenevt, /kern/xen/privcmd, /dev/xsd_kva, /kern/xen/xsd_port.

Unlike Linux: results of an ioctl are in its structure; privcmd maps grants too; a page is mapped into the
place of an anonymous one that the caller made, and munmap(2) alone ends it; /dev/xenevt has no kqueue.
Nothing of dom0's backends attaches before dom0's own port was notified once: `Rings` does when it connects
the ring.  MMAPBATCH_V2 and the grant ioctls need NetBSD 9.1.
Numbers and layouts: ring-and-boot.md 3 (sys/arch/xen/include/xenio.h, xenio3.h, LP64); the rest: netbsd.md 1.
Why ioctls and no library: see `xenstore.platform.xen`.
"""

import errno
import os
import struct

from xenstore.platform import Page, PlatformError
from xenstore.platform.devices import Devices, EventDevice, ForeignPages
from xenstore.platform.hypercalls import PAGE_SIZE, Hypercalls
from xenstore.platform.mapping import Mapping
from xenstore.platform.xen import XenPlatform

XENEVT = "/dev/xenevt"
PRIVCMD = "/kern/xen/privcmd"
XSD_KVA = "/dev/xsd_kva"
XSD_PORT = "/kern/xen/xsd_port"

EVTCHN_BIND_VIRQ = 0xC0084504
EVTCHN_BIND_INTERDOMAIN = 0xC00C4505
EVTCHN_UNBIND = 0x80044507
EVTCHN_NOTIFY = 0x80044508
EVTCHN_RESET = 0x20004509
PRIVCMD_HYPERCALL = 0xC0385000
PRIVCMD_MMAPBATCH_V2 = 0x80205006
GNTDEV_MMAP_GRANT_REF = 0x80285008

#: virq, port (out).
_VIRQ = struct.Struct("=II")
#: remote_domain, remote_port, port (out).
_INTERDOMAIN = struct.Struct("=III")
#: op, arg[5], retval (out).
_HYPERCALL = struct.Struct("=6Qq")
#: count, pad, va, notify.{offset, action, port}, refs.
_MAP_GRANT = struct.Struct("=IIQqIIQ")
#: domid, ref.
_REFERENCE = struct.Struct("=II")
_REFERENCE_AT = 3088


DEVICE_NODES = "make the device nodes (cd /dev && sh MAKEDEV xen)"
KERNFS = "mount kernfs (mount -t kernfs kernfs /kern), and run in dom0"
REMEDIES = {XSD_KVA: DEVICE_NODES, XSD_PORT: KERNFS}


class NetBSDHypercalls(Hypercalls):
    """NetBSD."""

    device = PRIVCMD
    remedy = KERNFS

    def __call__(self, number: int, *arguments: int) -> int:
        request = bytearray(_HYPERCALL.pack(number, *arguments, *[0] * (5 - len(arguments)), 0))
        self._system.ioctl(self.fd, PRIVCMD_HYPERCALL, request)
        return int(_HYPERCALL.unpack(request)[6])

    def _allocate(self, size: int) -> Mapping:
        return self._system.allocate(size, locked=True)


class NetBSDEvents(EventDevice):
    device = XENEVT
    remedy = DEVICE_NODES
    notify_number = EVTCHN_NOTIFY
    unbind_number = EVTCHN_UNBIND
    reset_number = EVTCHN_RESET
    poll_only = True

    def bind_interdomain(self, domid: int, remote_port: int) -> int:
        request = bytearray(_INTERDOMAIN.pack(domid, remote_port, 0))
        self._system.ioctl(self._fd, EVTCHN_BIND_INTERDOMAIN, request)
        return int(_INTERDOMAIN.unpack(request)[2])

    def bind_virq(self, virq: int) -> int:
        request = bytearray(_VIRQ.pack(virq, 0))
        self._system.ioctl(self._fd, EVTCHN_BIND_VIRQ, request)
        return int(_VIRQ.unpack(request)[1])


class NetBSDPages(ForeignPages):
    """NetBSD 9.1 or later: privcmd maps all."""

    batch_number = PRIVCMD_MMAPBATCH_V2

    def map_grant(self, domid: int, reference: int) -> Mapping:
        base = self._hypercalls.page.address
        with memoryview(self._hypercalls.page) as page:
            _REFERENCE.pack_into(page, _REFERENCE_AT, domid, reference)
        memory = self._system.allocate(PAGE_SIZE)
        request = bytearray(_MAP_GRANT.pack(1, 0, memory.address, 0, 0, 0, base + _REFERENCE_AT))
        try:
            self._system.ioctl(self._hypercalls.fd, GNTDEV_MMAP_GRANT_REF, request)
        except OSError:
            memory.close()
            raise
        return memory

    def close(self) -> None:
        """Nothing: privcmd is the hypercalls' device, too."""

    def _place_for_frame(self) -> Mapping:
        return self._system.allocate(PAGE_SIZE)


DEVICES = Devices(NetBSDHypercalls, NetBSDEvents, NetBSDPages)


class NetBSDPlatform(XenPlatform):
    """NetBSD 9.1 or later."""

    name = "NetBSD"
    devices = DEVICES

    def map_own_page(self) -> tuple[Page, int] | None:
        path = XSD_PORT
        try:
            port = self._read_number(XSD_PORT)
            path = XSD_KVA
            fd = self._system.open(XSD_KVA, os.O_RDWR)
            try:
                return self._system.map(fd, PAGE_SIZE), port
            finally:
                self._system.close(fd)
        except PlatformError:
            raise
        except OSError as error:
            raise PlatformError(
                error.errno or errno.EIO, f"{path}: {error.strerror}; {REMEDIES[path]}"
            ) from error
