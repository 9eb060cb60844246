"""The emulated machine of an hvm domain: what the hypervisor and its device model are told."""

from collections.abc import Sequence

import attrs

from xend.config import DomainConfig
from xend.device.files import check_file, check_readable
from xend.device.nodes import value_of
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import HostInfo, Machine
from xend.model.machine import Machine as ModelMachine
from xend.model.part import Drive, Part

__all__ = ["check_machine", "loader_of", "machine_of", "model_machine_of", "resolved"]


def check_machine(host: Host, config: DomainConfig, info: HostInfo, parts: Sequence[Part]) -> None:
    """See that an hvm domain's firmware is there, and that its files and emulated disks can be read.

    Raises:
        XendError: bad_image, unsupported.
    """
    if config.machine is None:
        return
    firmware = config.machine.firmware
    loader_of(host, config, info)
    _bios(host, config, info)
    for what, path in (
        ("hvmloader", firmware.loader),
        ("firmware", firmware.path),
        ("acpi_firmware", firmware.acpi_tables),
        ("smbios_firmware", firmware.smbios_tables),
    ):
        if path is not None:
            check_file(what, host.settings.guest_file(path))
    for part in parts:
        if part.drive is not None and part.drive.path is not None and part.drive.node is None:
            check_readable("disk", part.drive.path, part.drive.label)


def loader_of(host: Host, config: DomainConfig, info: HostInfo) -> str:
    """The path of what the domain begins with.  Raises: XendError: unsupported."""
    assert config.machine is not None
    named = config.machine.firmware.loader
    return host.settings.guest_file(named) if named else _file_of(host, "hvmloader", info)


def machine_of(host: Host, config: DomainConfig, info: HostInfo) -> Machine | None:
    """What the hypervisor is told; None: it is no hvm domain.  Raises: XendError: unsupported."""
    wanted = config.machine
    if wanted is None:
        return None
    machine = Machine(
        firmware=_bios(host, config, info),
        acpi_tables=_guest_file(host, wanted.firmware.acpi_tables),
        smbios_tables=_guest_file(host, wanted.firmware.smbios_tables),
        video_kib=1024 * wanted.video_mib,
        has_apic=wanted.apic,
        has_pae=wanted.pae,
        has_hpet=wanted.hpet,
        is_vpt_aligned=wanted.vpt_align,
        timer_mode=wanted.timer_mode,
        viridian=wanted.viridian.seen,
        has_lmce=wanted.lmce,
    )
    return machine if wanted.hole_mib is None else attrs.evolve(machine, hole_kib=1024 * wanted.hole_mib)


def model_machine_of(host: Host, config: DomainConfig, processors: int | None = None) -> ModelMachine | None:
    """What its device model is told; None: it is no hvm domain.

    processors: that it has from the start; None: as many as the domain uses.
    """
    wanted = config.machine
    if wanted is None:
        return None
    devices = wanted.devices
    return ModelMachine(
        kernel=_guest_file(host, config.kernel),
        ramdisk=_guest_file(host, config.ramdisk),
        command_line=config.command_line,
        vga=devices.vga,
        video_mib=devices.video_mib,
        boot=devices.boot,
        serial=devices.serial,
        usb=devices.usb,
        usb_devices=devices.usb_devices,
        usb_version=devices.usb_version,
        sound=devices.sound,
        has_acpi=wanted.acpi,
        has_platform_pci=devices.platform_pci,
        has_vendor_device=devices.vendor_device,
        nographic=devices.nographic,
        vcpus=config.vcpus if processors is None else processors,
        max_vcpus=config.max_vcpus,
        hole_mib=wanted.hole_mib,
    )


async def resolved(host: Host, parts: Sequence[Part]) -> list[Part]:
    """The same, with the paths of disks that scripts have chosen.

    Raises:
        XendError: device_failed: a script has not told.
    """
    return [await _resolved(host, part) for part in parts]


async def _resolved(host: Host, part: Part) -> Part:
    drive = part.drive
    if drive is None or drive.node is None:
        return part
    found = await value_of(host.store, drive.node)
    if not found:
        raise _no_path(drive)
    return attrs.evolve(part, drive=attrs.evolve(drive, path=found.decode("utf-8", "surrogateescape")))


def _no_path(drive: Drive) -> XendError:
    return XendError(
        "device_failed",
        f"{drive.label}: its script does not say which device in dom0 it is, so that it cannot be emulated",
        device=drive.label,
        cause="the node physical-device-path of its backend is empty",
        hint="another script, or a vdev from xvde on, which is not emulated",
    )


def _bios(host: Host, config: DomainConfig, info: HostInfo) -> str | None:
    """The path of what hvmloader starts."""
    assert config.machine is not None
    firmware = config.machine.firmware
    if firmware.path is not None:
        return host.settings.guest_file(firmware.path)
    return _file_of(host, firmware.bios, info)


def _file_of(host: Host, name: str, info: HostInfo) -> str:
    return host.models.system.firmware(name, f"{info.xen_major}.{info.xen_minor}", host.settings.platform)


def _guest_file(host: Host, path: str | None) -> str | None:
    return None if path is None else host.settings.guest_file(path)
