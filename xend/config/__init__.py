"""What a domain is to be, as xl.cfg(5) says it: `parse` text into a `DomainConfig`.

Parsed, never executed; nothing here opens a file or asks the host anything.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs

from xend.config.boot import BootLoader
from xend.config.cpuid import CpuidPolicy
from xend.config.cpus import CpuSet
from xend.config.device_model import ModelOptions
from xend.config.hardware import Hardware
from xend.config.labels import Labels
from xend.config.limits import TSC_MODES, Limits
from xend.config.machine import Machine
from xend.config.problem import Problem
from xend.config.share import Share
from xend.config.terms import Clock, StoreTerms

__all__ = ["EVENTS", "DeviceConfig", "DomainConfig"]

#: What may happen to a domain, and what is done then unless the configuration says otherwise (xl).
EVENTS: Mapping[str, str] = {
    "poweroff": "destroy",
    "reboot": "restart",
    "crash": "destroy",
    "watchdog": "destroy",
    "soft_reset": "soft-reset",
}


class DeviceConfig(Protocol):
    """What every device of a configuration has, whatever its type (xend.device.kinds).

    Attributes:
        devid: its number; None: not chosen yet.
        name: what people call it beside its type: "xvda" of "vbd xvda".
        backend: name or domid of the domain that has its backend; "0" is dom0.
        number_as_given: its number as an error calls it: "vdev xvda (number 51712)".
    """

    @property
    def devid(self) -> int | None: ...
    @property
    def name(self) -> str: ...
    @property
    def backend(self) -> str: ...
    @property
    def number_as_given(self) -> str: ...


@attrs.frozen(kw_only=True)
class DomainConfig:
    """A domain's configuration.

    Attributes:
        uuid: lower case, 8-4-4-4-12; None: to be made.
        memory_kib: at the start; max_memory_kib: at most (maxmem), not below memory_kib.
        cpus, cpus_soft: on which of the host's CPUs each virtual one may run, and should; None, and what is
            missing at the end: any.
        cpu_masks: CPUs that all masks of the host's xl.conf hold, and none else, may be used.
        pool: name or number of the CPU pool in which it runs; None: the first.
        share, clock, hardware, cpuid, store_terms, labels: see the modules of these.
        has_old_suspend: its nodes are such that a guest of xend's time finds how to suspend: all of device is
            its own, and it makes the node of the event channel itself.
        nomigrate, e820_host: as given; None: not given, which is False.
        kernel, ramdisk: files of dom0; an hvm domain without one is booted by its firmware.
        boot_loader: finds its kernel on its first disk; kernel and ramdisk are files there then, as given,
            and the command line is added to what it finds; None: dom0 has the kernel.
        device_model: how it runs, where the devices need one (xend.model).
        iomem, ioports, irqs: see xend.config.host_access.
        machine: what the emulated machine of an hvm domain is like; None: the domain is of another type.
        command_line: cmdline, or root and extra as xl joins them ("root=... extra").
        actions: by event of EVENTS, one of config.options.ACTIONS.
        devices: by the name of their type ("vif", "vbd"), those of one type in the order of the
            configuration; what each holds is a matter of its type.
        autostart_after: domains, by their names or those of their files, that are up before this one starts
            with the host; xend's own, as is autostart_delay_s.
        autostart_delay_s: how long what comes after it waits once it is up, in seconds.
        on_shutdown: what is done with it as the host stops, "shutdown" or "save"; None: not given.
        given: all options as they were assigned, name to value (text, number or list), for `xl list -l`.
        notes: what it says without effect, or as it is anyway; of interest where somebody checks it.
        warnings: what is to be told to whoever made it, though it is no error.
    """

    name: str
    uuid: str | None = None
    type: str = "pv"
    vcpus: int = 1
    max_vcpus: int = 1
    memory_kib: int = 128 * 1024
    max_memory_kib: int = 128 * 1024
    cpus: Sequence[CpuSet | None] = ()
    cpus_soft: Sequence[CpuSet | None] = ()
    cpu_masks: Sequence[CpuSet] = ()
    pool: str | None = None
    limits: Limits = attrs.field(factory=Limits)
    share: Share = attrs.field(factory=Share)
    clock: Clock = attrs.field(factory=Clock)
    hardware: Hardware = attrs.field(factory=Hardware)
    cpuid: CpuidPolicy = attrs.field(factory=CpuidPolicy)
    store_terms: StoreTerms = attrs.field(factory=StoreTerms)
    labels: Labels = attrs.field(factory=Labels)
    has_old_suspend: bool = False
    tsc_mode: str = TSC_MODES[0]
    nomigrate: bool | None = None
    e820_host: bool | None = None
    iomem: Sequence[tuple[int, int, int | None]] = ()
    ioports: Sequence[tuple[int, int]] = ()
    irqs: Sequence[int] = ()
    machine: Machine | None = None
    boot_loader: BootLoader | None = None
    device_model: ModelOptions = attrs.field(factory=ModelOptions)
    kernel: str | None = None
    ramdisk: str | None = None
    command_line: str = ""
    actions: Mapping[str, str] = attrs.field(factory=lambda: dict(EVENTS))
    devices: Mapping[str, Sequence[Any]] = attrs.field(factory=dict)
    driver_domain: bool = False
    autostart_after: Sequence[str] = ()
    autostart_delay_s: int = 0
    on_shutdown: str | None = None
    given: Mapping[str, object] = attrs.field(factory=dict)
    notes: Sequence[Problem] = attrs.field(default=(), eq=False)
    warnings: Sequence[Problem] = attrs.field(default=(), eq=False)

    def of_kind(self, kind: str) -> Sequence[Any]:
        """The devices of one type; none where the configuration has none."""
        return self.devices.get(kind, ())

    def all_devices(self) -> list[DeviceConfig]:
        """The devices of all types."""
        return [device for devices in self.devices.values() for device in devices]
