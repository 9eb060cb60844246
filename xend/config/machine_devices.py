"""What the device model of an hvm domain plays of its machine: options of xl.cfg(5).

Source: tools/xl/xl_parse.c, libxl_create.c and libxl_dm.c of Xen 4.17; guests.md 1.2.
"""

import re
from collections.abc import Sequence
from functools import partial

import attrs

from xend.config.option import other_case
from xend.config.place import listed, shown
from xend.config.problem import Findings, Problem
from xend.config.settings import Settings
from xend.config.spice import spice_of
from xend.config.vfb import VfbConfig, screen_of_options
from xend.config.words import switched, word_of
from xend.model.spice import Spice

__all__ = ["VIDEO_MIB", "MachineDevices", "devices_of"]

#: Kinds of graphics cards, and what each has of the domain's memory, at the least and by itself.
CIRRUS, STD, QXL, NO_CARD = "cirrus", "stdvga", "qxl", "none"
VIDEO_MIB = {CIRRUS: 8, STD: 16, QXL: 128, NO_CARD: 0}
_VIDEO_MAX_MIB = 1024
#: Those of qemu's that are no device of the host.
USB_DEVICES = ("tablet", "mouse", "keyboard", "wacom-tablet")
_OF_HOST = "usbctrl = ['type=qusb'] and usbdev = ['hostbus=...,hostaddr=...'] give one of the host's"
_USB_VERSIONS = 3
#: That of the controller for devices that come over SPICE.
_USB_OF_REDIRECTIONS = 2
_BOOT = re.compile(r"[a-p]+")
DEFAULT_BOOT = "cda"
#: As it is written to a device model, of which commas begin another option.
_SERIAL = re.compile(r"[!-~]+")


@attrs.frozen(kw_only=True)
class MachineDevices:
    """What stands in these options.

    Attributes:
        screen: where its graphics card is shown.
        vga: one of VIDEO_MIB; is_vga_given: it was asked for.
        video_mib: what of the domain's memory it has; is_video_given: that was asked for.
        is_boot_given, is_serial_single, is_usb_single: as boot, serial and usbdevice were given.
        boot: letters of what is tried in turn: a floppy disks, c hard disks, d CDs, n the network.
        is_ahci: hard disks are of AHCI, no IDE ones.
        platform_pci: it has Xen's platform device, by which a guest finds that it has paravirtual devices.
        vendor_device: that of XenServer beside it.
        vkb: a paravirtual keyboard and pointer beside the emulated ones.
        serial: what qemu connects each serial line with: "pty".
        sound: a card, one of the option's words; None: it has none.
        usb: it has a USB controller; usb_version: of that version; 0: qemu's own.
        usb_devices: what is plugged into it, of USB_DEVICES.
        nographic: without a screen its monitor takes no terminal.
        spice: how SPICE shows its graphics card; None: it does not.
    """

    screen: VfbConfig = attrs.field(factory=VfbConfig)
    vga: str = CIRRUS
    is_vga_given: bool = False
    video_mib: int = VIDEO_MIB[CIRRUS]
    is_video_given: bool = False
    boot: str = DEFAULT_BOOT
    is_boot_given: bool = False
    is_serial_single: bool = False
    is_usb_single: bool = False
    is_ahci: bool = False
    platform_pci: bool = True
    vendor_device: bool = False
    vkb: bool = True
    serial: Sequence[str] = ()
    sound: str | None = None
    usb: bool = False
    usb_version: int = 0
    usb_devices: Sequence[str] = ()
    nographic: bool = False
    spice: Spice | None = None


