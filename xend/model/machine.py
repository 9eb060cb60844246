"""The words of a device model's command line for the machine that it emulates, in libxl's order.

Source: guests.md 1.2, steps 7, 10 and 12.
"""

from collections.abc import Iterator, Mapping, Sequence

import attrs

from xend.model.part import AHCI, IDE, SCSI, Card, Drive, Part, quoted

__all__ = ["Machine", "drive_words", "hardware_words", "machine_word"]

_GRAPHICS: Mapping[str, str] = {
    "cirrus": "cirrus-vga,vgamem_mb={all}",
    "stdvga": "VGA,vgamem_mb={all}",
    "qxl": "qxl-vga,vram_size_mb={half},ram_size_mb={half}",
}
_USB: Mapping[int, Sequence[str]] = {
    1: ("piix3-usb-uhci,id=usb",),
    2: (
        "ich9-usb-ehci1,id=usb,addr=0x1d.0x7,multifunction=on",
        *(
            f"ich9-usb-uhci{number},masterbus=usb.0,firstport={port},addr=0x1d.{number - 1},multifunction=on"
            for number, port in ((1, 0), (2, 2), (3, 4))
        ),
    ),
    3: ("nec-usb-xhci,id=usb",),
}
#: The QEMU from which on -nodefaults leaves a sound card nothing to play to, without which it does not start.
_NO_DEFAULT_SOUND = (8, 2)
_FOUR_GIB = 1 << 32
_MIB = 1 << 20


@attrs.frozen(kw_only=True)
class Machine:
    """What an emulated machine is to be like.

    Attributes:
        kernel, ramdisk, command_line: what its firmware starts in place of a disk; None: a disk.
        vga: "cirrus", "stdvga", "qxl" or "none"; video_mib: of the domain's memory, what it has.
        boot: letters of what is tried in turn.
        serial: what each serial line is connected with.
        usb, usb_devices, usb_version: see `xend.config.machine_devices`.
        sound: None: none.
        has_acpi, has_platform_pci: ACPI; Xen's platform device.
        has_vendor_device: XenServer's.
        nographic: without a screen its monitor takes no terminal.
        vcpus, max_vcpus: processors from the start, and at most.
        hole_mib: what memory leaves free below 4 GiB; None: as qemu has it.
    """

    kernel: str | None = None
    ramdisk: str | None = None
    command_line: str = ""
    vga: str = "cirrus"
    video_mib: int = 8
    boot: str = "cda"
    serial: Sequence[str] = ()
    usb: bool = False
    usb_devices: Sequence[str] = ()
    usb_version: int = 0
    sound: str | None = None
    has_acpi: bool = True
    has_platform_pci: bool = True
    has_vendor_device: bool = False
    nographic: bool = False
    vcpus: int = 1
    max_vcpus: int = 1
    hole_mib: int | None = None


