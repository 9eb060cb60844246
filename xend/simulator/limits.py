"""What a domain of the simulated host may be like; the bounds are the defaults of Xen 4.17."""

import errno
from collections.abc import Collection

from xend.hypervisor import TSC_MODES, Blueprint, HostAccess, HypervisorError
from xend.simulator.description import Hardware

MAX_VCPUS = 128
#: gnttab_max_frames, gnttab_max_maptrack_frames (xen/common/grant_table.c).
MAX_GRANT_FRAMES, MAX_MAPTRACK_FRAMES = 64, 1024
#: EVTCHN_FIFO_NR_CHANNELS (xen/include/public/event_channel.h).
MAX_EVENT_CHANNELS = 1 << 17
MAX_FRAME, MAX_PORT, MAX_IRQ = 1 << 40, 1 << 16, 1 << 10
_UUID_SIZE = 36


def check_blueprint(blueprint: Blueprint, hardware: Hardware, pools: Collection[int]) -> None:
    """Raises HypervisorError, as `Hypervisor.create` says."""
    needed = "pv" if blueprint.type == "pv" else "hvm"
    pages = {"hap", "shadow"} & set(hardware.virt_caps)
    if needed not in hardware.virt_caps or (blueprint.type != "pv" and not pages):
        raise HypervisorError(errno.EOPNOTSUPP, f"this host runs no {blueprint.type} domains")
    asked = (
        ("vpmu", blueprint.has_vpmu),
        ("vmtrace", blueprint.trace_kib > 0),
        ("pv_directio", blueprint.has_iommu),
        ("shadow", blueprint.is_hap is False and blueprint.type != "pv"),
    )
    for capability, is_asked in asked:
        if is_asked and capability not in hardware.virt_caps:
            raise HypervisorError(errno.EOPNOTSUPP, f"this host has no {capability}")
    if blueprint.pool not in pools:
        raise HypervisorError(errno.ESRCH, f"there is no CPU pool {blueprint.pool}")
    bounds = (
        ("vCPUs", blueprint.max_vcpus, MAX_VCPUS),
        ("event channels", blueprint.max_event_channels, MAX_EVENT_CHANNELS),
        ("grant frames", blueprint.max_grant_frames, MAX_GRANT_FRAMES),
        ("maptrack frames", blueprint.max_maptrack_frames, MAX_MAPTRACK_FRAMES),
        ("as version of grant tables", blueprint.max_grant_version, 2),
    )
    for what, number, most in bounds:
        if number is not None and not 1 <= number <= most:
            raise HypervisorError(errno.EINVAL, f"{number} {what}: from 1 to {most} are possible")
    if blueprint.tsc_mode not in TSC_MODES:
        raise HypervisorError(errno.EINVAL, f"there is no mode {blueprint.tsc_mode} of a time stamp counter")
    if len(blueprint.uuid) != _UUID_SIZE or blueprint.max_memory_kib < 0:
        raise HypervisorError(errno.EINVAL, "a domain needs a UUID, and no less than no memory")


def without(access: HostAccess, taken: HostAccess) -> HostAccess:
    """What is left of some access."""
    return HostAccess(
        memory=[each for each in access.memory if tuple(each) not in set(map(tuple, taken.memory))],
        ports=[each for each in access.ports if tuple(each) not in set(map(tuple, taken.ports))],
        irqs=[each for each in access.irqs if each not in taken.irqs],
    )


def check_access(access: HostAccess) -> None:
    """Raises HypervisorError, as `Hypervisor.allow_access` says."""
    ranges = [(first, count, MAX_FRAME) for first, count, _ in access.memory]
    ranges += [(first, count, MAX_PORT) for first, count in access.ports]
    ranges += [(irq, 1, MAX_IRQ) for irq in access.irqs]
    for first, count, limit in ranges:
        if first < 0 or count < 1 or first + count > limit:
            raise HypervisorError(errno.EINVAL, f"this host has no {first:#x} to {first + count - 1:#x}")
