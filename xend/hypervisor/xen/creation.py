"""A new domain: XEN_DOMCTL_createdomain and what belongs to it (domain-build.md 1 and 6).

Source: xen/include/public/domctl.h
"""

import errno
from uuid import UUID

from xend.hypervisor import ALTP2M, TSC_MODES, Blueprint, HypervisorError
from xend.hypervisor.xen.calls import Calls
from xend.hypervisor.xen.domains import Domains
from xend.hypervisor.xen.host import (
    CAN_DIRECTIO,
    CAN_HAP,
    CAN_HVM,
    CAN_PV,
    CAN_SHADOW,
    CAN_TRACE,
    CAN_VPMU,
    GRANTS_V1,
    GRANTS_V2,
    Host,
)
from xend.hypervisor.xen.layouts import MAX_VCPUS, TIME_OFFSET, TSC_INFO, Release
from xend.hypervisor.xen.pools import Pools
from xend.hypervisor.xen.refusal import refusing

MAX_VCPUS_OP = 15
SETTIMEOFFSET = 24
SETTSCINFO = 60

#: XEN_DOMCTL_CDF_*.
HVM, HAP = 1, 2
OOS_OFF, IOMMU, NESTED_VIRT, VPMU = 1 << 3, 1 << 5, 1 << 6, 1 << 7
#: How many other views of its memory a domain has unless it is said, as with libxl.
ALTP2M_COUNT = 10
#: XEN_X86_MSR_RELAXED.
MSR_RELAXED = 1
#: What the processor traces of a virtual CPU has room in at most (xen/common/domain.c).
MAX_TRACE_KIB = 64 << 10
#: XEN_X86_EMU_LAPIC, all that is emulated for a PVH domain.
LAPIC = 1
#: What Xen plays of an HVM domain's machine: XEN_X86_EMU_LAPIC to XEN_X86_EMU_PIT, and XEN_X86_EMU_USE_PIRQ.
MACHINE, USE_PIRQ = 0x1FF, 1 << 9
#: "As many as the hypervisor gives by itself."
_DEFAULT_FRAMES = -1
_INT_MAX = 0x7FFFFFFF


class Creation:
    """Makes domains."""

    def __init__(self, calls: Calls, host: Host, domains: Domains, pools: Pools) -> None:
        self._calls = calls
        self._host = host
        self._domains = domains
        self._pools = pools

    def create(self, blueprint: Blueprint) -> int:
        """The domid; see `Hypervisor.create`.  Nothing is left of one that fails."""
        domid = self._create(blueprint, self._host.physinfo()["capabilities"])
        try:
            self._settle(domid, blueprint)
        except BaseException:
            self._domains.destroy_new(domid)
            raise
        return domid

    def _create(self, blueprint: Blueprint, capabilities: int) -> int:
        what = f"no domain {blueprint.uuid} can be created"
        _check(blueprint, what)
        values: dict[str, int | bytes] = {
            "ssidref": blueprint.label,
            "handle": UUID(blueprint.uuid).bytes,
            "flags": _flags(blueprint, capabilities, what),
            "emulation_flags": _emulated(blueprint, self._calls.release),
            "misc_flags": MSR_RELAXED if blueprint.is_msr_relaxed else 0,
            "vmtrace_size": blueprint.trace_kib * 1024,
            "max_vcpus": blueprint.max_vcpus,
            "max_evtchn_port": blueprint.max_event_channels,
            "max_grant_frames": _frames(blueprint.max_grant_frames),
            "max_maptrack_frames": _frames(blueprint.max_maptrack_frames),
        }
        release = self._calls.release
        if release.bounds_grant_version:
            values["grant_opts"] = _grant_version(blueprint, capabilities)
        if release.creates_altp2m and blueprint.altp2m != "disabled":
            values["altp2m"] = ALTP2M.index(blueprint.altp2m)
            if release.counts_altp2m:
                values["altp2m_count"] = blueprint.altp2m_count or ALTP2M_COUNT
        if release.creates_in_pool:
            values["cpupool_id"] = blueprint.pool
        reasons = {
            errno.EINVAL: f"it is too large for this Xen: {blueprint.max_vcpus} vCPUs, "
            f"{blueprint.max_event_channels} event channels, {blueprint.max_grant_frames} grant frames, "
            f"{blueprint.max_maptrack_frames} maptrack frames (None: Xen's default); `xl dmesg` may say more",
            errno.ESRCH: f"there is no CPU pool {blueprint.pool}; xl cpupool-list shows those there are",
            errno.ENOMEM: "the hypervisor has no memory for it; end a domain, or give one less (xl mem-set)",
            errno.EOPNOTSUPP: f"this host cannot run {blueprint.type} domains",
        }
        with refusing(what, reasons):
            return self._calls.create(release.create.pack(**values), release.any_domid)

    def _settle(self, domid: int, blueprint: Blueprint) -> None:
        """What the first call does not do."""
        if not self._calls.release.creates_in_pool and blueprint.pool != 0:
            self._pools.move_domain(domid, blueprint.pool)
        with refusing(f"domain {domid} cannot have {blueprint.max_vcpus} vCPUs"):
            self._calls.domctl(MAX_VCPUS_OP, domid, MAX_VCPUS.pack(max=blueprint.max_vcpus))
        self._domains.set_max_memory(domid, blueprint.max_memory_kib)
        mode = TSC_MODES.index(blueprint.tsc_mode)
        with refusing(f"domain {domid} cannot have tsc_mode {blueprint.tsc_mode}"):
            self._calls.domctl(SETTSCINFO, domid, TSC_INFO.pack(tsc_mode=mode))
        offset = blueprint.clock_offset_s
        if offset:
            with refusing(f"domain {domid}'s clock cannot be {offset} seconds before the host's"):
                self._calls.domctl(SETTIMEOFFSET, domid, TIME_OFFSET.pack(time_offset_seconds=offset))


