"""A kernel and a hypervisor at the system-call boundary, that hold the rules the real ones were seen to have.

What breaks a rule fails the test (AssertionError); what the kernel would refuse raises OSError.
"""

import ctypes
import errno
import mmap
import os
import select
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from xenstore._memory import Memory
from xenstore._system import System

PAGE_SIZE = 4096
VIRQ_DOM_EXC = 3

#: How deep Linux lets pollers watch each other; one more, and only poll(2) can wait.
_NESTED = 5


def refusal(number: int) -> OSError:
    return OSError(number, os.strerror(number))


_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mmap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_MAP_SHARED_FIXED = 0x11
_READ_WRITE = 3


class Shared:
    """A page that others may map.

    Attributes:
        page: as its owner sees it.
        gfn: its frame number.
    """

    def __init__(self, gfn: int) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._file.truncate(PAGE_SIZE)
        self.page = mmap.mmap(self._file.fileno(), PAGE_SIZE)
        self.gfn = gfn

    def map(self) -> Memory:
        return Memory(self._file.fileno(), PAGE_SIZE)

    def replace(self, address: int) -> None:
        """Map the page in place of what is mapped there."""
        fd = self._file.fileno()
        where = _LIBC.mmap(address, PAGE_SIZE, _READ_WRITE, _MAP_SHARED_FIXED, fd, 0)
        assert where == address, os.strerror(ctypes.get_errno())


class Domain(Shared):
    """A domain of the hypervisor, its store page, its console's, and what it left open for dom0."""

    def __init__(self, flags: int = 0, *, grant: bool = True) -> None:
        super().__init__(gfn=0xABC)
        self.console = Shared(gfn=0xABD)
        self.flags = flags
        self.has_grant = grant
        self.ports = {7}  # unbound ports that wait for dom0
        self.other_ports: dict[int, tuple[int, int]] = {}  # by number: state, and whose the other end is
        self.store_parameter: int | None = None  # a fully virtualised domain's
        self.handle = bytes(16)
        self.number = 0  # of all domains that ever were; since Xen 4.21


