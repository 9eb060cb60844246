"""The emulated machine of an hvm domain: options of xl.cfg(5) about its firmware, processors and clocks.

What its device model plays of it is in `xend.config.machine_devices`.  Source: tools/xl/xl_parse.c and
libxl_create.c of Xen 4.17.
"""

import os.path
from collections.abc import Sequence
from functools import partial

import attrs

from xend.config.hardware import word_or_number
from xend.config.machine_devices import MachineDevices, devices_of
from xend.config.option import other_case
from xend.config.options import OPTIONS
from xend.config.parts import path_of
from xend.config.place import listed, shown
from xend.config.problem import ConfigError, Findings, Problem
from xend.config.settings import Settings
from xend.config.viridian import Viridian, viridian_of
from xend.config.words import switched, word_of, words_of

__all__ = ["OVMF", "SEABIOS", "SMBIOS_KEYS", "Firmware", "Machine", "is_loader", "machine_of"]

#: What the firmware is called, by the words of `bios` and of `firmware`.
SEABIOS, OVMF = "seabios", "ovmf"
_FIRMWARE_WORDS = {"seabios": SEABIOS, "uefi": OVMF, "ovmf": OVMF}
#: Of firmware: that which bios says.
_BIOS = "bios"
_ROMBIOS = "it is of the device model that Xen has no longer (qemu-xen-traditional); expected seabios or ovmf"
_LOADER = "hvmloader"
#: The bounds of the hole below 4 GiB, in MiB (HVM_BELOW_4G_MMIO_LENGTH and _START).
_HOLE_MIN_MIB, _HOLE_MAX_MIB = 256, 3840
#: What is left of memory beside the graphics card's, at the least.
_REST_MIN_MIB = 4
#: Keys of smbios, and how hvmloader finds the text (xen/include/public/hvm/hvm_xs_strings.h).
SMBIOS_KEYS = (
    "bios_vendor", "bios_version", "system_manufacturer", "system_product_name", "system_version",
    "system_serial_number", "baseboard_manufacturer", "baseboard_product_name", "baseboard_version",
    "baseboard_serial_number", "baseboard_asset_tag", "baseboard_location_in_chassis",
    "enclosure_manufacturer", "enclosure_serial_number", "enclosure_asset_tag", "battery_manufacturer",
    "battery_device_name",
)  # fmt: skip
_OEM, _OEM_MAX = "oem", 99


@attrs.frozen(kw_only=True)
class Firmware:
    """What starts in it.

    Attributes:
        bios: SEABIOS or OVMF; is_given: it was asked for by its name.
        path: the file of it in dom0; None: where systems have it (xend.model.firmware).
        loader: what the domain begins with in place of hvmloader; None: hvmloader, where systems have it.
        acpi_tables, smbios_tables: files in dom0 with further tables; None: none.
        smbios: texts for its own tables, by the nodes in which hvmloader looks for them.
    """

    bios: str = SEABIOS
    is_given: bool = False
    path: str | None = None
    loader: str | None = None
    acpi_tables: str | None = None
    smbios_tables: str | None = None
    smbios: Sequence[tuple[str, str]] = ()


@attrs.frozen(kw_only=True)
class Machine:
    """What stands in these options.

    Attributes:
        devices: what its device model plays.
        hole_mib: what memory leaves free below 4 GiB; None: as much as by itself.
        acpi: it has ACPI, with sleep (acpi_s3), hibernation (acpi_s4), and a switch of a convertible (slate).
        apic, pae, hpet, vpt_align: see `xend.hypervisor.Machine`.
        timer_mode: one of the option's words; is_timer_given: it was given.
        viridian: what of Hyper-V's interfaces it sees.
        generation_id: it is told by what it is known from its clones.
        lmce: see `xend.hypervisor.Machine.has_lmce`.
        pirq: see `xend.hypervisor.Blueprint.has_pirq`.
    """

    firmware: Firmware = attrs.field(factory=Firmware)
    devices: MachineDevices = attrs.field(factory=MachineDevices)
    hole_mib: int | None = None
    acpi: bool = True
    acpi_s3: bool = True
    acpi_s4: bool = True
    slate: bool = False
    apic: bool = True
    pae: bool = True
    hpet: bool = True
    vpt_align: bool = True
    timer_mode: str = OPTIONS["timer_mode"].words[1]
    is_timer_given: bool = False
    viridian: Viridian = attrs.field(factory=Viridian)
    generation_id: bool = False
    lmce: bool = False
    pirq: bool | None = None

    @property
    def video_mib(self) -> int:
        """What of its memory its graphics card has."""
        return self.devices.video_mib

    @property
    def sleeps(self) -> bool:
        """Whether it can be sent to sleep."""
        return self.acpi and self.acpi_s3


