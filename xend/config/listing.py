"""A configuration in libxl's JSON, as `xl list -l` and `xl create --dryrun` print it.

Keys and enumerations are those of libxl_types.idl (tools/libs/light); as there, what has its default value is
left out, and booleans that may be undecided are the texts "True" and "False".
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import attrs

from xend.config import EVENTS, DomainConfig
from xend.config.cpuid_names import ARCH_CAPABILITIES, REGISTERS
from xend.config.cpus import ALL_CPUS, MAX_CPU, CpuSet
from xend.config.hardware import ALTP2M, PASSTHROUGH
from xend.config.libxl import not_empty
from xend.config.limits import TSC_MODES
from xend.config.machine_json import beside_machine, of_machine
from xend.config.number import number_of
from xend.config.options import OPTIONS
from xend.config.spice import spice_without_password
from xend.config.vfb import without_password
from xend.device.kinds import IN_ORDER, sees_host_memory
from xend.identity import uuid_of

__all__ = ["as_json", "without_secrets"]

_DEFAULT_ACTION = "destroy"
#: Where libxl's words are not the options'.
_ACTIONS = {"rename-restart": "restart_rename"}


def as_json(config: DomainConfig, domid: int | None, cpus: int = MAX_CPU + 1) -> dict[str, Any]:
    """{"domid": domid, "config": what libxl would have made of the configuration}; cpus: the host's."""
    events = {f"on_{event}": _action(config.actions[event]) for event in EVENTS}
    return {
        "domid": domid,
        "config": {
            "c_info": _create_info(config),
            "b_info": _build_info(config, cpus),
            **not_empty(**_devices(config)),
            **{event: action for event, action in events.items() if action != _DEFAULT_ACTION},
        },
    }


def _create_info(config: DomainConfig) -> dict[str, Any]:
    return {
        "type": config.type,
        "name": config.name,
        **not_empty(uuid=config.uuid and uuid_of(config.uuid)),
        "run_hotplug_scripts": "True",
        **not_empty(
            driver_domain=_said(config, "driver_domain"),
            ssid_label=config.labels.first,
            pool_name=config.pool,
            hap=_said(config, "hap"),
            oos=_said(config, "oos"),
            passthrough=None
            if config.hardware.passthrough == PASSTHROUGH[0]
            else config.hardware.passthrough,
            xend_suspend_evtchn_compat=_said(config, "xend_suspend_evtchn_compat"),
        ),
    }


def _build_info(config: DomainConfig, cpus: int) -> dict[str, Any]:
    limits = config.limits
    frames = {"max_grant_frames": limits.grant_frames, "max_maptrack_frames": limits.maptrack_frames}
    sees_host = True if sees_host_memory(config) else config.e820_host
    of_type: dict[str, Any] = {"e820_host": _undecided(sees_host)}
    if config.type != "pv":
        of_type = {"pvshim": _said(config, "pvshim")}
    if config.machine is not None:
        of_type = of_machine(config.machine, partial(_said, config))
    return {
        "max_vcpus": config.max_vcpus,
        "avail_vcpus": list(range(config.vcpus)),
        **not_empty(
            vcpu_hard_affinity=_hard_affinity(config, cpus),
            vcpu_soft_affinity=_affinity(config.cpus_soft, cpus),
            numa_placement="False" if _is_placed(config) else None,
            tsc_mode=None if config.tsc_mode == TSC_MODES[0] else config.tsc_mode,
        ),
        "max_memkb": config.max_memory_kib,
        "target_memkb": config.memory_kib,
        **not_empty(disable_migrate=_undecided(config.nomigrate)),
        **_boot_loader(config),
        **_device_model(config),
        **not_empty(acpi=_said(config, "acpi")),
        **not_empty(kernel=config.kernel, cmdline=config.command_line, ramdisk=config.ramdisk),
        **({} if config.machine is None else beside_machine(config.machine, partial(_said, config))),
        **{key: frame for key, frame in frames.items() if frame is not None},
        **not_empty(
            max_grant_version=limits.grant_version,
            event_channels=limits.event_channels,
            ioports=[not_empty(first=first, number=number) for first, number in config.ioports],
            irqs=list(config.irqs),
            iomem=[_frames(*frames) for frames in config.iomem],
        ),
        **not_empty(
            exec_ssid_label=config.labels.running, device_model_ssid_label=config.labels.device_model
        ),
        **_hardware(config),
        f"type.{config.type}": not_empty(**of_type),
    }


