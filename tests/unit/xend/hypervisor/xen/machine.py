"""A hypervisor at the hypercall boundary, on the kernels of tests/unit/platform/kernel.py.

Its layouts are written out here once more, from the headers of each release, so that a wrong one in the
product is seen.  What breaks a rule of the interface fails the test (AssertionError).
"""

import ctypes
import errno
import struct
import uuid
from typing import Any

from tests.unit.platform.kernel import Domain as KernelDomain
from tests.unit.platform.kernel import Kernel, poke, refusal

KIB_PER_PAGE = 4
PATTERN = 0xDEADBEEF
#: What may be emulated for a domain, by whether it has the processor's help.
EMULATED = {False: (0,), True: (1, 0x1FF, 0x3FF)}
#: By release: versions of domctl and sysctl; createdomain up to cpupool_id, and where that is (-1: nowhere);
#: the size of getdomaininfo; whether physinfo has arch_capabilities.
RELEASES: dict[tuple[int, int], tuple[int, int, str, int, int, bool]] = {
    (4, 15): (0x13, 0x13, "=I16s4I2iIII", -1, 104, False),
    (4, 16): (0x14, 0x14, "=I16s4I2iIIII", -1, 112, False),
    (4, 17): (0x15, 0x15, "=I16s4I2iIIIII", 10, 112, True),
    (4, 18): (0x16, 0x15, "=I16s4I2iIIIII", 10, 112, True),
    (4, 19): (0x17, 0x15, "=I16s4I2iIIIIII", 11, 112, True),
    (4, 20): (0x17, 0x15, "=I16s4I2iIIIIII", 11, 112, True),
    (4, 21): (0x17, 0x16, "=I16s4I2iIIIIII", 11, 112, True),
    (4, 22): (0x18, 0x16, "=I16s4I2iIIIIII", 11, 112, True),
}


class Vcpu:
    def __init__(self) -> None:
        self.online = self.blocked = self.running = self.is_held = False
        self.cpu_time = 0
        self.cpu = 0
        self.hard = self.soft = (1 << 64) - 1
        self.real_time = [10000, 4000, 0]


class Guest:
    """A domain as the hypervisor has it."""

    def __init__(self, domid: int, handle: bytes, *, hvm: bool = False) -> None:
        self.domid, self.handle, self.hvm = domid, handle, hvm
        self.created: tuple[Any, ...] = ()
        self.vcpus: list[Vcpu] = []
        self.pages = self.max_pages = self.outstanding = self.shared = 0
        self.pauses = 1
        self.reason: int | None = None
        self.dying = self.is_held = False
        self.pool = 0
        self.tsc_mode: int | None = None
        self.clock_offset_s = 0
        self.credit = [256, 0]
        self.given: list[tuple[Any, ...]] = []
        self.params: dict[int, int] = {}
        self.last_port = 2

    def build(self, pages: int) -> None:
        """What a helper does, seen from here."""
        self.pages, self.outstanding = pages, 0
        self.vcpus[0].online = True

    @property
    def flags(self) -> int:
        online = [vcpu for vcpu in self.vcpus if vcpu.online]
        reason = 0xFF if self.reason is None else self.reason
        return (
            self.dying
            | self.hvm << 1
            | (self.reason is not None) << 2
            | (self.pauses > 0) << 3
            | bool(online and all(vcpu.blocked for vcpu in online)) << 4
            | any(vcpu.running for vcpu in online) << 5
            | reason << 16
        )


