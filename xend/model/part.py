"""What a device wants of its domain's device model: its part of the command line."""

from collections.abc import Sequence

import attrs

__all__ = ["Part", "Screen", "screen_of"]


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
class Part:
    """What one device wants.

    Attributes:
        chardevs: arguments that make the character devices of its channel, if it is one, as libxl writes
            them: ("-chardev", "pty,id=libxl-channel1").
        sockets: paths of Unix sockets that qemu makes for it; they are removed with the device model.
        screen: where it is shown, if it is a screen; of several the first one counts.
        opens_files_later: it opens files of the host when its guest connects, and while it runs, not only as
            qemu starts, so that qemu can neither have another root directory nor another user.
    """

    chardevs: Sequence[str] = ()
    sockets: Sequence[str] = ()
    screen: Screen | None = None
    opens_files_later: bool = False


def screen_of(parts: Sequence[Part]) -> Screen | None:
    """The screen that counts."""
    return next((part.screen for part in parts if part.screen is not None), None)