def _boot_loader(config: DomainConfig) -> dict[str, Any]:
    found = config.boot_loader
    return {} if found is None else not_empty(bootloader=found.program, bootloader_args=list(found.args))


def _device_model(config: DomainConfig) -> dict[str, Any]:
    options = config.device_model
    return not_empty(
        device_model=options.program,
        device_model_user=options.user,
        extra=list(options.args),
        **{"extra_hvm" if config.type == "hvm" else "extra_pv": list(options.args_of_type)},
        dm_restrict=_undecided(options.is_restricted),
    )


def _hard_affinity(config: DomainConfig, cpus: int) -> list[list[int]]:
    """The same less what the masks of xl.conf leave out."""
    if not config.cpu_masks:
        return _affinity(config.cpus, cpus)
    sets = [*config.cpus, *[None] * (config.max_vcpus - len(config.cpus))]
    allowed = set.intersection(*(set(mask.of(cpus, [range(cpus)])) for mask in config.cpu_masks))
    return [[cpu for cpu in found if cpu in allowed] for found in _affinity(sets, cpus)]


def _hardware(config: DomainConfig) -> dict[str, Any]:
    """Processor, clock and share of the CPUs."""
    hardware, share, clock = config.hardware, config.share, config.clock
    shares = {"weight": share.weight, "cap": share.cap, "period": share.period_us}
    shares["extratime"] = None if share.extra_time is None else int(share.extra_time)
    return not_empty(
        sched_params={key: value for key, value in shares.items() if value is not None},
        shadow_memkb=1024 * (hardware.shadow_mib or 0),
        rtc_timeoffset=clock.offset_s & 0xFFFFFFFF,
        localtime=_said(config, "localtime"),
        cpuid=_cpuid(config),
        nested_hvm=_said(config, "nestedhvm"),
        arch_x86=not_empty(msr_relaxed=_said(config, "msr_relaxed")),
        altp2m=None if hardware.altp2m == ALTP2M[0] else hardware.altp2m,
        vmtrace_buf_kb=hardware.trace_kib,
        vpmu=_said(config, "vpmu"),
    )


def _said(config: DomainConfig, option: str) -> str | None:
    """A boolean that was given, and that has effect on the domain."""
    value = config.given.get(option)
    if value is None or not OPTIONS[option].has_effect(config.type):
        return None
    return str(number_of(str(value).strip()) != 0)


def _cpuid(config: DomainConfig) -> dict[str, Any]:
    policy = config.cpuid
    leaves = [
        {
            "leaf": leaf,
            **({} if subleaf is None else {"subleaf": subleaf}),
            **not_empty(**dict(zip(REGISTERS, registers, strict=True))),
        }
        for leaf, subleaf, registers in policy.leaves
    ]
    msrs = [{"index": ARCH_CAPABILITIES, "policy": policy.capabilities}] if policy.capabilities else []
    return {"cpuid": leaves, "msr": msrs} if leaves or msrs else {}


def _affinity(sets: Sequence[CpuSet | None], cpus: int) -> list[list[int]]:
    """Of each virtual CPU; where a node of several is meant, as of a host with one."""
    return [list((each or ALL_CPUS).of(cpus, [range(cpus)])) for each in sets]


def _is_placed(config: DomainConfig) -> bool:
    """Whether libxl would look for no NUMA nodes by itself."""
    return isinstance(config.given.get("cpus"), list) or bool(config.cpus_soft)


def _frames(start: int, number: int, gfn: int | None) -> dict[str, int]:
    return {"start": start, "number": number, **({} if gfn is None else {"gfn": gfn})}


def _undecided(value: bool | None) -> str | None:
    return None if value is None else str(value)


def _devices(config: DomainConfig) -> dict[str, Any]:
    items = {kind.json_key: map(kind.as_json, config.of_kind(kind.name)) for kind in IN_ORDER}
    return {key: [item for item in of_kind if item is not None] for key, of_kind in items.items()}


def without_secrets(config: DomainConfig) -> DomainConfig:
    """The same, for those who may not know its passwords."""
    public = {kind.name: list(map(kind.public, config.of_kind(kind.name))) for kind in IN_ORDER}
    machine = config.machine
    if machine is not None:
        devices = machine.devices
        screen, spice = without_password(devices.screen), spice_without_password(devices.spice)
        machine = attrs.evolve(machine, devices=attrs.evolve(devices, screen=screen, spice=spice))
    return attrs.evolve(
        config, machine=machine, devices={name: found for name, found in public.items() if found}
    )


def _action(action: str) -> str:
    return _ACTIONS.get(action, action.replace("-", "_"))