def devices_of(settings: Settings) -> MachineDevices:
    """All of them.

    Raises:
        ConfigError: everything that is wrong.
    """
    findings = Findings()

    is_on = partial(switched, settings, findings)
    vga = findings.attempt(lambda: _vga(settings), None)
    video_mib = findings.attempt(lambda: _video_mib(settings, vga or CIRRUS), None)
    version = findings.attempt(lambda: settings.number("usbversion", 0, _USB_VERSIONS), None) or 0
    spice = findings.attempt(lambda: spice_of(settings), None)
    redirections = 0 if spice is None else spice.usb_redirections
    usb_devices: Sequence[str] = findings.attempt(lambda: _usb_devices(settings), [])
    devices = MachineDevices(
        screen=findings.attempt(lambda: screen_of_options(settings), VfbConfig()),
        vga=vga or CIRRUS,
        is_vga_given=vga is not None,
        video_mib=VIDEO_MIB[vga or CIRRUS] if video_mib is None else video_mib,
        is_video_given=video_mib is not None,
        boot=findings.attempt(lambda: _boot(settings), DEFAULT_BOOT),
        is_boot_given=_is_single(settings, "boot"),
        is_serial_single=_is_single(settings, "serial"),
        is_usb_single=_is_single(settings, "usbdevice"),
        is_ahci=findings.attempt(lambda: word_of(settings, "hdtype"), None) == "ahci",
        platform_pci=is_on("xen_platform_pci", True),
        vendor_device=findings.attempt(lambda: word_of(settings, "vendor_device") == "xenserver", False),
        vkb=is_on("vkb_device", True),
        serial=findings.attempt(lambda: _serial(settings), ()),
        sound=findings.attempt(lambda: word_of(settings, "soundhw"), None),
        usb=is_on("usb", False),
        usb_version=version or (_USB_OF_REDIRECTIONS if redirections else 0),
        usb_devices=usb_devices,
        nographic=is_on("nographic", False),
        spice=spice,
    )
    if (version or redirections) and (devices.usb or usb_devices):
        text = "usb and usbdevice have a controller of their own; expected one or the other"
        option = "usbversion" if version else "spiceusbredirection"
        findings.problems += settings.error(option, text).problems
    findings.check()
    return devices


def _is_single(settings: Settings, option: str) -> bool:
    """Whether it is given as a text, no list of them."""
    value = settings.value(option)
    return value is not None and value.items is None and bool(value.text)


def _vga(settings: Settings) -> str | None:
    kind = settings.choice("vga", (STD, NO_CARD, CIRRUS, QXL))
    if kind is not None:
        return kind
    is_standard = settings.boolean("stdvga")
    return None if is_standard is None else STD if is_standard else CIRRUS


def _video_mib(settings: Settings, vga: str) -> int | None:
    """What the card has; None: not given."""
    found = settings.number("videoram", 0, _VIDEO_MAX_MIB, "MiB")
    if found is None:
        return None
    if vga == NO_CARD:
        settings.note("videoram", "has no effect: there is no graphics card (vga = 'none')")
        return 0
    if found < VIDEO_MIB[vga]:
        raise settings.error("videoram", f"the card {vga} needs {VIDEO_MIB[vga]} MiB; expected that, or more")
    return found


def _boot(settings: Settings) -> str:
    letters = settings.text("boot")
    if not letters:
        return DEFAULT_BOOT
    if not _BOOT.fullmatch(letters) or len(set(letters)) < len(letters):
        raise settings.error(
            "boot", "expected letters, each once: c hard disk, d CD, n network, a floppy disk"
        )
    return letters


def _serial(settings: Settings) -> Sequence[str]:
    """A text, or a list of them."""
    value = settings.value("serial")
    if value is None:
        return ()
    if value.items is None:
        found = [(settings.text("serial") or "", value.place)]
    else:
        found = settings.items("serial")
    findings = Findings()
    for word, place in found:
        if not _SERIAL.fullmatch(word) and (word or value.items is not None):
            text = f"serial holds {shown(word)}: expected a character device of qemu's, as in pty"
            findings.problems.append(Problem.at(place, text, option="serial"))
    findings.check()
    return tuple(word for word, _ in found if word)


def _usb_devices(settings: Settings) -> Sequence[str]:
    """One as a text, or a list of them."""
    value = settings.value("usbdevice")
    if value is None:
        return []
    if value.items is None:
        word = settings.text("usbdevice")
        found = [(word, value.place)] if word else []
    else:
        found = settings.items("usbdevice")
    findings = Findings()
    for word, place in found:
        if word not in USB_DEVICES:
            text = f"usbdevice holds {shown(word)}: expected {listed(USB_DEVICES)}"
            hint = _OF_HOST if word.startswith("host") else other_case(word, USB_DEVICES)
            findings.problems.append(Problem.at(place, text, option="usbdevice", hint=hint))
    findings.check()
    return [word for word, _ in found]
