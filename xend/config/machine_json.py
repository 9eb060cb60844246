"""The machine of an hvm domain in libxl's JSON (libxl_types.idl, u.hvm), and back."""

from collections.abc import Callable, Mapping
from typing import Any

from xend.config.libxl import flag, not_empty, number, text
from xend.config.machine import Machine
from xend.config.machine_devices import DEFAULT_BOOT
from xend.config.spice import lines_of_spice, spice_as_json
from xend.config.vfb_json import vfb_as_json, vfb_of_json
from xend.config.viridian import viridian_of_json

__all__ = ["beside_machine", "lines_of_machine", "of_machine"]

_KINDS = {"stdvga": "std"}
#: Booleans that libxl calls as the options.
_FLAGS = (
    "pae", "acpi_s3", "acpi_s4", "acpi_laptop_slate", "hpet", "vpt_align", "nographic", "usb", "vkb_device",
    "xen_platform_pci",
)  # fmt: skip
#: Texts whose keys are others than the options.
_TEXTS = {
    "firmware_override": "firmware", "bios_path_override": "system_firmware", "bios": "bios",
    "smbios_firmware": "smbios_firmware", "acpi_firmware": "acpi_firmware", "hdtype": "hdtype",
    "boot": "boot", "soundhw": "soundhw", "vendor_device": "vendor_device",
}  # fmt: skip
_KIB_PER_MIB = 1024


def beside_machine(machine: Machine, said: Callable[[str], str | None]) -> dict[str, Any]:
    """What stands in b_info itself; said: an option's boolean, where it was given."""
    return not_empty(
        video_memkb=_KIB_PER_MIB * machine.devices.video_mib if machine.devices.is_video_given else None,
        apic=said("apic"),
        timer_mode=machine.timer_mode if machine.is_timer_given else None,
    )


def of_machine(machine: Machine, said: Callable[[str], str | None]) -> dict[str, Any]:
    """What stands in type.hvm."""
    firmware, devices = machine.firmware, machine.devices
    screen = vfb_as_json(devices.screen)
    vga = {"kind": _KINDS.get(devices.vga, devices.vga)} if devices.is_vga_given else {}
    return not_empty(
        firmware=firmware.loader,
        bios=firmware.bios if firmware.is_given else None,
        system_firmware=firmware.path,
        smbios_firmware=firmware.smbios_tables,
        acpi_firmware=firmware.acpi_tables,
        **{name: said(name) for name in _FLAGS},
        **machine.viridian.as_json(),
        mmio_hole_memkb=_KIB_PER_MIB * (machine.hole_mib or 0),
        hdtype="ahci" if devices.is_ahci else None,
        vga=vga,
        vnc=screen["vnc"],
        sdl=screen["sdl"],
        keymap=screen.get("keymap"),
        spice=spice_as_json(devices.spice, said),
        boot=devices.boot if devices.boot != DEFAULT_BOOT or devices.is_boot_given else None,
        soundhw=devices.sound,
        usbversion=devices.usb_version,
        usbdevice=devices.usb_devices[0] if devices.is_usb_single else None,
        usbdevice_list=[] if devices.is_usb_single else list(devices.usb_devices),
        serial=devices.serial[0] if devices.is_serial_single else None,
        serial_list=[] if devices.is_serial_single else list(devices.serial),
        vendor_device="xenserver" if devices.vendor_device else None,
        mca_caps=int(machine.lmce),
    )


def lines_of_machine(build: Mapping[str, Any], of_type: Mapping[str, Any]) -> dict[str, Any]:
    """The options of xl.cfg(5) that mean the same: texts, numbers, booleans and lists.

    Raises:
        ValueError: a value cannot be said there.
    """
    found: dict[str, Any] = {name: flag(of_type, name) for name in _FLAGS}
    found |= {option: text(of_type, key) for option, key in _TEXTS.items()}
    for option in ("acpi", "apic"):
        found[option] = flag(build, option) if flag(build, option) is not None else flag(of_type, option)
    found["timer_mode"] = text(build, "timer_mode") or text(of_type, "timer_mode")
    found["videoram"] = (number(build, "video_memkb") or 0) // _KIB_PER_MIB or None
    found["mmio_hole"] = (number(of_type, "mmio_hole_memkb") or 0) // _KIB_PER_MIB or None
    vga = of_type.get("vga")
    kind = text(vga, "kind") if isinstance(vga, dict) else None
    found["vga"] = next((own for own, word in _KINDS.items() if word == kind), kind)
    found["usbversion"] = number(of_type, "usbversion") or None
    for option in ("serial", "usbdevice"):
        many = of_type.get(f"{option}_list")
        found[option] = [each for each in many if isinstance(each, str)] if isinstance(many, list) else None
        found[option] = found[option] or text(of_type, option)
    found |= lines_of_spice(of_type)
    found["mca_caps"] = ["lmce"] if number(of_type, "mca_caps") else []
    found["viridian"] = viridian_of_json(of_type)
    for word in filter(None, (vfb_of_json(of_type) or "").split(",")):
        key, _, value = word.partition("=")
        found[key] = value
    return found