def hardware_words(
    machine: Machine, parts: Sequence[Part], has_screen: bool, version: tuple[int, int] = (0, 0)
) -> Iterator[str]:
    """All but its disks, which come last, for a QEMU of that version."""
    for option, value in (
        ("-kernel", machine.kernel),
        ("-initrd", machine.ramdisk),
        ("-append", machine.command_line),
    ):
        if value:
            yield from (option, value)
    if any(part.drive is not None and part.drive.bus == SCSI for part in parts):
        yield from ("-device", "lsi53c895a")
    for line in machine.serial:
        yield from ("-serial", line)
    if machine.nographic and not has_screen:
        yield "-nographic"
    spice = next((part.spice for part in parts if part.spice is not None), None)
    if spice is not None:
        yield from spice.words()
    if machine.vga in _GRAPHICS:
        sizes = {"all": machine.video_mib, "half": machine.video_mib // 2}
        yield from ("-device", _GRAPHICS[machine.vga].format(**sizes))
    yield from ("-boot", f"order={machine.boot}")
    yield from _usb(machine)
    if spice is not None:
        yield from spice.redirection_words()
    if machine.sound is not None:
        yield from _sound(machine.sound, spice is not None, version)
    if machine.max_vcpus > 1:
        yield from ("-smp", f"{machine.vcpus},maxcpus={machine.max_vcpus}")
    cards = [part.card for part in parts if part.card is not None]
    for card in cards:
        yield from _card(card)
    if not cards:
        yield from ("-net", "none")


def machine_word(machine: Machine) -> str:
    """What stands behind -machine."""
    words = ["xenfv"] if machine.has_platform_pci else ["pc", "accel=xen"]
    words.append("suppress-vmdesc=on")
    if not machine.has_acpi:
        words.append("acpi=off")  # QEMU 9.0 has no -no-acpi any more
    if machine.hole_mib is not None:
        words.append(f"max-ram-below-4g={_FOUR_GIB - machine.hole_mib * _MIB}")
    return ",".join(words)


def drive_words(machine: Machine, parts: Sequence[Part]) -> Iterator[str]:
    """Its disks, and what belongs behind them."""
    drives = [part.drive for part in parts if part.drive is not None]
    if any(drive.bus == AHCI for drive in drives):
        yield from ("-device", "ahci,id=ahci0")
    for drive in drives:
        yield from _drive(drive)
    if machine.has_vendor_device:
        yield from ("-device", "xen-pvdevice,device-id=0xc000")


def _usb(machine: Machine) -> Iterator[str]:
    if machine.usb or machine.usb_devices:
        yield "-usb"
        for device in machine.usb_devices:
            yield from ("-usbdevice", device)
    for controller in _USB.get(machine.usb_version, ()):
        yield from ("-device", controller)


def _sound(card: str, has_spice: bool, version: tuple[int, int]) -> Iterator[str]:
    to = ""
    if version >= _NO_DEFAULT_SOUND:
        yield from ("-audiodev", f"{'spice' if has_spice else 'none'},id=sound")
        to = ",audiodev=sound"
    if card == "hda":
        yield from ("-device", "intel-hda", "-device", f"hda-duplex{to}")
    else:
        yield from ("-device", f"{card}{to}")


def _card(card: Card) -> Iterator[str]:
    name, net = f"nic{card.devid}", f"net{card.devid}"
    yield from ("-device", f"{card.model},id={name},netdev={net},mac={card.mac}")
    tap = f"tap,id={net},ifname={card.interface},br={quoted(card.bridge)}"
    yield from ("-netdev", f"{tap},script={quoted(card.script or 'no')},downscript=no")


def _drive(drive: Drive) -> Iterator[str]:
    at, image = drive.number, ""
    if drive.path is not None:
        # A lock that is taken by a descriptor of a set stays, as the set has it too, and is in its own way.
        by_descriptor = f"file.driver={drive.driver},file.locking=off,file.filename"
        where = "file" if drive.driver is None else by_descriptor
        image = f"{where}={quoted(drive.path)},format={drive.format}"
    if drive.is_cdrom:
        name = drive.name
        yield from ("-drive", ",".join(filter(None, [f"if=none,readonly=on,id={name}", image])))
        yield from ("-device", f"ide-cd,id={name},drive={name},bus=ide.{at // 2},unit={at % 2}")
    elif drive.bus == SCSI:
        name, mode = f"scsi0-hd{at}", "on" if drive.is_read_only else "off"
        yield from ("-drive", f"{image},id={name},if=none,readonly={mode},cache=writeback")
        yield from ("-device", f"scsi-hd,drive={name},scsi-id={at}")
    elif drive.bus == AHCI:
        name = f"ahcidisk-{at}"
        yield from ("-drive", f"{image},if=none,id={name},cache=writeback")
        yield from ("-device", f"ide-hd,bus=ahci0.{at},unit=0,drive={name}")
    else:
        assert drive.bus == IDE
        yield from ("-drive", f"{image},if=ide,index={at},media=disk,cache=writeback")
