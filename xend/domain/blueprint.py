"""What the hypervisor is told of a configuration: what a domain is created from, boots, and may touch."""

from datetime import datetime
from typing import cast

from xend.bootloader.outcome import Outcome
from xend.config import DomainConfig
from xend.config.hardware import NO_PASSTHROUGH, PASSTHROUGH
from xend.device.kinds import sees_host_memory
from xend.device.pci import PCI
from xend.domain.capabilities import has_iommu
from xend.domain.labels import first_label
from xend.domain.machine import loader_of, machine_of
from xend.domain.placing import pool_number
from xend.host import Host
from xend.hypervisor import MAX_EVENT_CHANNELS, Blueprint, DomainType, HostAccess, Image
from xend.identity import uuid_of


async def blueprint_of(host: Host, uuid: str, config: DomainConfig) -> Blueprint:
    """What the domain is created from.

    Raises:
        XendError: bad_config: there is no such CPU pool; as `check_labels`.
    """
    limits, hardware = config.limits, config.hardware
    return Blueprint(
        uuid=uuid_of(uuid),
        type=cast(DomainType, config.type),
        max_vcpus=config.max_vcpus,
        max_memory_kib=config.max_memory_kib,
        max_event_channels=limits.event_channels or MAX_EVENT_CHANNELS,
        max_grant_frames=limits.grant_frames,
        max_maptrack_frames=limits.maptrack_frames,
        max_grant_version=limits.grant_version,
        pool=await pool_number(host, config),
        is_migratable=not config.nomigrate,
        tsc_mode=config.tsc_mode,
        clock_offset_s=clock_offset_s(config, host.wall_clock()),
        has_nested_virt=hardware.nested,
        has_vpmu=hardware.vpmu,
        is_hap=hardware.hap,
        has_out_of_sync=hardware.oos,
        has_iommu=await _has_iommu(host, config),
        altp2m=hardware.altp2m,
        altp2m_count=hardware.altp2m_count,
        is_msr_relaxed=hardware.msr_relaxed,
        trace_kib=hardware.trace_kib,
        paging_kib=None if hardware.shadow_mib is None else 1024 * hardware.shadow_mib,
        label=await first_label(host, config),
        has_pirq=None if config.machine is None else config.machine.pirq,
    )


async def _has_iommu(host: Host, config: DomainConfig) -> bool:
    """Whether the domain may be given devices under an IOMMU: where it is to have one and the host can."""
    if config.hardware.passthrough != PASSTHROUGH[0]:
        return config.hardware.passthrough != NO_PASSTHROUGH
    if not config.of_kind(PCI.name):
        return False
    return has_iommu(await host.hypervisor.host_info())


async def image_of(host: Host, uuid: str, config: DomainConfig, found: Outcome | None = None) -> Image:
    """What it boots, and the memory with which it does; raises as `blueprint_of`.

    found: what its boot loader found, if it has one.
    """
    machine = None
    if config.machine is not None:
        info = await host.hypervisor.host_info()
        machine, kernel, ramdisk = machine_of(host, config, info), loader_of(host, config, info), None
    elif found is not None:
        kernel, ramdisk = found.kernel, found.ramdisk
    else:
        kernel, ramdisk = kernel_of(host, config) or "", _ramdisk_of(host, config)
    return Image(
        blueprint=await blueprint_of(host, uuid, config),
        memory_kib=config.memory_kib,
        kernel=kernel,
        ramdisk=ramdisk,
        machine=machine,
        command_line=config.command_line if found is None else found.args,
        vcpus=config.vcpus,
        cpuid=config.cpuid.leaves,
        arch_capabilities=config.cpuid.capabilities,
        has_host_memory_map=config.type == "pv" and sees_host_memory(config),
    )


def clock_offset_s(config: DomainConfig, now: float) -> int:
    """How far its wall clock is before the host's UTC, if it begins now (seconds since 1970)."""
    local = datetime.fromtimestamp(now).astimezone().utcoffset() if config.clock.is_local else None
    return config.clock.offset_s + (0 if local is None else round(local.total_seconds()))


def kernel_of(host: Host, config: DomainConfig) -> str | None:
    """The path of its kernel in dom0; None: a boot loader finds it, or firmware starts what it likes."""
    if config.boot_loader is not None or config.machine is not None:
        return None
    return host.settings.guest_file(config.kernel or "")


def _ramdisk_of(host: Host, config: DomainConfig) -> str | None:
    return None if config.ramdisk is None else host.settings.guest_file(config.ramdisk)


def access_of(config: DomainConfig) -> HostAccess:
    """What of the host's hardware the configuration lets it touch."""
    return HostAccess(
        memory=[(first, n, first if gfn is None else gfn) for first, n, gfn in config.iomem] or (),
        ports=config.ioports,
        irqs=config.irqs,
    )