class Kernel(System):
    """The rules both systems share.

    Attributes:
        missing: paths that are not there.
        domains: by domid.
        bound: local port to what it is connected to: (domid, port) or "virq".
        notified: the ports notified, in order.
        masked: ports delivered and not unmasked yet.
        interface_version: the hypervisor's.
        hypervisor: who answers all hypercalls; None: this, which knows those of the store.
        lock_refused: the errno with which no more memory can be locked.
    """

    OWN_PORT = 4

    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.denied: dict[str, int] = {}
        self.domains = {0: Domain()}
        self.domains[0].ports = {self.OWN_PORT}
        self.virq_taken: int | None = None
        self.sysctl_refused: int | None = None
        self.domctl_refused: int | None = None
        self.interface_version = 0x15
        self.cpupools = [0]
        self.versions_asked: list[int] = []
        self.bound: dict[int, object] = {}
        self.masked: set[int] = set()
        self.queue: list[int] = []
        self.overflow = False
        self.notified: list[int] = []
        self.locked: set[int] = set()
        self.lock_refused: int | None = None
        self.hypervisor: Callable[..., int] | None = None
        self.made: list[Memory] = []
        self._next_port = 20
        self.files: dict[int, str] = {}
        self._pollers: list[select.epoll] = []
        self._pipe = os.pipe()
        os.set_blocking(self._pipe[0], False)

    # --- the world's side ---------------------------------------------------------------------------

    def fire(self, port: int) -> None:
        """The other end notifies: delivered unless masked, and then once."""
        assert port in self.bound
        if port not in self.masked and port not in self.queue:
            self.queue.append(port)
            os.write(self._pipe[1], b"\0")

    def lose_events(self) -> None:
        """All ports fire, and there is no room to say so: each is masked, as one that was delivered."""
        self.masked = set(self.bound)
        self.queue = []
        self.overflow = True
        os.write(self._pipe[1], b"\0")

    def reset_events(self) -> None:
        self.overflow = False
        with suppress(BlockingIOError):
            os.read(self._pipe[0], 4096)

    def end(self) -> None:
        for poller in self._pollers:
            poller.close()
        for fd in self._pipe:
            os.close(fd)

    # --- System -------------------------------------------------------------------------------------

    def exists(self, path: str) -> bool:
        return path in self.PATHS and path not in self.missing

    PATHS: frozenset[str] = frozenset()
    EVENTS = ""

    def open(self, path: str, flags: int) -> int:
        if path in self.denied:
            raise refusal(self.denied[path])
        if not self.exists(path):
            raise refusal(errno.ENOENT)
        if path == self.EVENTS:
            assert flags & os.O_NONBLOCK, "a read of events must not block"
            assert flags & os.O_ACCMODE == os.O_RDWR
            fd = self._events_descriptor()
        else:
            fd = os.open(os.devnull, os.O_RDWR)
        self.files[fd] = path
        return fd

    def _events_descriptor(self) -> int:
        return os.dup(self._pipe[0])

    def close(self, fd: int) -> None:
        if self.files.pop(fd) == self.EVENTS:
            self.bound.clear()  # as the last close does
        os.close(fd)

    def read(self, fd: int, size: int) -> bytes:
        path = self.files[fd]
        if path != self.EVENTS:
            return self.text(path)[:size]
        assert size % 4 == 0
        if self.overflow:
            raise refusal(errno.EFBIG)
        if not self.queue:
            raise BlockingIOError(errno.EAGAIN, "")
        ports, self.queue = self.queue, []
        os.read(self._pipe[0], 4096)
        for poller in self._pollers:
            poller.poll(0)
        self.masked.update(ports)
        return struct.pack(f"={len(ports)}I", *ports)

    def write(self, fd: int, data: bytes) -> int:
        assert self.files[fd] == self.EVENTS
        for (port,) in struct.iter_unpack("=I", data):
            assert port in self.masked, f"port {port} was not delivered"
            self.masked.remove(port)
        return len(data)

    def text(self, path: str) -> bytes:
        assert path.endswith("xsd_port"), path
        return b"%d\n" % self.OWN_PORT

    def allocate(self, size: int, *, locked: bool = False) -> Memory:
        if locked and self.lock_refused is not None:
            raise refusal(self.lock_refused)
        return self._anonymous(size, locked)

    def _anonymous(self, size: int, locked: bool) -> Memory:
        assert size % PAGE_SIZE == 0
        memory = Memory(-1, size)
        self.made.append(memory)
        if locked:
            self.locked.add(memory.address)
        return memory

    # --- event channels -----------------------------------------------------------------------------

    def bind_interdomain(self, domid: int, remote_port: int) -> int:
        if domid not in self.domains:
            raise refusal(errno.ESRCH)
        if remote_port not in self.domains[domid].ports or (domid, remote_port) in self.bound.values():
            raise refusal(errno.EINVAL)
        return self._new_port((domid, remote_port))

    def bind_virq(self, virq: int) -> int:
        assert virq == VIRQ_DOM_EXC
        if self.virq_taken is not None:
            raise refusal(self.virq_taken)
        return self._new_port("virq")

    def unbind(self, port: int) -> None:
        if port not in self.bound:
            raise refusal(errno.ENOTCONN)
        del self.bound[port]
        self.masked.discard(port)

    def notify(self, port: int) -> None:
        if port not in self.bound:
            raise refusal(errno.ENOTCONN)
        self.notified.append(port)

    def _new_port(self, other: object) -> int:
        self._next_port += 1
        self.bound[self._next_port] = other
        return self._next_port

    # --- the hypervisor -----------------------------------------------------------------------------

    def hypercall(self, number: int, *arguments: int) -> int:
        """What the hypervisor is asked; the last argument points to the rest."""
        if self.hypervisor is not None:
            return self.hypervisor(number, *arguments)
        operation, argument, *unused = arguments if number in (32, 34) else (0, *arguments)
        assert not any(unused)
        assert self.reaches(argument, 1), "the hypervisor may not reach this"
        match number:
            case 32:
                self.event_channel_op(operation, argument)
            case 34:
                self.hvm_op(operation, argument)
            case 35:
                self.sysctl(argument)
            case 36:
                self.domctl(argument)
            case _:
                raise refusal(errno.ENOSYS)
        return 0

    def reaches(self, address: int, size: int) -> bool:
        """Whether the hypervisor may touch all of some memory."""
        return any(
            memory.address in self.locked
            and memory.address <= address
            and address + size <= memory.address + memory.size
            for memory in self.made
            if memory.address
        )

    def sysctl(self, argument: int) -> None:
        """XEN_SYSCTL_getdomaininfolist, of one domain; XEN_SYSCTL_cpupool_op."""
        request = struct.Struct("=IIH2xIQI")
        cmd, version, first, count, buffer, _ = request.unpack(ctypes.string_at(argument, request.size))
        self.versions_asked.append(version)
        if version != self.interface_version:
            raise refusal(errno.EACCES)
        if self.sysctl_refused is not None:
            raise refusal(self.sysctl_refused)
        if cmd == 18:
            self.cpupool_op(argument)
            return
        assert (cmd, count) == (6, 1)
        found = [domid for domid in sorted(self.domains) if domid >= first][:1]
        poke(argument, request.pack(cmd, version, first, count, buffer, len(found)))
        assert 136 <= buffer - argument <= PAGE_SIZE - 256, "would overwrite the question, or leave the page"
        for domid in found:
            answer = struct.pack("=HHI", domid, 0xDEAD, self.domains[domid].flags).ljust(76, b"\xff")
            poke(buffer, (answer + self.domains[domid].handle).ljust(256, b"\xff"))

    def cpupool_op(self, argument: int) -> None:
        """INFO: the next pool; its CPUs are told, too."""
        operation, first, *_, bitmap, bits = struct.unpack("=6IQI", ctypes.string_at(argument + 8, 36))
        assert operation == 3
        pool = min((pool for pool in self.cpupools if pool >= first), default=None)
        if pool is None:
            raise refusal(errno.ENOENT)
        poke(argument + 12, struct.pack("=I", pool))
        assert 44 <= bitmap - argument <= PAGE_SIZE - bits // 8
        poke(bitmap, b"\xff" * (bits // 8))

    def domctl(self, argument: int) -> None:
        """XEN_DOMCTL_get_domain_state, where the hypervisor has it."""
        cmd, version, domid, *zeros = struct.unpack("=IIH6xHHIQ", ctypes.string_at(argument, 32))
        assert (cmd, version, zeros) == (90, 0, [0] * 4)
        if self.interface_version < 0x17:
            raise refusal(errno.EACCES)
        if self.domctl_refused is not None:
            raise refusal(self.domctl_refused)
        if domid not in self.domains:
            raise refusal(errno.ESRCH)
        poke(argument + 16, struct.pack("=HHIQ", 1, 0, 0, self.domains[domid].number))

    def event_channel_op(self, operation: int, argument: int) -> None:
        """EVTCHNOP_status."""
        domid, port = struct.unpack("=H2xI16x", ctypes.string_at(argument, 24))
        assert operation == 5
        if domid not in self.domains:
            raise refusal(errno.ESRCH)
        if port == 0 or port > 4096:
            raise refusal(errno.EINVAL)
        domain = self.domains[domid]
        taken = (2, 0) if (domid, port) in self.bound.values() else (1, 0)
        state, other = taken if port in domain.ports else domain.other_ports.get(port, (0, 0))
        poke(argument, struct.pack("=HHIIIH", domid, 0, port, state, 0xDEAD, other))

    def hvm_op(self, operation: int, argument: int) -> None:
        """HVMOP_get_param."""
        domid, index, _ = struct.unpack("=H2xIQ", ctypes.string_at(argument, 16))
        assert (operation, index) == (1, 2)
        if domid not in self.domains or self.domains[domid].store_parameter is None:
            raise refusal(errno.EINVAL)
        poke(argument + 8, struct.pack("=Q", self.domains[domid].store_parameter))

    # --- mappings -----------------------------------------------------------------------------------

    def map_frame(self, request: bytearray) -> None:
        """MMAPBATCH_V2, into a mapping made before; an error of one page is told in err[] only."""
        number, domid, address, frames, errors = struct.unpack("=IH2xQQQ", request)
        assert number == 1
        (frame,) = struct.unpack("=Q", ctypes.string_at(frames, 8))
        if domid not in self.domains:
            raise refusal(errno.ESRCH)
        domain = self.domains[domid]
        pages = {shared.gfn: shared for shared in (domain, domain.console)}
        if frame not in pages:
            poke(errors, struct.pack("=i", -errno.EINVAL))
            return
        poke(errors, struct.pack("=i", 0))
        pages[frame].replace(address)

    def granted(self, domid: int, reference: int) -> Shared:
        assert reference in (0, 1), "GNTTAB_RESERVED_CONSOLE, _XENSTORE"
        if domid not in self.domains or not self.domains[domid].has_grant:
            raise refusal(errno.EINVAL)
        return self.domains[domid] if reference else self.domains[domid].console


def poke(address: int, data: bytes) -> None:
    ctypes.memmove(address, data, len(data))


class LinuxKernel(Kernel):
    """ioctl results are the calls' own; gntdev gives an index to map at; privcmd maps its own mmap."""

    EVENTS = "/dev/xen/evtchn"
    PATHS = frozenset(
        {
            EVENTS,
            "/dev/xen/gntdev",
            "/dev/xen/privcmd",
            "/dev/xen/hypercall",
            "/dev/xen/xenbus_backend",
            "/proc/xen",
            "/proc/xen/xsd_kva",
            "/proc/xen/xsd_port",
        }
    )

    def __init__(self) -> None:
        super().__init__()
        self.grants: dict[int, tuple[int, int]] = {}  # index to domid and reference
        self.mapped_grants: dict[int, Memory] = {}
        self._next_index = 0

    def map(self, fd: int, size: int, offset: int = 0) -> Memory:
        path = self.files[fd]
        if path == "/dev/xen/hypercall":
            assert offset == 0
            return self._anonymous(size, locked=True)
        assert size == PAGE_SIZE
        if path in ("/proc/xen/xsd_kva", "/dev/xen/xenbus_backend"):
            return self.domains[0].map()
        if path == "/dev/xen/gntdev":
            memory = self.granted(*self.grants[offset]).map()
            self.mapped_grants[offset] = memory
            return memory
        assert offset == 0
        return self._anonymous(size, locked=False)

    def ioctl(self, fd: int, number: int, argument: bytearray) -> int:
        path = self.files[fd]
        assert len(argument) == number >> 16, f"{number:#x} takes {number >> 16} bytes"
        words = struct.unpack(f"={len(argument) // 4}I", argument)
        match path, number:
            case "/dev/xen/evtchn", 0x00044500:
                return self.bind_virq(words[0])
            case "/dev/xen/evtchn", 0x00084501:
                return self.bind_interdomain(words[0], words[1])
            case "/dev/xen/evtchn", 0x00044503:
                self.unbind(words[0])
            case "/dev/xen/evtchn", 0x00044504:
                self.notify(words[0])
            case "/dev/xen/evtchn", 0x00004505:
                self.reset_events()
            case "/dev/xen/privcmd", 0x00305000:
                return self.hypercall(*struct.unpack("=6Q", argument))
            case "/dev/xen/privcmd", 0x00205004:
                self.map_frame(argument)
            case "/dev/xen/gntdev", 0x00184700:
                assert words[0] == 1
                self._next_index += PAGE_SIZE
                self.grants[self._next_index] = words[4], words[5]
                struct.pack_into("=Q", argument, 8, self._next_index)
            case "/dev/xen/gntdev", 0x00104701:
                (index,) = struct.unpack_from("=Q", argument)
                if index in self.mapped_grants:
                    assert self.mapped_grants.pop(index).address == 0, "munmap comes first"
                del self.grants[index]
            case "/dev/xen/xenbus_backend", 0x00004200:
                return self.OWN_PORT
            case _:
                raise refusal(errno.ENOTTY)
        return 0


class NetBSDKernel(Kernel):
    """ioctls return 0, results are in the structure; mappings go in place of anonymous ones."""

    EVENTS = "/dev/xenevt"
    PATHS = frozenset({EVENTS, "/dev/xsd_kva", "/kern/xen", "/kern/xen/privcmd", "/kern/xen/xsd_port"})

    def __init__(self) -> None:
        super().__init__()
        self.anonymous: set[int] = set()

    def _events_descriptor(self) -> int:
        """poll(2) sees what is in the pipe; no poller takes this descriptor, as none takes xenevt."""
        inner = self._pipe[0]
        for _ in range(_NESTED):
            outer = select.epoll()
            outer.register(inner, select.EPOLLIN)
            self._pollers.append(outer)
            inner = outer.fileno()
        return os.dup(inner)

    def allocate(self, size: int, *, locked: bool = False) -> Memory:
        memory = super().allocate(size, locked=locked)
        self.anonymous.add(memory.address)
        return memory

    def map(self, fd: int, size: int, offset: int = 0) -> Memory:
        assert self.files[fd] == "/dev/xsd_kva", "privcmd has no mmap"
        assert (size, offset) == (PAGE_SIZE, 0)
        return self.domains[0].map()

    def ioctl(self, fd: int, number: int, argument: bytearray) -> int:
        path = self.files[fd]
        size = number >> 16 & 0x1FFF
        assert len(argument) == size, f"{number:#x} takes {size} bytes"
        words = struct.unpack(f"={size // 4}I", argument)
        match path, number:
            case "/dev/xenevt", 0xC0084504:
                struct.pack_into("=I", argument, 4, self.bind_virq(words[0]))
            case "/dev/xenevt", 0xC00C4505:
                struct.pack_into("=I", argument, 8, self.bind_interdomain(words[0], words[1]))
            case "/dev/xenevt", 0x80044507:
                self.unbind(words[0])
            case "/dev/xenevt", 0x80044508:
                self.notify(words[0])
            case "/dev/xenevt", 0x20004509:
                self.reset_events()
            case "/kern/xen/privcmd", 0xC0385000:
                result = self.hypercall(*struct.unpack("=6Q8x", argument))
                struct.pack_into("=q", argument, 48, result)
            case "/kern/xen/privcmd", 0x80205006:
                assert struct.unpack_from("=Q", argument, 8)[0] in self.anonymous, "mmap comes first"
                self.map_frame(argument)
            case "/kern/xen/privcmd", 0x80285008:
                self._map_grant(argument)
            case _:
                raise refusal(errno.ENOTTY)
        return 0

    def _map_grant(self, argument: bytearray) -> None:
        count, _, address, _, action, _, references = struct.unpack("=IIQqIIQ", argument)
        assert (count, action) == (1, 0)
        assert address in self.anonymous, "mmap comes first"
        domid, reference = struct.unpack("=II", ctypes.string_at(references, 8))
        self.granted(domid, reference).replace(address)


@contextmanager
def running(kind: type[Kernel]) -> Iterator[Kernel]:
    kernel = kind()
    try:
        yield kernel
    finally:
        kernel.end()
