"""What xend needs of a hypervisor.

`Hypervisor` is the contract; `xend.hypervisor.simulator` and `xend.hypervisor.xen` fulfil it, and
`tests/contract/check.py:check_hypervisor` is its conformance test.  Nothing else in xend knows Xen's calls.

Everything is asynchronous: a call may go to another process or, where Xen blocks, to a thread.  Cancelling
a call that changes something leaves it done or not done, never half.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self

import attrs

from xend._sum import Sum
from xend.counters.figures import Counters
from xend.hypervisor.control import Control, Leaf

__all__ = [
    "ALTP2M",
    "MAX_EVENT_CHANNELS",
    "NO_LIMIT_KIB",
    "SHUTDOWN_REASONS",
    "SLACK_KIB",
    "TIMER_MODES",
    "TSC_MODES",
    "VIRIDIAN",
    "WATCHDOG_TIMERS",
    "Blueprint",
    "ConsoleRing",
    "CpuPool",
    "DomainInfo",
    "DomainType",
    "HostAccess",
    "HostInfo",
    "Hypervisor",
    "HypervisorError",
    "Image",
    "Leaf",
    "Machine",
    "Rings",
    "VcpuInfo",
    "rings_of",
]

#: Names of shutdown reasons, by number (SCHEDOP_shutdown, xen/include/public/sched.h).
SHUTDOWN_REASONS = ("poweroff", "reboot", "suspend", "crash", "watchdog", "soft_reset")

#: The max_memory_kib of a domain that may have any, as dom0 mostly: max_pages is UINT_MAX, of 4 KiB each.
NO_LIMIT_KIB = 0xFFFFFFFF * 4

#: What a domain may have beyond what it was given: pages of its video memory, rings and the like (libxl's
#: LIBXL_MAXMEM_CONSTANT; domain-build.md 1).  Nobody but the hypervisor is told of it.
SLACK_KIB = 1024

#: How many watchdog timers a domain has (NR_DOMAIN_WATCHDOG_TIMERS, xen/include/xen/sched.h).
WATCHDOG_TIMERS = 2


class HypervisorError(Exception):
    """A refused call.

    Attributes:
        errno: as the hypervisor gave it, this system's number: ESRCH: no such domain; ENOMEM: not enough
            free memory; EINVAL, EEXIST, EBUSY, EPERM, ENOENT (a file of the image), ENOEXEC (no kernel).
        text: what was refused, one line.
    """

    def __init__(self, errno: int, text: str) -> None:
        super().__init__(text)
        self.errno = errno
        self.text = text


@attrs.frozen(kw_only=True)
class HostInfo:
    """The host: `xl info` (xen/include/public/sysctl.h, physinfo; version.h)."""

    nr_cpus: int
    nr_nodes: int
    cores_per_socket: int
    threads_per_core: int
    cpu_khz: int
    hw_caps: Sequence[int]  # eight words of 32 bits
    virt_caps: Sequence[str]  # for example ("pv", "hvm", "hap"); may be empty
    total_memory_kib: int
    free_memory_kib: int
    outstanding_claims_kib: int
    xen_major: int
    xen_minor: int
    xen_extra: str  # for example ".4"
    xen_caps: str  # for example "xen-3.0-x86_64 "
    xen_scheduler: str
    xen_pagesize: int
    virt_start: int
    xen_changeset: str
    xen_commandline: str
    cc_compiler: str
    cc_compile_by: str
    cc_compile_domain: str
    cc_compile_date: str
    build_id: str
    sharing_freed_kib: int = 0  # what domains save as they share pages
    sharing_used_kib: int = 0  # those pages


@attrs.frozen(kw_only=True)
class DomainInfo:
    """A domain as the hypervisor sees it (xen/include/public/domctl.h, getdomaininfo)."""

    domid: int
    uuid: str  # lower-case hexadecimal, 8-4-4-4-12
    is_running: bool  # on a CPU just now
    is_blocked: bool
    is_paused: bool
    is_shutdown: bool
    is_dying: bool
    shutdown_reason: int | None  # index into SHUTDOWN_REASONS once is_shutdown
    memory_kib: int
    max_memory_kib: int  # what it may take now
    bound_kib: int  # the same, with what a toolstack grants beyond it for its own sake, as libxl does
    outstanding_kib: int  # claimed, not yet populated
    cpu_time_ns: int  # of all its vCPUs since it was created
    vcpus: int  # online
    max_vcpus: int
    pool: int = 0  # the number of the CPU pool in which it runs
    shared_kib: int = 0  # of its memory, what it shares with others, copied on write
    ssid: int = 0  # its security label's number, with FLASK


@attrs.frozen(kw_only=True)
class VcpuInfo:
    """A virtual CPU of a domain (xen/include/public/domctl.h, getvcpuinfo and vcpuaffinity)."""

    number: int
    is_online: bool
    is_running: bool  # on a CPU just now
    is_blocked: bool
    cpu: int  # the host's CPU on which it ran last
    cpu_time_ns: int  # since the domain was created
    hard_affinity: Sequence[int]  # the host's CPUs on which it may run
    soft_affinity: Sequence[int]  # those on which it should run


#: What a domain may be like: paravirtual, with the processor's help and no emulated hardware, or a whole
#: emulated machine, whose devices a device model plays (xl.cfg(5), `type`).
DomainType = Literal["pv", "pvh", "hvm"]

#: How a domain's time stamp counter behaves (xl.cfg(5), `tsc_mode`), by Xen's numbers (tsc_mode of
#: XEN_DOMCTL_settscinfo).
TSC_MODES = ("default", "always_emulate", "native", "native_paravirt")

#: Who may have other views of a domain's memory than its own (xl.cfg(5), `altp2m`), by Xen's numbers
#: (HVM_PARAM_ALTP2M, xen/include/public/hvm/params.h).
ALTP2M = ("disabled", "mixed", "external", "limited")

#: What of Microsoft's hypervisor interface a domain may see (xl.cfg(5), `viridian`); the bits of
#: HVM_PARAM_VIRIDIAN (xen/include/public/hvm/params.h) have that order, the second means no freq.
VIRIDIAN = (
    "base", "freq", "time_ref_count", "reference_tsc", "hcall_remote_tlb_flush", "apic_assist", "crash_ctl",
    "synic", "stimer", "hcall_ipi", "ex_processor_masks", "no_vp_limit", "cpu_hotplug",
)  # fmt: skip

#: How an emulated timer makes good for the ticks that its domain missed (xl.cfg(5), `timer_mode`), by Xen's
#: numbers (HVM_PARAM_TIMER_MODE).
TIMER_MODES = (
    "delay_for_missed_ticks", "no_delay_for_missed_ticks", "no_missed_ticks_pending",
    "one_missed_tick_pending",
)  # fmt: skip

#: How many event channels a domain may have unless its blueprint says otherwise, as with libxl.
MAX_EVENT_CHANNELS = 1023


@attrs.frozen(kw_only=True)
class Blueprint:
    """What a domain is created from: an empty one, paused, without memory.

    Attributes:
        uuid: lower-case hexadecimal, 8-4-4-4-12.
        type: what it is like, for good.
        max_vcpus: how many virtual CPUs it has.
        max_memory_kib: the most memory it may have.
        max_event_channels: how many event channels it may have.
        max_grant_frames, max_maptrack_frames: pages of its grant table, and of the table of what it maps of
            others' grants; None: as many as the hypervisor gives by itself.
        max_grant_version: of grant tables, 1 or 2; None: the newest that the host has.
        pool: the number of the CPU pool in which it runs.
        is_migratable: it may be moved to a host whose CPU counts otherwise, so that it sees no invariant time
            stamp counter.
        tsc_mode: one of TSC_MODES.
        clock_offset_s: how far its wall clock is before the host's.
        has_nested_virt: it may run domains of its own (pvh, with nested paging).
        has_vpmu: it may use the processor's performance counters.
        is_hap: nested paging; None: where the host has it, and shadow page tables where not (pvh).
        has_out_of_sync: shadow page tables may be out of step with its own for a while.
        has_iommu: it may be given devices of the host (pv).
        altp2m, altp2m_count: who may have other views of its memory, one of ALTP2M; how many views, None: as
            many as libxl takes (pvh).
        is_msr_relaxed: a register of the processor that Xen does not know reads as 0.
        trace_kib: for each virtual CPU, of what the processor traces of it; 0: none.
        paging_kib: the host's memory for its page tables; None: as much as libxl would take (pvh).
        label: the number of its security label; 0: that of domains without one.
        has_pirq: interrupts of its devices may reach it as event channels; None: as libxl of the host's
            release has it (hvm).
    """

    uuid: str
    type: DomainType = "pv"
    max_vcpus: int
    max_memory_kib: int
    max_event_channels: int = MAX_EVENT_CHANNELS
    max_grant_frames: int | None = None
    max_maptrack_frames: int | None = None
    max_grant_version: int | None = None
    pool: int = 0
    is_migratable: bool = True
    tsc_mode: str = "default"
    clock_offset_s: int = 0
    has_nested_virt: bool = False
    has_vpmu: bool = False
    is_hap: bool | None = None
    has_out_of_sync: bool = True
    has_iommu: bool = False
    altp2m: str = "disabled"
    altp2m_count: int | None = None
    is_msr_relaxed: bool = False
    trace_kib: int = 0
    paging_kib: int | None = None
    label: int = 0
    has_pirq: bool | None = None


@attrs.frozen(kw_only=True)
class Machine:
    """What the emulated machine of an hvm domain is like, as far as the hypervisor plays it.

    Attributes:
        firmware: a file in dom0 with what its kernel, hvmloader, starts: a BIOS or UEFI; None: nothing.
        acpi_tables, smbios_tables: files in dom0 with further tables for its firmware; None: none.
        video_kib: what of the domain's memory the device model takes for its graphics card.
        hole_kib: what its memory leaves free for devices below 4 GiB.
        has_apic: its firmware tells of its processors by tables.
        has_pae, has_hpet: its processor has PAE; its machine an HPET.
        is_vpt_aligned: its timers' ticks are brought together.
        timer_mode: one of TIMER_MODES.
        viridian: those of VIRIDIAN that it sees.
        has_lmce: machine checks may be told to one processor alone.
    """

    firmware: str | None = None
    acpi_tables: str | None = None
    smbios_tables: str | None = None
    video_kib: int = 0
    hole_kib: int = 256 * 1024
    has_apic: bool = True
    has_pae: bool = True
    has_hpet: bool = True
    is_vpt_aligned: bool = True
    timer_mode: str = TIMER_MODES[1]
    viridian: Sequence[str] = ()
    has_lmce: bool = False


@attrs.frozen(kw_only=True)
class Image:
    """What a domain boots, and the memory it boots with.

    Attributes:
        blueprint: what the domain was created from.
        memory_kib: what it begins with, rounded up to whole pages; at most the blueprint's max_memory_kib.
            A domain that begins with less fills up on demand (pvh, hvm) or has the rest later (pv).
        kernel: a file in dom0, ELF or bzImage, perhaps compressed; of an hvm domain hvmloader.
        ramdisk: a file in dom0, or None.
        command_line: the words that the kernel is given.
        vcpus: how many of its virtual CPUs are online at the start.
        cpuid: what its processor is otherwise than Xen has it by itself: each (leaf, subleaf or None, the 32
            bits of eax, ebx, ecx and edx), a bit 1, 0, x (as Xen has it) or k (the host's), the highest
            first; no text: as Xen has that register.
        arch_capabilities: the 64 bits of the register IA32_ARCH_CAPABILITIES likewise.
        has_host_memory_map: a paravirtual domain sees the host's holes in its memory map (`e820_host`).
        machine: what an hvm domain's is like; None: it is of another type.
    """

    blueprint: Blueprint
    memory_kib: int
    kernel: str
    ramdisk: str | None = None
    command_line: str = ""
    vcpus: int = 1
    cpuid: Sequence[tuple[int, int | None, Sequence[str]]] = ()
    arch_capabilities: str = ""
    has_host_memory_map: bool = False
    machine: Machine | None = None


@attrs.frozen(kw_only=True)
class HostAccess:
    """What of the host's hardware a domain may touch itself (xl.cfg(5): iomem, ioports, irqs).

    Attributes:
        memory: page frames of the host, each range as (first, count, first frame in the domain's own memory).
        ports: I/O ports, each range as (first, count).
        irqs: numbers of interrupt lines.
        is_mapped: a domain that is not paravirtual has the memory among its own from the start; else who
            plays its machine puts it there, where the guest wants it.
    """

    memory: Sequence[tuple[int, int, int]] = ()
    ports: Sequence[tuple[int, int]] = ()
    irqs: Sequence[int] = ()
    is_mapped: bool = True


@attrs.frozen(kw_only=True)
class CpuPool:
    """A set of the host's CPUs with a scheduler of its own (sysctl.h, cpupool_op)."""

    number: int
    scheduler: str  # as in HostInfo.xen_scheduler
    domains: int  # how many run in it
    cpus: Sequence[int]


@attrs.frozen(kw_only=True)
class Rings:
    """The shared pages of a domain that was built, and its ends of their event channels.

    Frame numbers go into the store as ring-ref; ports are the guest's, unbound, for dom0 to bind.

    Attributes:
        tables: where in its memory an hvm domain's firmware finds further tables: by "acpi" and "smbios",
            address and size.
    """

    store_gfn: int
    store_port: int
    console_gfn: int
    console_port: int
    tables: Mapping[str, Sequence[int]] = attrs.field(factory=dict)


def rings_of(value: Rings | Mapping[str, Any]) -> Rings:
    """Rings, or those that these fields of a record make."""
    return value if isinstance(value, Rings) else Rings(**value)


class ConsoleRing(ABC):
    """A domain's console page, mapped, and dom0's end of its event channel; both until `close`.

    Attributes:
        page: a writable buffer of 4096 bytes (xen/include/public/io/console.h), for `xenstore._ring.Page`.
            The other side is hostile.
    """

    page: object

    @abstractmethod
    async def wait(self) -> None:
        """Returns once the guest has notified since the last call (at once if it has already).

        Lost notifications happen: look at the ring now and then without one.
        """

    @abstractmethod
    def notify(self) -> None:
        """Notify the guest; nothing happens once it is gone."""

    @abstractmethod
    def close(self) -> None:
        """Unmap and unbind."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


class Hypervisor(Control, ABC):
    """One host.

    All calls that take a domid raise HypervisorError(ESRCH) when there is no such domain, or when it is
    dying, unless they say otherwise.  Who must know that a domain shut down or died watches @releaseDomain
    in the store, which has VIRQ_DOM_EXC, and then asks `domains`.

    Attributes:
        name: what kind of host this is, for people.
        store_platform: the --platform with which xenstored serves the domains of this host.
    """

    name: str
    store_platform: str

    @abstractmethod
    async def host_info(self) -> HostInfo:
        """The host, now."""

    @abstractmethod
    async def domains(self) -> list[DomainInfo]:
        """All domains, dom0 and dying ones included, by rising domid."""

    async def domain(self, domid: int) -> DomainInfo | None:
        """One domain, dying or not; None: there is none."""
        return next((each for each in await self.domains() if each.domid == domid), None)

    @abstractmethod
    async def vcpus(self, domid: int) -> list[VcpuInfo]:
        """The virtual CPUs of a domain, those that are offline included, by rising number."""

    def counters(self) -> Counters | None:
        """What dom0's backends have counted, where the host itself tells it; None: dom0's system does."""
        return None

    @abstractmethod
    async def pools(self) -> list[CpuPool]:
        """The CPU pools, by rising number."""

    @abstractmethod
    async def create(self, blueprint: Blueprint) -> int:
        """The domid of a new domain: paused, without memory, with no kernel.  Domids rise and are not used
        again before all were.  Xen lets several domains have one UUID: who does not want that looks first.

        Raises:
            HypervisorError: EINVAL: no vCPU, or too many; too many frames or event channels; ESRCH: there is
                no such pool; EOPNOTSUPP: the host cannot run domains of this type.
        """

    @abstractmethod
    async def claim(self, domid: int, memory_kib: int) -> None:
        """Set memory of the host aside for a new domain, rounded up to whole pages: all of it or nothing.

        It is the domain's outstanding_kib until `build` takes it, or the domain is destroyed.  Nobody else
        gets it meanwhile.

        Raises:
            HypervisorError: ENOMEM: the host has not enough; EINVAL: more than its max_memory_kib.
        """

    @abstractmethod
    async def set_affinity(
        self,
        domid: int,
        vcpu: int,
        hard: Sequence[int] | None,
        soft: Sequence[int] | None,
        force: bool = False,
    ) -> None:
        """Say on which of the host's CPUs a virtual CPU may run (hard), should run (soft); None: as it was.

        force: end what holds it on one CPU for a while, as dom0 does for some of its drivers.

        Raises:
            HypervisorError: EINVAL: there is no such vCPU, or none of these CPUs is one of the domain's pool.
        """

    @abstractmethod
    async def allow_access(self, domid: int, access: HostAccess) -> None:
        """Let a new domain touch some of the host's hardware.

        Raises:
            HypervisorError: EINVAL, EPERM: there is no such hardware, or it is the hypervisor's own.
        """

    @abstractmethod
    async def deny_access(self, domid: int, access: HostAccess) -> None:
        """Take from a paravirtual domain what `allow_access` gave it; what it has not is no error."""

    @abstractmethod
    async def build(self, domid: int, image: Image) -> Rings:
        """Give a new domain its memory, load a kernel into it, and make its store and console pages and their
        ports.  A claim is used up by that, or given back where it fails.  May take seconds.

        Raises:
            HypervisorError: ENOENT, EACCES, EINVAL: a file cannot be read, or is none; ENOEXEC: it is no
                kernel, or none for this type; ENOMEM: image and ramdisk do not fit the domain, or the host
                has not enough memory; EEXIST: it was built already.
        """

    @abstractmethod
    async def unpause(self, domid: int) -> None:
        """Let a domain that was built run; nothing happens if it does.  One that somebody else paused, too,
        runs once they let it."""

    @abstractmethod
    async def pause(self, domid: int) -> None:
        """Stop its vCPUs; nothing happens if they are stopped, whoever did that, or if it has shut down."""

    @abstractmethod
    async def shutdown(self, domid: int, reason: int) -> None:
        """Mark it as shut down for a reason (SCHEDOP_remote_shutdown): its vCPUs stop, without its doing."""

    @abstractmethod
    async def destroy(self, domid: int) -> None:
        """End it and free its memory.  It is dying, with nearly no memory, as long as somebody has pages
        mapped (its store or console page, grants of its devices, all of it in a device model), and gone then.
        A dying domain may be destroyed again."""

    @abstractmethod
    async def set_max_memory(self, domid: int, max_memory_kib: int) -> None:
        """The most memory the domain may have, from now on; what it has beyond that stays."""

    @abstractmethod
    async def soft_reset(self, domid: int, rings: Rings) -> Rings:
        """Have a domain that shut down with soft_reset ready to go on: it has put another kernel into its own
        memory, and starts that (kexec).

        Its ports are closed, its pages unmapped from others; memory, vCPUs and their registers stay.  It is
        paused, and `unpause` lets it go on.

        Args:
            rings: those it had.

        Returns those it has now: the same pages, new ports.

        Raises:
            HypervisorError: EINVAL: it did not shut down with soft_reset, or is paravirtual.
        """

    @abstractmethod
    async def dump_core(self, domid: int, path: str) -> None:
        """Write the domain's memory, an ELF core that only root may read, to a new file; it is paused
        meanwhile.  Nothing is left of a file that failed.  May take seconds for each 100 MiB.

        Raises:
            HypervisorError: ENOSPC, EACCES, ENOENT, EEXIST (nothing is overwritten); EINVAL: a paravirtual
                kernel tells where its memory is as it boots, and this one has not yet.
        """

    @abstractmethod
    async def hears(self, domid: int) -> bool:
        """Whether a domain's kernel can be asked for anything by the store.  That of a whole machine cannot
        which has no paravirtual drivers (it has not said where their interrupts go), or sleeps (ACPI's S3):
        `shutdown` suspends it without its doing.
        """

    @abstractmethod
    async def save(self, domid: int, fd: int, suspend: Callable[[], Awaitable[None]], checksum: Sum) -> Sum:
        """Write a domain's memory and the state of its vCPUs to a descriptor, from its place on: a stream of
        libxc's (docs/specs/libxc-migration-stream.pandoc).  The domain stays suspended.  May take seconds
        for each GiB; a call that fails or is cancelled may have written a part.

        Args:
            suspend: called once, when all is ready: returns when the domain has shut down to be suspended.
                What it raises ends the call, and is raised.
            checksum: of what stands before.

        Returns the checksum that goes on from that with all that was written; `checksum` itself from a driver
        that does not see the bytes pass.

        Raises:
            HypervisorError: ENOSPC and whatever else the descriptor says; EINVAL: it was not built, or was
                not suspended.
        """

    @abstractmethod
    async def restore(self, domid: int, fd: int, image: Image, checksum: Sum) -> tuple[Rings, Sum]:
        """Give a new domain the memory and vCPUs that a stream of `save`, or of another host's libxc, holds,
        in place of `build`.  The stream may be anybody's.  What is read of the descriptor is the stream, and
        no byte behind it.

        Args:
            image: what it booted; its kernel and command line are not looked at.
            checksum: of what stands before; returned as by `save`.

        Raises:
            HypervisorError: EINVAL: it is no such stream, is of another type of domain (it does not tell pvh
                from hvm), or needs what this host has not; ENOMEM: the host, or the domain's bounds, have too
                little memory for it; EEXIST: it has memory already.
        """

    @abstractmethod
    async def resume(self, domid: int, is_cooperative: bool = True, is_paused: bool = False) -> None:
        """Let a domain that shut down to be suspended go on in place.  Who serves its store has to be told.

        Args:
            is_cooperative: its kernel is told that the suspend was cancelled, so that it keeps its rings and
                devices; else it takes itself for restored, and connects all of them anew.
            is_paused: its vCPUs do not run before it is unpaused.

        Raises:
            HypervisorError: EINVAL: it did not shut down to be suspended.
        """

    @abstractmethod
    async def message_buffer(self, clear: bool = False) -> bytes:
        """What the hypervisor wrote to its console (`xl dmesg`), as far as it is kept."""

    @abstractmethod
    async def watchdog(self, timer: int, timeout_s: int) -> int:
        """Set a watchdog timer of the domain this runs in (SCHEDOP_watchdog, xen/include/public/sched.h).

        A timer that expires shuts its domain down with the reason `watchdog`; if that is dom0, the host is
        reset.  Timers go on when whoever set them is gone.

        Args:
            timer: 0: any that is free; 1 to WATCHDOG_TIMERS: that one, which must be armed.
            timeout_s: seconds from now until it expires; 0: it is disarmed, and free.

        Returns the timer's number.

        Raises:
            HypervisorError: ENOSPC: none is free; EINVAL: it is not armed, there is no such timer, or no
                such time.
        """

    @abstractmethod
    async def open_console(self, domid: int, gfn: int, port: int) -> ConsoleRing:
        """Map a domain's console page (grant reference 0, else the frame) and bind its port.

        A console that this process bound before is closed by that: its other holder is notified no more.

        Raises:
            HypervisorError: EINVAL: there is no such page or port, or another program has bound the port
                (the hypervisor does not say which of them).
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of the host; domains go on."""
