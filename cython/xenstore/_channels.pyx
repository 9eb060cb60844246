# cython: language_level=3, boundscheck=False, wraparound=False
"""Event channels: the ports that fire here, and those that are made to fire there.

Compiled, as every request on a ring passes through it twice; in a guest's round trip the interpreter would be
most of what there is to fetch into the processor's caches.
"""

import errno

cimport cython
from libc.stdint cimport uint32_t
from libc.string cimport memcpy


cdef class Channels:
    """The contract; of these themselves none ever fires.  Ports are this host's own (local) ones; nothing blocks."""

    cpdef list pending(self):
        """The ports that have fired since, each once, and silent until `unmask`; None: some were lost, and all
        that are bound may have fired."""
        return []

    cpdef unmask(self, list ports):
        """Let ports that were reported fire again; those that were closed meanwhile do not matter."""

    cpdef notify(self, int port):
        """Make the other end's port fire; whether it is still there does not matter.

        Raises:
            OSError: the host refused.
        """


@cython.final
cdef class DeviceChannels(Channels):
    """Those of a device file: a read gives ports, each masked then; a write unmasks; an ioctl notifies.

    reset_number: the ioctl that ends an overflow of the device's queue.

    Source: Linux drivers/xen/evtchn.c; NetBSD sys/arch/xen/xen/xenevt.c, which reads what is written as 16-bit
    words: the upper half of a port is port 0 to it, which is nobody's.
    """

    def __init__(self, System system not None, int fd, unsigned long notify_number, unsigned long reset_number):
        self.system = system
        self.fd = fd
        self.notify_number = notify_number
        self.reset_number = reset_number
        self.argument = bytearray(sizeof(uint32_t))

    cpdef list pending(self):
        cdef bytes data
        try:
            data = self.system.read(self.fd, 4096)
        except BlockingIOError:
            return []
        except OSError as error:
            if error.errno != errno.EFBIG:
                raise
            self.system.ioctl(self.fd, self.reset_number, bytearray())
            return None
        cdef const uint32_t *ports = <const uint32_t *><const char *>data
        return [ports[i] for i in range(len(data) // <Py_ssize_t>sizeof(uint32_t))]

    cpdef unmask(self, list ports):
        cdef bytearray data = bytearray(len(ports) * sizeof(uint32_t))
        cdef uint32_t *at = <uint32_t *><char *>data
        cdef Py_ssize_t i
        for i in range(len(ports)):
            at[i] = ports[i]
        self.system.write(self.fd, bytes(data))

    cpdef notify(self, int port):
        cdef uint32_t number = port
        memcpy(<char *>self.argument, &number, sizeof(number))
        self.system.ioctl(self.fd, self.notify_number, self.argument)
