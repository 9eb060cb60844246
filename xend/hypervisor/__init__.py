"""What xend needs of a hypervisor.

`Hypervisor` is the contract; `xend.hypervisor.simulator` and (later) `.xen` fulfil it, and
`tests/hypervisor.py:check_hypervisor` is its conformance test.  Nothing else in xend knows Xen's calls.

Everything is asynchronous: a call may go to another process or, where Xen blocks, to a thread.  Cancelling
a call that changes something leaves it done or not done, never half.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import attrs

__all__ = [
    "SHUTDOWN_REASONS",
    "WATCHDOG_TIMERS",
    "Blueprint",
    "ConsoleRing",
    "DomainInfo",
    "HostInfo",
    "Hypervisor",
    "HypervisorError",
    "Image",
    "Rings",
    "VcpuInfo",
    "rings_of",
]

#: Names of shutdown reasons, by number (SCHEDOP_shutdown, xen/include/public/sched.h).
SHUTDOWN_REASONS = ("poweroff", "reboot", "suspend", "crash", "watchdog", "soft_reset")

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
    max_memory_kib: int
    outstanding_kib: int  # claimed, not yet populated
    cpu_time_ns: int  # of all its vCPUs since it was created
    vcpus: int  # online
    max_vcpus: int


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


@attrs.frozen(kw_only=True)
class Blueprint:
    """What a domain is created from: an empty one, paused, without memory."""

    uuid: str
    max_vcpus: int
    max_memory_kib: int


@attrs.frozen(kw_only=True)
class Image:
    """What a paravirtual domain boots: files in dom0, and the words its kernel is given."""

    kernel: str
    ramdisk: str | None
    command_line: str
    vcpus: int  # online at the start


@attrs.frozen(kw_only=True)
class Rings:
    """The shared pages of a domain that was built, and its ends of their event channels.

    Frame numbers go into the store as ring-ref; ports are the guest's, unbound, for dom0 to bind.
    """

    store_gfn: int
    store_port: int
    console_gfn: int
    console_port: int


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


class Hypervisor(ABC):
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

    @abstractmethod
    async def create(self, blueprint: Blueprint) -> int:
        """The domid of a new domain: paused, without memory, with no kernel.  Domids rise and are not used
        again before all were.

        Raises:
            HypervisorError: EEXIST: a domain has this UUID; EINVAL: no vCPU, or too many.
        """

    @abstractmethod
    async def populate(self, domid: int, memory_kib: int) -> None:
        """Give a new domain its memory, rounded up to whole pages: all of it or nothing.

        Raises:
            HypervisorError: ENOMEM: the host has not enough; EINVAL: more than its max_memory_kib.
        """

    @abstractmethod
    async def build(self, domid: int, image: Image) -> Rings:
        """Load a kernel into a populated domain, and make its store and console pages and their ports.

        Raises:
            HypervisorError: ENOENT, EACCES: a file cannot be read; ENOEXEC: it is no kernel; ENOMEM: image
                and ramdisk do not fit the domain; EINVAL: not populated, or built already.
        """

    @abstractmethod
    async def unpause(self, domid: int) -> None:
        """Let it run; nothing happens if it does.  EINVAL: it was not built."""

    @abstractmethod
    async def pause(self, domid: int) -> None:
        """Stop its vCPUs; nothing happens if they are, or if it has shut down."""

    @abstractmethod
    async def shutdown(self, domid: int, reason: int) -> None:
        """Mark it as shut down for a reason (SCHEDOP_remote_shutdown): its vCPUs stop, without its doing."""

    @abstractmethod
    async def destroy(self, domid: int) -> None:
        """End it and free its memory.  It is dying, with no memory, as long as somebody has pages of it
        mapped (its store or console page), and gone then.  A dying domain may be destroyed again."""

    @abstractmethod
    async def set_max_memory(self, domid: int, max_memory_kib: int) -> None:
        """The most memory the domain may have, from now on; what it has beyond that stays."""

    @abstractmethod
    async def soft_reset(self, domid: int) -> None:
        """Ready a domain that shut down with soft_reset for another `build`: its ports are closed, its pages
        unmapped from others, its memory stays; it is paused."""

    @abstractmethod
    async def dump_core(self, domid: int, path: str) -> None:
        """Write the domain's memory, an ELF core, to a new file; nothing is left of a file that failed.

        Raises:
            HypervisorError: ENOSPC, EACCES, EEXIST.
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

        A console bound before is closed by that: its other holder is notified no more.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of the host; domains go on."""
