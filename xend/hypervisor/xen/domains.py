"""Domains and their lives: XEN_DOMCTL_*, XEN_SYSCTL_getdomaininfolist, SCHEDOP_*, XENMEM_claim_pages.

What the driver adds to what the hypervisor does is in domain-build.md 3.
Source: xen/include/public/{domctl,sysctl,sched,memory}.h
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

import attrs

from xend.hypervisor import SHUTDOWN_REASONS, SLACK_KIB, WATCHDOG_TIMERS, DomainInfo, HypervisorError
from xend.hypervisor.control import TRIGGERS
from xend.hypervisor.xen.calls import ANSWER_SIZE, MEMORY_OP, SCHED_OP, Calls
from xend.hypervisor.xen.host import PAGE_KIB
from xend.hypervisor.xen.layouts import (
    DOMAIN_INFO,
    DOMAIN_INFO_LIST,
    MAX_MEM,
    MEMORY_RESERVATION,
    REMOTE_SHUTDOWN,
    SEND_TRIGGER,
    WATCHDOG,
)
from xend.hypervisor.xen.refusal import no_such_domain, refusing

GETDOMAININFOLIST = 6
DESTROY = 2
PAUSE = 3
UNPAUSE = 4
GETDOMAININFO = 5
MAX_MEM_OP = 11
SENDTRIGGER = 28
REMOTE_SHUTDOWN_OP = 4
WATCHDOG_OP = 6
CLAIM_PAGES = 24

#: XEN_DOMINF_*.
DYING, HVM, SHUTDOWN, PAUSED, BLOCKED, RUNNING = (1 << bit for bit in range(6))
_REASON_AT = 16
_NO_VCPU = 0xFFFFFFFF

FIRST_RESERVED_DOMID = 0x7FF0


@attrs.frozen
class Record:
    """What the hypervisor says of a domain.

    Attributes:
        info: what the contract has of it.
        is_hvm: it has the processor's help, as PVH domains do.
    """

    info: DomainInfo
    is_hvm: bool


class Domains:
    """Every method raises HypervisorError: ESRCH where there is no such domain, or it is dying."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def all(self) -> list[DomainInfo]:
        """All domains, dying ones included, by rising domid."""
        found: list[DomainInfo] = []
        size = self._calls.release.domain_info_size
        count = ANSWER_SIZE // size
        with refusing("the hypervisor does not list the domains"), self._calls.answer(ANSWER_SIZE) as memory:
            first = 0
            while first < FIRST_RESERVED_DOMID:
                asked = DOMAIN_INFO_LIST.pack(first_domain=first, max_domains=count, buffer=memory.address)
                answer = DOMAIN_INFO_LIST.unpack(self._calls.sysctl(GETDOMAININFOLIST, asked))
                told = min(answer["num_domains"], count)
                found += [_record(DOMAIN_INFO.unpack(memory, row * size)).info for row in range(told)]
                if told < count:
                    break
                first = found[-1].domid + 1
        return found

    def find(self, domid: int) -> Record | None:
        """A domain, dying or not; None: there is none."""
        if not 0 <= domid < FIRST_RESERVED_DOMID:
            return None
        try:
            fields = DOMAIN_INFO.unpack(self._calls.domctl(GETDOMAININFO, domid))
        except OSError as error:
            if error.errno == errno.ESRCH:
                return None
            with refusing(f"domain {domid} cannot be looked at"):
                raise
        # Up to 4.17 the hypervisor tells of the next domain where there is none (domain-build.md 6).
        return _record(fields) if fields["domain"] == domid else None

    def alive(self, domid: int) -> Record:
        """A domain that is not dying."""
        record = self.find(domid)
        if record is None or record.info.is_dying:
            raise no_such_domain(domid)
        return record

    def pause(self, domid: int) -> None:
        """Unless it is paused or has shut down: the hypervisor counts, and so many unpauses are needed."""
        info = self.alive(domid).info
        if not info.is_paused and not info.is_shutdown:
            self.pause_once_more(domid)

    def pause_once_more(self, domid: int) -> None:
        """Whatever it is: one more unpause is needed."""
        own = {errno.EINVAL: "this program runs in it, which the hypervisor would stop with it"}
        with refusing(f"domain {domid} cannot be paused", own):
            self._calls.domctl(PAUSE, domid)

    @contextmanager
    def held(self, domid: int) -> Iterator[None]:
        """Paused within, whatever others do meanwhile, and afterwards as before."""
        self.alive(domid)
        self.pause_once_more(domid)
        try:
            yield
        finally:
            with suppress(OSError):  # it may be gone
                self._calls.domctl(UNPAUSE, domid)

    def unpause(self, domid: int) -> None:
        info = self.alive(domid).info
        if info.vcpus == 0 and not info.is_shutdown:
            raise HypervisorError(
                errno.EINVAL,
                f"domain {domid} cannot run: it has no kernel yet; build it first, or destroy it",
            )
        if not info.is_paused:
            return
        try:
            self._calls.domctl(UNPAUSE, domid)
        except OSError as error:
            if error.errno != errno.EINVAL:  # somebody else was faster
                with refusing(f"domain {domid} cannot be unpaused"):
                    raise

    def require_suspended(self, domid: int) -> None:
        """See that a domain has shut down to be suspended."""
        info = self.alive(domid).info
        if info.shutdown_reason != SHUTDOWN_REASONS.index("suspend"):
            raise HypervisorError(errno.EINVAL, f"domain {domid} cannot be resumed: it was not suspended")

    def shutdown(self, domid: int, reason: int) -> None:
        self.alive(domid)
        if not 0 <= reason < len(SHUTDOWN_REASONS):
            raise HypervisorError(
                errno.EINVAL,
                f"domain {domid} cannot shut down for reason {reason}: "
                f"there are 0 to {len(SHUTDOWN_REASONS) - 1}",
            )
        with refusing(f"domain {domid} cannot be shut down"):
            self._calls.operation(
                SCHED_OP, REMOTE_SHUTDOWN_OP, REMOTE_SHUTDOWN, domain_id=domid, reason=reason
            )

    async def destroy(self, domid: int) -> None:
        if self.find(domid) is None:
            raise no_such_domain(domid)
        own = {errno.EINVAL: "this program runs in it", errno.ESRCH: "it is gone already"}
        with refusing(f"domain {domid} cannot be destroyed", own):
            await self._calls.slow_domctl(DESTROY, domid)

    def destroy_new(self, domid: int) -> None:
        """End one that has no memory yet, which takes no time."""
        with refusing(f"domain {domid}, just created, cannot be destroyed: xl destroy {domid}"):
            self._calls.patient_domctl(DESTROY, domid)

    def set_max_memory(self, domid: int, max_memory_kib: int) -> None:
        self.alive(domid)
        if not 0 <= max_memory_kib < 1 << 53:
            raise HypervisorError(errno.EINVAL, f"domain {domid} cannot have {max_memory_kib} KiB")
        with refusing(f"domain {domid} cannot have at most {max_memory_kib} KiB"):
            bound = max_memory_kib + _slack_kib(domid)
            self._calls.domctl(MAX_MEM_OP, domid, MAX_MEM.pack(max_memkb=bound))

    def claim(self, domid: int, memory_kib: int) -> None:
        info = self.alive(domid).info
        pages = -(-memory_kib // PAGE_KIB)
        if not 0 < pages <= -(-info.max_memory_kib // PAGE_KIB):
            raise HypervisorError(
                errno.EINVAL,
                f"{memory_kib} KiB cannot be set aside for domain {domid}: it may have "
                f"{info.max_memory_kib} KiB; raise its maxmem",
            )
        reasons = {
            errno.ENOMEM: "the host has not enough free memory; end a domain, or give one less (xl mem-set)",
            errno.EINVAL: f"it has {info.memory_kib} KiB, and {info.outstanding_kib} KiB set aside already",
        }
        with refusing(f"{memory_kib} KiB cannot be set aside for domain {domid}", reasons):
            self._calls.operation(MEMORY_OP, CLAIM_PAGES, MEMORY_RESERVATION, nr_extents=pages, domid=domid)

    def send_trigger(self, domid: int, trigger: str, vcpu: int = 0) -> None:
        """Have one of TRIGGERS come to a vCPU.

        Raises:
            HypervisorError: EINVAL: there is no such trigger or vCPU, or it is not for this type of domain.
        """
        self.alive(domid)
        if trigger not in TRIGGERS:
            raise HypervisorError(errno.EINVAL, f"there is no trigger {trigger!r}: {', '.join(TRIGGERS)}")
        refused = f"there is no vCPU {vcpu}, or {trigger} is not for domains of its type"
        with refusing(
            f"{trigger} cannot be sent to domain {domid}",
            {errno.EINVAL: refused, errno.ENOSYS: refused},
        ):
            arguments = SEND_TRIGGER.pack(trigger=TRIGGERS.index(trigger), vcpu=vcpu)
            try:
                self._calls.domctl(SENDTRIGGER, domid, arguments)
            except ProcessLookupError as error:  # the domain is there: it has no such vCPU
                raise OSError(errno.EINVAL, "no such vCPU") from error

    def watchdog(self, timer: int, timeout_s: int) -> int:
        """Of the domain in which this program runs: see `Hypervisor.watchdog`."""
        if not 0 <= timer <= WATCHDOG_TIMERS or not 0 <= timeout_s < 1 << 32 or not timer | timeout_s:
            raise HypervisorError(
                errno.EINVAL,
                f"watchdog timer {timer} cannot be set to {timeout_s} s: timers are 1 to {WATCHDOG_TIMERS}, "
                "or 0 for a free one, which needs a time",
            )
        reasons = {
            errno.ENOSPC: f"all {WATCHDOG_TIMERS} are armed; another watchdog daemon runs, or ended without "
            "disarming its own",
            errno.EINVAL: "it is not armed",
        }
        with refusing(f"watchdog timer {timer} cannot be set to {timeout_s} s", reasons):
            result = self._calls.operation_result(
                SCHED_OP, WATCHDOG_OP, WATCHDOG, id=timer, timeout=timeout_s
            )
        return timer or result


def _slack_kib(domid: int) -> int:
    """dom0 has none: its kernel was given all that it may have."""
    return SLACK_KIB if domid else 0


def _record(fields: dict[str, int | bytes]) -> Record:
    numbers = {name: value for name, value in fields.items() if isinstance(value, int)}
    handle = fields["handle"]
    assert isinstance(handle, bytes)
    domid, flags = numbers["domain"], numbers["flags"]
    is_shutdown = bool(flags & SHUTDOWN)
    info = DomainInfo(
        domid=domid,
        uuid=str(UUID(bytes=handle)),
        is_running=bool(flags & RUNNING),
        is_blocked=bool(flags & BLOCKED),
        is_paused=bool(flags & PAUSED),
        is_shutdown=is_shutdown,
        is_dying=bool(flags & DYING),
        shutdown_reason=flags >> _REASON_AT & 0xFF if is_shutdown else None,
        memory_kib=numbers["tot_pages"] * PAGE_KIB,
        max_memory_kib=max(0, numbers["max_pages"] * PAGE_KIB - _slack_kib(domid)),
        bound_kib=numbers["max_pages"] * PAGE_KIB,
        outstanding_kib=numbers["outstanding_pages"] * PAGE_KIB,
        cpu_time_ns=numbers["cpu_time"],
        vcpus=numbers["nr_online_vcpus"],
        ssid=numbers["ssidref"],
        max_vcpus=0 if numbers["max_vcpu_id"] == _NO_VCPU else numbers["max_vcpu_id"] + 1,
        pool=numbers["cpupool"],
        shared_kib=numbers["shr_pages"] * PAGE_KIB,
    )
    return Record(info, bool(flags & HVM))