class Machine:
    """The hypervisor; `kernel.hypervisor` once it is made.

    Attributes:
        refused: the errno with which a domctl or sysctl is refused, by "domctl" or "sysctl" and its number.
        again: how many times destroydomain is to be given again.
        free: pages that are.
        text: all that was ever written to the console; the last `ring` bytes of it are kept.
    """

    def __init__(self, kernel: Kernel, release: tuple[int, int] = (4, 17), cpus: int = 4) -> None:
        self.kernel = kernel
        kernel.hypervisor = self
        self.release = release
        self.domctl_version, self.sysctl_version, self.create, self.pool_at, self.info_size, self.arch = (
            RELEASES.get(release, RELEASES[4, 17])
        )
        self.cpus = cpus
        self.has_shadow = False  # Debian's build has none, whatever it says
        self.capabilities = 0b1011 | 3 << 8  # hvm, pv, hap; both grant tables
        self.total, self.free = 1 << 19, 1 << 17
        self.guests = {0: Guest(0, bytes(16))}
        dom0 = self.guests[0]
        dom0.vcpus = [Vcpu()]
        dom0.vcpus[0].online = dom0.vcpus[0].running = True
        dom0.pages = dom0.max_pages = 1 << 16
        dom0.pauses = 0
        self.pools: dict[int, list[Any]] = {0: [6, (1 << cpus) - 1]}
        self.kept_cpus = 0  # those that cannot be taken out of their pool just now
        self.next_domid = 1
        self.refused: dict[tuple[str, int], int] = {}
        self.again = 0
        self.calls: list[tuple[str, int]] = []
        self.text, self.ring, self.cleared = b"(XEN) hello\n", 16384, 0
        self.keys = b""
        self.timers: dict[int, int] = {}
        self.batch = 64
        self.schedules: dict[int, list[int]] = {}
        self.enforcing: bool | None = None  # None: there is no FLASK
        self.labels: list[str] = []
        self.labelled: list[tuple[Guest, int]] = []
        self.policy = b""
        self.hypfs: dict[str, tuple[int, bytes, int]] = {}  # type, contents, room
        self.has_hypfs = True
        self.device_nodes: dict[tuple[int, int, int], int] = {}
        self.cards: dict[int, int] | None = {}  # who has each function; None: there is no IOMMU
        self.card_calls: list[tuple[int, ...]] = []
        self.shared: tuple[int, int] | None = None  # pages saved and shared; None: Xen was built without
        self.shares_vcpus = 1  # how many vCPUs' parameters are taken at a time

    def guest(self, *, hvm: bool = False, vcpus: int = 2, pages: int = 4096, built: bool = True) -> Guest:
        """A domain that somebody else made."""
        domid = self.next_domid
        self.next_domid += 1
        guest = self.guests[domid] = Guest(domid, uuid.uuid4().bytes, hvm=hvm)
        self.kernel.domains[domid] = KernelDomain()
        self.kernel.domains[domid].ports = {1, 2}
        guest.vcpus = [Vcpu() for _ in range(vcpus)]
        guest.max_pages = pages + 256
        if built:
            guest.build(pages)
        return guest

    # --- the calls ------------------------------------------------------------------------------------------

    def __call__(self, number: int, *arguments: int) -> int:
        match number, arguments:
            case 12, (24, at, 0, 0, 0):
                return self.claim(*self.read(at, "=QQIIH"))
            case 12, (18 | 19 as command, 0, 0, 0, 0):
                if self.shared is None:
                    raise OSError(errno.ENOSYS, "not built with it")
                return self.shared[command - 18]
            case 17, (command, at, 0, 0, 0):
                return self.version(command, at)
            case 27, (at, 0, 0, 0, 0):
                return self.flask(at)
            case 42, (command, path_at, path_size, at, size):
                return self.hypfs_op(command, path_at, path_size, at, size)
            case 29, (4, at, 0, 0, 0):
                domid, _, reason = self.read(at, "=HHI")
                guest = self.alive(domid)
                if guest.reason is None:
                    guest.reason = reason
                return 0
            case 29, (6, at, 0, 0, 0):
                return self.watchdog(*self.read(at, "=II"))
            case 32, (6, at, 0, 0, 0):
                domid, remote, _ = self.read(at, "=HHI")
                assert remote == 0
                guest = self.alive(domid)
                guest.last_port += 1
                self.kernel.domains[domid].ports.add(guest.last_port)
                self.write(at + 4, struct.pack("=I", guest.last_port))
                return 0
            case 33, (13, at, 0, 0, 0):
                domid, _, kind, index, pirq, *_ = self.read(at, "=HHiiiiii4xQ")
                assert (kind, index) == (1, pirq)
                self.alive(domid).given.append(("pirq", index))
                return 0
            case 33, (14, at, 0, 0, 0):
                domid, _, pirq = self.read(at, "=HHi")
                self.alive(domid).given.append(("unmapped", pirq))
                return 0
            case 34, (0, at, 0, 0, 0):
                domid, _, index, value = self.read(at, "=HHIQ")
                self.alive(domid).params[index] = value
                return 0
            case 34, (1, at, 0, 0, 0):
                domid, _, index, _ = self.read(at, "=HHIQ")
                self.write(at + 8, struct.pack("=Q", self.alive(domid).params.get(index, 0)))
                return 0
            case 35, (at, 0, 0, 0, 0):
                command, version = self.read(at, "=II")
                self.admit("sysctl", command, version, self.sysctl_version)
                self.read(at, "=136s")
                return int(getattr(self, f"sysctl_{command}")(at + 8) or 0)
            case 36, (at, 0, 0, 0, 0):
                command, version, domid = self.read(at, "=IIH")
                self.admit("domctl", command, version, self.domctl_version)
                self.read(at, "=144s")
                if command == 1:
                    domid = self.createdomain(at + 16, domid)
                    self.write(at + 8, struct.pack("=H", domid))
                    return 0
                if command == 5:
                    return self.getdomaininfo(at, domid)
                if command in (37, 45, 47):
                    return self.card(command, domid, at + 16)
                return int(getattr(self, f"domctl_{command}")(self.alive(domid), at + 16) or 0)
            case _:
                raise AssertionError(f"hypercall {number} {arguments}")

    def admit(self, kind: str, command: int, version: int, own: int) -> None:
        self.calls.append((kind, command))
        if version != own:
            raise refusal(errno.EACCES)
        if (kind, command) in self.refused:
            raise refusal(self.refused[kind, command])

    def read(self, at: int, format: str) -> tuple[Any, ...]:
        size = struct.calcsize(format)
        assert self.kernel.reaches(at, size), "the hypervisor may not reach this"
        return struct.unpack(format, ctypes.string_at(at, size))

    def write(self, at: int, data: bytes) -> None:
        assert self.kernel.reaches(at, len(data)), "the hypervisor may not reach this"
        poke(at, data)

    def alive(self, domid: int) -> Guest:
        """Xen's: dying ones are found, too."""
        if domid not in self.guests:
            raise refusal(errno.ESRCH)
        return self.guests[domid]

    def claim(self, start: int, pages: int, order: int, flags: int, domid: int) -> int:
        assert (start, order, flags) == (0, 0, 0)
        guest = self.alive(domid)
        claimed = sum(each.outstanding for each in self.guests.values())
        if guest.outstanding or not guest.pages < pages <= guest.max_pages:
            raise refusal(errno.EINVAL)
        if pages - guest.pages > self.free - claimed:
            raise refusal(errno.ENOMEM)
        guest.outstanding = pages - guest.pages
        return 0

    def flask(self, at: int) -> int:
        command, version = self.read(at, "=II")
        self.read(at, "=40s")
        assert version == 1
        if self.enforcing is None:
            raise refusal(errno.ENOSYS)
        match command:
            case 1:
                where, size = self.read(at + 8, "=QI")
                (policy,) = self.read(where, f"={size}s")
                if policy[:4] != b"\x8c\xff\x7c\xf9":
                    raise refusal(errno.EINVAL)
                self.policy = policy
            case 2:
                return int(self.enforcing)
            case 3:
                self.enforcing = bool(self.read(at + 8, "=I")[0])
            case 4:
                _, size, where = self.read(at + 8, "=IIQ")
                (label,) = self.read(where, f"={size}s")
                if label.decode() not in self.labels:
                    raise refusal(errno.EINVAL)
                self.write(at + 8, struct.pack("=I", self.labels.index(label.decode()) + 1))
            case 5:
                number, size, where = self.read(at + 8, "=IIQ")
                if not 1 <= number <= len(self.labels):
                    raise refusal(errno.EINVAL)
                label = self.labels[number - 1].encode() + b"\0"
                self.write(at + 12, struct.pack("=I", len(label)))
                if len(label) > size:
                    raise refusal(errno.ERANGE)
                self.write(where, label)
            case 24:
                domid, number = self.read(at + 8, "=II")
                if number > len(self.labels):
                    raise refusal(errno.EINVAL)
                self.labelled.append((self.alive(domid), number))
        return 0

    def hypfs_op(self, command: int, path_at: int, path_size: int, at: int, size: int) -> int:
        if not self.has_hypfs:
            raise refusal(errno.ENOSYS)
        (path,) = self.read(path_at, f"={path_size}s")
        assert path[-1:] == b"\0"
        if path[:-1].decode() not in self.hypfs:
            raise refusal(errno.ENOENT)
        kind, contents, room = self.hypfs[path[:-1].decode()]
        if command == 1:
            self.write(at, struct.pack("=BBHII", kind, 0, 0, len(contents), room))
            if 12 + len(contents) > size:
                raise refusal(errno.ENOBUFS)
            self.write(at + 12, contents)
        else:
            assert command == 2
            assert size <= room
            self.hypfs[path[:-1].decode()] = kind, self.read(at, f"={size}s")[0], room
        return 0

    def version(self, command: int, at: int) -> int:
        texts = {1: b".9", 3: b"xen-3.0-x86_64 xen-3.0-x86_32p ", 4: b"", 9: b"placeholder dom0_mem=1G"}
        match command:
            case 0:
                return self.release[0] << 16 | self.release[1]
            case 2:
                self.write(at, struct.pack("=64s16s32s32s", b"gcc 12", b"someone", b"example.org", b"today"))
            case 5:
                self.write(at, struct.pack("=Q", 0xFFFF800000000000))
            case 7:
                return 4096
            case 10:
                (room,) = self.read(at, "=I")
                assert room >= 20
                self.write(at + 4, bytes(range(20)))
                return 20
            case _:
                self.write(at, texts[command] + b"\0")
        return 0

    def watchdog(self, timer: int, timeout: int) -> int:
        if timer == 0:
            free = next((each for each in (1, 2) if each not in self.timers), None)
            if free is None:
                raise refusal(errno.ENOSPC)
            self.timers[free] = timeout
            return free
        if timer not in self.timers:
            raise refusal(errno.EINVAL)
        if timeout:
            self.timers[timer] = timeout
        else:
            del self.timers[timer]
        return 0

    # --- domctl ---------------------------------------------------------------------------------------------

    def card(self, command: int, domid: int, at: int) -> int:
        """assign, test_assign and deassign; the domain is tested by nobody, or is in quarantine, or lives."""
        kind, flags, card = self.read(at, "=III12x")
        assert kind == 0
        self.card_calls.append((command, domid, flags, card))
        if self.cards is None:
            raise refusal(errno.EOPNOTSUPP)
        if card not in self.cards:
            raise refusal(errno.ENODEV)
        owner = self.cards[card]
        if command == 47:
            if owner != domid:
                raise refusal(errno.ENODEV)
            self.cards[card] = 0
        elif owner not in (0, 0x7FF1):
            raise refusal(errno.EINVAL)
        elif command == 37:
            if domid != 0x7FF1:
                self.alive(domid)
            self.cards[card] = domid
        return 0

    def createdomain(self, at: int, domid: int) -> int:
        assert domid == (0x7FF5 if self.release >= (4, 22) else 0)
        fields = self.read(at, self.create)
        _, handle, flags, _, vcpus, _, grants, *_ = fields
        emulation, misc = fields[-2:]
        assert misc in (0, 1)
        pool = fields[self.pool_at] if self.pool_at > 0 else 0
        hvm, hap = bool(flags & 1), bool(flags & 2)
        if flags & ~0xEB or (hap and not hvm) or emulation not in EMULATED[hvm] or (flags & 0x48 and not hvm):
            raise refusal(errno.EINVAL)
        if not 1 <= vcpus <= (128 if hvm else 8192) or grants > 4096:
            raise refusal(errno.EINVAL)
        if hvm and not hap and not self.has_shadow:
            raise refusal(errno.EOPNOTSUPP)
        if pool not in self.pools:
            raise refusal(errno.ESRCH)
        domid = self.next_domid
        self.next_domid += 1
        guest = self.guests[domid] = Guest(domid, handle, hvm=hvm)
        guest.created = fields
        guest.pool = pool
        self.kernel.domains[domid] = KernelDomain()
        self.kernel.domains[domid].ports = {1, 2}
        return domid

    def domctl_2(self, guest: Guest, at: int) -> None:
        if guest.domid == 0:
            raise refusal(errno.EINVAL)
        if self.again:
            self.again -= 1
            raise refusal(errno.EAGAIN)
        self.free += guest.pages
        guest.pages = guest.outstanding = 0
        guest.dying = True
        if not guest.is_held:
            del self.guests[guest.domid]
            self.kernel.domains.pop(guest.domid, None)

    def domctl_3(self, guest: Guest, at: int) -> None:
        if guest.domid == 0:
            raise refusal(errno.EINVAL)
        guest.pauses += 1

    def domctl_4(self, guest: Guest, at: int) -> None:
        if guest.pauses == 0:
            raise refusal(errno.EINVAL)
        guest.pauses -= 1

    def getdomaininfo(self, at: int, domid: int) -> int:
        found = [each for each in sorted(self.guests) if each >= domid]
        if not found or (self.release >= (4, 18) and found[0] != domid):
            raise refusal(errno.ESRCH)
        self.write(at + 8, struct.pack("=H", found[0]))
        self.write(at + 16, self.info(self.guests[found[0]]))
        return 0

    def info(self, guest: Guest) -> bytes:
        last = len(guest.vcpus) - 1 if guest.vcpus else 0xFFFFFFFF
        return struct.pack(
            "=HHI7QIII16sI", guest.domid, 0xDEAD, guest.flags, guest.pages, guest.max_pages,
            guest.outstanding, guest.shared, PATTERN, PATTERN, sum(vcpu.cpu_time for vcpu in guest.vcpus),
            sum(vcpu.online for vcpu in guest.vcpus), last, PATTERN, guest.handle, guest.pool,
        ).ljust(self.info_size, b"\xee")  # fmt: skip

    def vcpu(self, guest: Guest, number: int) -> Vcpu:
        if number >= len(guest.vcpus):
            raise refusal(errno.EINVAL)
        return guest.vcpus[number]

    def domctl_9(self, guest: Guest, at: int) -> None:
        number, flags, hard_at, hard_bits, soft_at, soft_bits = self.read(at, "=IIQI4xQI4x")
        assert flags & ~7 == 0
        vcpu = self.vcpu(guest, number)
        masks = [
            int.from_bytes(self.read(where, f"={bits // 8}s")[0], "little") & ((1 << self.cpus) - 1)
            for where, bits in ((hard_at, hard_bits), (soft_at, soft_bits))
        ]
        if flags & 1 and not masks[0] & self.pools[guest.pool][1]:
            raise refusal(errno.EINVAL)
        if flags & 4:
            vcpu.is_held = False
        if flags & 1:
            vcpu.hard = masks[0]
        if flags & 2:
            vcpu.soft = masks[1]

    def domctl_11(self, guest: Guest, at: int) -> None:
        guest.max_pages = self.read(at, "=Q")[0] // KIB_PER_PAGE

    def domctl_14(self, guest: Guest, at: int) -> None:
        vcpu = self.vcpu(guest, self.read(at, "=I")[0])
        self.write(
            at + 4, struct.pack("=3BxQI", vcpu.online, vcpu.blocked, vcpu.running, vcpu.cpu_time, vcpu.cpu)
        )

    def domctl_15(self, guest: Guest, at: int) -> None:
        (count,) = self.read(at, "=I")
        if guest.created and count != guest.created[4]:
            raise refusal(errno.EINVAL)
        guest.vcpus = [Vcpu() for _ in range(count)]

    def domctl_16(self, guest: Guest, at: int) -> None:
        scheduler, command = self.read(at, "=II")
        if scheduler != self.pools[guest.pool][0]:
            raise refusal(errno.EINVAL)
        if command in (2, 3):
            self.real_time(guest, at + 8, put=command == 2)
        elif scheduler == 8:
            if command == 1:
                self.write(at + 8, struct.pack("=3I", 10000, 4000, 0))
            else:
                for vcpu in guest.vcpus:
                    vcpu.real_time = list(self.read(at + 8, "=3I"))
        elif command == 1:
            self.write(at + 8, struct.pack("=2H", *guest.credit))
        else:
            weight, cap = self.read(at + 8, "=2H")
            if cap > 100 * len(guest.vcpus):
                raise refusal(errno.EINVAL)
            guest.credit = [weight or guest.credit[0], cap]

    def domctl_69(self, guest: Guest, at: int) -> None:
        where, bits = self.read(at, "=QI")
        self.write(where, (0b10).to_bytes(bits // 8, "little"))

    def real_time(self, guest: Guest, at: int, *, put: bool) -> None:
        where, count = self.read(at, "=QI")
        count = min(count, self.shares_vcpus)
        for row in range(count):
            *values, number = self.read(where + 16 * row, "=4I")
            vcpu = self.vcpu(guest, number)
            if put:
                vcpu.real_time = values
            else:
                self.write(where + 16 * row, struct.pack("=3I", *vcpu.real_time))
        self.write(at + 8, struct.pack("=I", count))

    def domctl_19(self, guest: Guest, at: int) -> None:
        guest.given.append(("irq", *self.read(at, "=BB" if self.release == (4, 15) else "=IB")))

    def domctl_20(self, guest: Guest, at: int) -> None:
        first, count, allow = self.read(at, "=QQB")
        if first >= 1 << 40:
            raise refusal(errno.EPERM)
        guest.given.append(("memory", first, count, allow))

    def domctl_21(self, guest: Guest, at: int) -> None:
        guest.given.append(("ports", *self.read(at, "=IIB")))

    def domctl_25(self, guest: Guest, at: int) -> None:
        number, flags, hard_at, hard_bits, soft_at, soft_bits = self.read(at, "=IIQI4xQI4x")
        vcpu = self.vcpu(guest, number)
        assert flags == 3
        for mask, where, bits in ((vcpu.hard, hard_at, hard_bits), (vcpu.soft, soft_at, soft_bits)):
            self.write(where, (mask & ((1 << self.cpus) - 1)).to_bytes(bits // 8, "little"))

    def domctl_28(self, guest: Guest, at: int) -> None:
        trigger, number = self.read(at, "=II")
        if number >= len(guest.vcpus) or (trigger != 0 and not guest.hvm):
            raise refusal(errno.EINVAL)
        guest.given.append(("trigger", trigger, number))

    def domctl_39(self, guest: Guest, at: int) -> int:
        gfn, mfn, count, add = self.read(at, "=QQQI")
        assert add == 1
        if count > self.batch:
            raise refusal(errno.E2BIG)
        taken = max(1, count // 2)
        guest.given.append(("mapped", gfn, mfn, taken))
        return int(taken) if taken < count else 0

    def domctl_24(self, guest: Guest, at: int) -> None:
        (guest.clock_offset_s,) = self.read(at, "=q")

    def domctl_60(self, guest: Guest, at: int) -> None:
        mode, khz, incarnation, _, elapsed = self.read(at, "=4IQ")
        assert (khz, incarnation, elapsed) == (0, 0, 0)
        assert guest.vcpus, "vCPUs come first"
        if mode > 2:
            raise refusal(errno.EINVAL)
        guest.tsc_mode = mode

    def domctl_79(self, guest: Guest, at: int) -> None:
        if guest.reason is None or not guest.hvm:
            raise refusal(errno.EINVAL)
        guest.reason = None
        guest.params.clear()
        self.kernel.domains[guest.domid].ports = set()

    # --- sysctl ---------------------------------------------------------------------------------------------

    def sysctl_1(self, at: int) -> None:
        clear, incremental, index, buffer, room = self.read(at, "=BBxxIQI")
        end = len(self.text)
        first = max(self.cleared, end - self.ring)
        if incremental and first < index <= end:
            first = index
        part = self.text[first : first + room]
        self.write(buffer, part)
        if clear:
            self.cleared = end
        self.write(at + 4, struct.pack("=IQI", first + len(part), buffer, len(part)))

    def sysctl_8(self, at: int) -> None:
        most, where = self.read(at, "=I4xQ")
        count = min(most, self.cpus)
        for cpu in range(count):
            self.write(where + 8 * cpu, struct.pack("=Q", PATTERN + cpu))
        self.write(at + 16, struct.pack("=I", count))

    def sysctl_3(self, at: int) -> None:
        outstanding = sum(guest.outstanding for guest in self.guests.values())
        words = [
            2,
            2,
            self.cpus,
            self.cpus - 1,
            2,
            63,
            2_000_000,
            self.capabilities,
            *[0, PATTERN] * self.arch,
        ]
        pages = self.total, self.free, 0, outstanding, 1 << 20
        self.write(at, struct.pack(f"={len(words)}I5Q8I", *words, *pages, *range(8)))

    def sysctl_4(self, at: int) -> None:
        self.write(at, struct.pack("=I", self.pools[0][0]))

    def sysctl_6(self, at: int) -> None:
        first, count, buffer = self.read(at, "=HxxIQ")
        found = [self.guests[domid] for domid in sorted(self.guests) if domid >= first][:count]
        for row, guest in enumerate(found):
            self.write(buffer + row * self.info_size, self.info(guest))
        self.write(at + 16, struct.pack("=I", len(found)))

    def sysctl_7(self, at: int) -> None:
        where, count = self.read(at, "=QI")
        (self.keys,) = self.read(where, f"={count}s")
        self.text += b"(XEN) keys\n"

    def sysctl_16(self, at: int) -> None:
        room, where = self.read(at, "=I4xQ")
        count = self.cpus if not where else min(room, self.cpus)
        for cpu in range(count if where else 0):
            place = (cpu // 2, 0, cpu // 2) if cpu != self.cpus - 1 else (0xFFFFFFFF,) * 3
            self.write(where + 12 * cpu, struct.pack("=3I", *place))
        self.write(at, struct.pack("=I", count))

    def sysctl_17(self, at: int) -> None:
        room, memory, distance = self.read(at, "=I4xQQ")
        count = min(room, 2) if memory else 2
        for node in range(count if memory else 0):
            self.write(memory + 16 * node, struct.pack("=QQ", 1 << 30, 1 << 29))
            self.write(
                distance + 4 * node * count, struct.pack("=2I", *((10, 20) if node == 0 else (20, 10)))
            )
        self.write(at, struct.pack("=I", count))

    def sysctl_29(self, at: int) -> None:
        index, room, _, _, where = self.read(at, "=4IQ")
        leaves = [(1, 0xFFFFFFFF, 5, 0, index, 7), (7, 0, 2, 0x20, 0, 0)]
        count = min(room, len(leaves)) if where else len(leaves)
        for row in range(count if where else 0):
            self.write(where + 24 * row, struct.pack("=6I", *leaves[row]))
        self.write(at + 4, struct.pack("=I", count))

    def sysctl_18(self, at: int) -> None:
        operation, pool, scheduler, domid, cpu, _, where, bits = self.read(at, "=6IQI")
        free = (1 << self.cpus) - 1
        for _, cpus in self.pools.values():
            free &= ~cpus
        if operation == 3:
            pool = min((each for each in self.pools if each >= pool), default=-1)
        if operation != 1 and operation != 7 and pool not in self.pools:
            raise refusal(errno.ENOENT)
        match operation:
            case 1:
                pool = next(number for number in range(99) if number not in self.pools)
                self.pools[pool] = [scheduler, 0]
            case 2:
                if self.pools[pool][1] or any(guest.pool == pool for guest in self.guests.values()):
                    raise refusal(errno.EBUSY)
                del self.pools[pool]
            case 3:
                number = sum(guest.pool == pool for guest in self.guests.values())
                self.write(at + 8, struct.pack("=I", self.pools[pool][0]))
                self.write(at + 20, struct.pack("=I", number))
                self.write(where, self.pools[pool][1].to_bytes(bits // 8, "little"))
            case 4:
                if not free >> cpu & 1:
                    raise refusal(errno.ENODEV)
                self.pools[pool][1] |= 1 << cpu
            case 5:
                if not self.pools[pool][1] >> cpu & 1:
                    raise refusal(errno.EADDRNOTAVAIL)
                if self.kept_cpus >> cpu & 1:
                    raise refusal(errno.EAGAIN)
                self.pools[pool][1] &= ~(1 << cpu)
            case 6:
                self.alive(domid).pool = pool
            case 7:
                self.write(where, free.to_bytes(bits // 8, "little"))
        self.write(at + 4, struct.pack("=I", pool))

    def sysctl_19(self, at: int) -> None:
        pool, scheduler, command = self.read(at, "=3I")
        if pool not in self.pools or self.pools[pool][0] != scheduler:
            raise refusal(errno.ESRCH)
        now = self.schedules.setdefault(pool, {5: [30, 1000, 0], 6: [1000]}[scheduler])
        if command == 0:
            wanted = list(self.read(at + 16, f"={len(now)}I"))
            if scheduler == 5 and wanted[1] > 1000 * wanted[0]:
                raise refusal(errno.EINVAL)
            self.schedules[pool] = wanted
        self.write(at + 16, struct.pack(f"={len(now)}I", *self.schedules[pool]))

    def sysctl_22(self, at: int) -> None:
        """A device at a time."""
        count, devices, nodes = self.read(at, "=I4xQQ")
        assert count >= 1
        address = self.read(devices, "=HBB")
        self.write(nodes, struct.pack("=I", self.device_nodes.get(address, 0xFFFFFFFE)))
        self.write(at, struct.pack("=I", 1))