def _check(blueprint: Blueprint, what: str) -> None:
    """Raises HypervisorError for what no hypervisor can take."""
    faults = (
        (not 1 <= blueprint.max_vcpus < 1 << 32, f"it cannot have {blueprint.max_vcpus} vCPUs"),
        (
            not 0 <= blueprint.max_event_channels <= _INT_MAX,
            f"it cannot have {blueprint.max_event_channels} event channels",
        ),
        (
            not all(
                frames is None or 0 <= frames <= _INT_MAX
                for frames in (blueprint.max_grant_frames, blueprint.max_maptrack_frames)
            ),
            f"it cannot have {blueprint.max_grant_frames} grant and {blueprint.max_maptrack_frames} "
            "maptrack frames",
        ),
        (
            blueprint.max_grant_version not in (None, 1, 2),
            f"there is no version {blueprint.max_grant_version} of grant tables, but 1 and 2",
        ),
        (not -1 << 63 <= blueprint.clock_offset_s < 1 << 63, "no clock is so far from another"),
        (
            not _is_trace_size(blueprint.trace_kib),
            f"{blueprint.trace_kib} KiB for traces: 0, or a power of 2 from 4 to {MAX_TRACE_KIB}",
        ),
        (
            blueprint.altp2m not in ALTP2M or not 0 <= (blueprint.altp2m_count or 0) < 1 << 16,
            f"altp2m {blueprint.altp2m}, {blueprint.altp2m_count} views: {', '.join(ALTP2M)}, up to 65535",
        ),
        (not 0 <= blueprint.pool < 1 << 32, f"there is no CPU pool {blueprint.pool}"),
        (
            blueprint.tsc_mode not in TSC_MODES or blueprint.tsc_mode == "native_paravirt",
            f"Xen has no tsc_mode {blueprint.tsc_mode!r} (native_paravirt ended with 4.14): "
            "default, always_emulate or native",
        ),
    )
    for is_fault, text in faults:
        if is_fault:
            raise HypervisorError(errno.EINVAL, f"{what}: {text}")


def _is_trace_size(kib: int) -> bool:
    return not kib or (4 <= kib <= MAX_TRACE_KIB and kib & kib - 1 == 0)


def _flags(blueprint: Blueprint, capabilities: int, what: str) -> int:
    """XEN_DOMCTL_CDF_* of a domain on a host."""
    wanted = (
        (blueprint.has_vpmu, VPMU, CAN_VPMU, "performance counters (vpmu)"),
        (blueprint.has_iommu, IOMMU, CAN_DIRECTIO, "an IOMMU that is on (directio)"),
        (blueprint.trace_kib > 0, 0, CAN_TRACE, "traces of processors (vmtrace)"),
        (blueprint.has_nested_virt, NESTED_VIRT, CAN_HAP, "nested paging (hap)"),
        (not blueprint.has_out_of_sync and blueprint.type != "pv", OOS_OFF, 0, ""),
    )
    flags = _flags_of_type(blueprint.type, blueprint.is_hap, capabilities, what)
    for is_wanted, flag, capability, words in wanted:
        if is_wanted and capabilities & capability != capability:
            raise HypervisorError(
                errno.EOPNOTSUPP, f"{what}: this host has not {words}, as `xl info` shows in virt_caps"
            )
        flags |= flag if is_wanted else 0
    return flags


def _flags_of_type(type: str, is_hap: bool | None, capabilities: int, what: str) -> int:
    if type == "pv" and capabilities & CAN_PV:
        return 0
    if type != "pv" and capabilities & CAN_HVM:
        if capabilities & CAN_HAP and is_hap is not False:
            return HVM | HAP
        if capabilities & CAN_SHADOW and is_hap is not True:
            return HVM
    lacks = "PV in its Xen" if type == "pv" else "the processor's help (hvm, and hap or shadow)"
    raise HypervisorError(
        errno.EOPNOTSUPP,
        f"{what}: this host cannot run {type} domains, it lacks {lacks}; "
        "`xl info` shows what it has as virt_caps",
    )


def _emulated(blueprint: Blueprint, release: Release) -> int:
    """XEN_X86_EMU_* of a domain."""
    if blueprint.type != "hvm":
        return LAPIC if blueprint.type == "pvh" else 0
    has_pirq = release.has_pirq if blueprint.has_pirq is None else blueprint.has_pirq
    return MACHINE | (USE_PIRQ if has_pirq else 0)


def _frames(frames: int | None) -> int:
    return _DEFAULT_FRAMES if frames is None else frames


def _grant_version(blueprint: Blueprint, capabilities: int) -> int:
    if blueprint.max_grant_version is not None:
        return blueprint.max_grant_version
    return 2 if capabilities & GRANTS_V2 else 1 if capabilities & GRANTS_V1 else 0
