"""What a device wants of its domain's device model: its part of the command line."""

from collections.abc import Mapping, Sequence

import attrs

from xend.model.image import Image
from xend.model.spice import Spice

__all__ = [
    "AHCI",
    "IDE",
    "SCSI",
    "UNPLUGGED_SINCE",
    "Card",
    "Drive",
    "Part",
    "Screen",
    "drive_name",
    "quoted",
    "screen_of",
]

#: What an emulated drive is connected to.
IDE, AHCI, SCSI = "ide", "ahci", "scsi"
#: The QEMU that began to unplug a bus's disks as the guest's paravirtual drivers ask for it; any unplugs the
#: others' (docs/reference/hvm.md, section 4).
UNPLUGGED_SINCE: Mapping[str, tuple[int, int]] = {AHCI: (8, 2)}


@attrs.frozen(kw_only=True)
class Screen:
    """Where a domain's screen is shown: by VNC, in a window of dom0's (SDL), or both.

    Attributes:
        vnc: it is served by VNC.
        vnc_listen: the address that it is served at, one of IPv6 in brackets.
        vnc_display: the number of the display, whose port is 5900 more.
        vnc_finds_unused: where that port is in use, the next one is taken, and so on.
        vnc_password: None: none is asked for.
        sdl: it is shown in a window.
        opengl: the window is drawn by OpenGL; None: as qemu likes.
        display, xauthority: where the window is shown: X's variables DISPLAY and XAUTHORITY.
        keymap: the layout of the keyboard in front of it: "de"; None: qemu's own.
    """

    vnc: bool = True
    vnc_listen: str = "127.0.0.1"
    vnc_display: int = 0
    vnc_finds_unused: bool = True
    vnc_password: str | None = attrs.field(default=None, repr=False)
    sdl: bool = False
    opengl: bool | None = None
    display: str | None = None
    xauthority: str | None = None
    keymap: str | None = None


@attrs.frozen(kw_only=True)
class Drive:
    """An emulated disk, or CD drive.

    Attributes:
        bus, number: where it is: one of IDE, AHCI, SCSI.
        devid: the number of the disk in the domain's configuration.
        path: of its image, which qemu is told the format of; None: an empty CD drive.
        driver: of qemu's, that reads the path where that is a descriptor's; None: it sees which.
        node: in the store, says the path in its place: a script chose it; None: no script did.
        label: what people call the disk.
    """

    bus: str
    number: int
    devid: int
    path: str | None
    driver: str | None = None
    node: str | None = None
    format: str = "raw"
    is_cdrom: bool = False
    is_read_only: bool = False
    label: str = ""

    @property
    def name(self) -> str:
        """What qemu calls a CD drive."""
        return drive_name(self.devid)


@attrs.frozen(kw_only=True)
class Card:
    """An emulated network card.

    Attributes:
        model: what it is, as qemu calls it: "e1000".
        interface: its end in dom0, a tap that qemu makes.
        bridge: where that goes.
        script: what qemu runs with the tap's name, in place of xend; None: nothing.
    """

    devid: int
    model: str
    mac: str
    interface: str
    bridge: str
    script: str | None = None


@attrs.frozen(kw_only=True)
class Part:
    """What one device wants.

    Attributes:
        chardevs: arguments that make the character devices of its channel, if it is one, as libxl writes
            them: ("-chardev", "pty,id=libxl-channel1").
        sockets: paths of Unix sockets that qemu makes for it; they are removed with the device model.
        screen: where it is shown, if it is a screen; of several the first one counts.
        spice: how SPICE shows it, if it does.
        drive, card: what of an emulated machine it is, if any.
        image: what it opens once qemu serves, and may have by a descriptor.
        share: a directory whose files it opens then, as the user that it is.
        opens_xen_later: it opens Xen's devices once qemu serves, and not only as that starts.
        opens_files_later: it opens files of the host then, so that qemu can neither have another root
            directory nor another user.
    """

    chardevs: Sequence[str] = ()
    sockets: Sequence[str] = ()
    screen: Screen | None = None
    spice: Spice | None = None
    drive: Drive | None = None
    card: Card | None = None
    image: Image | None = None
    share: str | None = None
    opens_xen_later: bool = False
    opens_files_later: bool = False


def screen_of(parts: Sequence[Part]) -> Screen | None:
    """The screen that counts."""
    return next((part.screen for part in parts if part.screen is not None), None)


def drive_name(devid: int) -> str:
    """What qemu calls the CD drive that is the disk of a number, as libxl names it."""
    return f"ide-{devid}"


def quoted(text: str) -> str:
    """As a value of one of qemu's options, in which a comma stands twice."""
    return text.replace(",", ",,")