def machine_of(
    settings: Settings, guest_type: str, directory: str | None, memory_mib: int | None
) -> Machine | None:
    """All of it; None: the domain has no such machine.

    memory_mib: what it begins with; None: that is not known.

    Raises:
        ConfigError: everything that is wrong.
    """
    findings = Findings()
    if guest_type != "hvm":
        findings.attempt(lambda: _refuse_firmware(settings), None)
        findings.attempt(lambda: _refuse_no_acpi(settings, guest_type), None)
        findings.check()
        return None

    is_on = partial(switched, settings, findings)
    machine = Machine(
        firmware=findings.attempt(lambda: _firmware(settings, directory), Firmware()),
        devices=findings.attempt(lambda: devices_of(settings), MachineDevices()),
        hole_mib=findings.attempt(
            lambda: settings.number("mmio_hole", _HOLE_MIN_MIB, _HOLE_MAX_MIB, "MiB"), None
        ),
        acpi=is_on("acpi", True),
        acpi_s3=is_on("acpi_s3", True),
        acpi_s4=is_on("acpi_s4", True),
        slate=is_on("acpi_laptop_slate", False),
        apic=is_on("apic", True),
        pae=is_on("pae", True),
        hpet=is_on("hpet", True),
        vpt_align=is_on("vpt_align", True),
        timer_mode=findings.attempt(lambda: _timer_mode(settings), Machine().timer_mode),
        is_timer_given=settings.value("timer_mode") is not None,
        viridian=findings.attempt(lambda: viridian_of(settings), Viridian()),
        generation_id=findings.attempt(lambda: word_of(settings, "ms_vm_genid") == "generate", False),
        lmce=findings.attempt(lambda: bool(words_of(settings, "mca_caps")), False),
        pirq=findings.attempt(lambda: settings.boolean("hvm_pirq"), None),
    )
    if memory_mib is not None:
        findings.attempt(partial(_check_memory, settings, machine, memory_mib), None)
    findings.attempt(lambda: _check_boot(settings), None)
    findings.check()
    return machine


def is_loader(path: str | None) -> bool:
    """Whether a kernel is hvmloader, which old files name and each such domain has anyway."""
    return path is not None and os.path.basename(path) == _LOADER


def _refuse_firmware(settings: Settings) -> None:
    if settings.text("firmware"):
        text = "this xend loads no firmware for pv and pvh domains: kernel = ... names a file of dom0"
        raise settings.error("firmware", text, code="unsupported")


def _refuse_no_acpi(settings: Settings, guest_type: str) -> None:
    if guest_type == "pvh" and settings.boolean("acpi") is False:
        text = "a pvh domain is booted with ACPI tables, and needs them; expected 1"
        raise settings.error("acpi", text, code="unsupported")


def _check_boot(settings: Settings) -> None:
    """See that what a kernel is told has a kernel."""
    findings = Findings()
    if not settings.text("kernel") or is_loader(settings.text("kernel")):
        for option in ("ramdisk", "cmdline", "root", "extra"):
            if findings.attempt(lambda name=option: settings.text(name), None):  # type: ignore[misc]
                complaint = "its firmware boots the domain; expected kernel = ... with it, or no such option"
                findings.problems += settings.error(option, complaint).problems
    findings.check()


def _check_memory(settings: Settings, machine: Machine, memory_mib: int) -> None:
    least = machine.video_mib + _REST_MIN_MIB
    if memory_mib < least:
        text = (
            f"{memory_mib} MiB of memory, of which the graphics card takes {machine.video_mib} (videoram): "
            f"expected at least {least} MiB"
        )
        option = next(filter(settings.value, ("memory", "videoram", "vga", "stdvga")), None)
        raise ConfigError.at(settings.whole, text) if option is None else settings.error(option, text)


def _firmware(settings: Settings, directory: str | None) -> Firmware:
    findings = Findings()
    word = findings.attempt(lambda: _bios(settings), None)
    named = findings.attempt(lambda: settings.text("firmware"), None) or None
    loader = None
    if named == "rombios":
        findings.problems += settings.error("firmware", _ROMBIOS, code="unsupported").problems
    elif named is not None and named in _FIRMWARE_WORDS:
        word = _FIRMWARE_WORDS[named]
    elif named not in (None, _BIOS):
        loader = findings.attempt(lambda: path_of(settings, "firmware", directory), None)

    def path(option: str) -> str | None:
        return findings.attempt(lambda: path_of(settings, option, directory), None)

    firmware = Firmware(
        bios=word or SEABIOS,
        is_given=word is not None,
        path=path("bios_path_override"),
        loader=path("firmware_override") or loader,
        acpi_tables=path("acpi_firmware"),
        smbios_tables=path("smbios_firmware"),
        smbios=findings.attempt(lambda: _smbios(settings), ()),
    )
    findings.check()
    return firmware


def _bios(settings: Settings) -> str | None:
    word = word_of(settings, "bios")
    if word == "rombios":
        raise settings.error("bios", _ROMBIOS, code="unsupported")
    return word


def _smbios(settings: Settings) -> Sequence[tuple[str, str]]:
    """Items `key=text`; oem= may stand in it often."""
    findings, found, oems = Findings(), dict[str, str](), 0
    for item, place in settings.items("smbios"):
        key, equals, value = item.partition("=")
        if not equals or (key != _OEM and key not in SMBIOS_KEYS):
            text = f"smbios holds {shown(item)}: expected {listed(('oem', *SMBIOS_KEYS))}, = and a text"
            findings.problems.append(
                Problem.at(place, text, option="smbios", hint=other_case(key, SMBIOS_KEYS))
            )
            continue
        oems += key == _OEM
        node = f"{_OEM}-{oems}" if key == _OEM else key.replace("_", "-")
        if node in found or oems > _OEM_MAX:
            text = f"smbios holds {shown(item)}: expected each key once, and oem {_OEM_MAX} times at most"
            findings.problems.append(Problem.at(place, text, option="smbios"))
        found[node] = value
    findings.check()
    return tuple(found.items())


def _timer_mode(settings: Settings) -> str:
    if settings.value("timer_mode") is None:
        return Machine().timer_mode
    return word_or_number(settings, "timer_mode")
