"""Screens of paravirtual domains: items of `vfb` of xl.cfg(5), or vnc = 1 and what it is told with.

A virtual framebuffer is shown by the domain's device model, by VNC, in a window (SDL), or both.  Source:
tools/xl/xl_parse.c, libxl_console.c and libxl_dm.c of Xen 4.17; qemu's options -vnc and -k.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import attrs

from xend.config.called_by_number import CalledByNumber
from xend.config.fields import Fields
from xend.config.options import OPTIONS
from xend.config.place import Place
from xend.config.problem import ConfigError, Findings, Problem
from xend.config.settings import Settings

__all__ = [
    "VfbConfig",
    "count_screens",
    "parse_vfb",
    "says_display",
    "screen_of_options",
    "settled_vfbs",
    "without_password",
]

_OPTION = "vfb"
_SECRET = "vncpasswd"
_KEYS = (
    "vnc", "vnclisten", "vncdisplay", "vncunused", _SECRET, "keymap", "sdl", "opengl", "display",
    "xauthority",
)  # fmt: skip
_OLD = {"type": "it was a key of xm's: vnc=1, as it is without, or sdl=1 says the same"}
#: The TCP port of display 0.
VNC_PORT = 5900
#: The highest display there is, and the highest one that qemu looks at for one that is free.
MAX_DISPLAY, MAX_UNUSED_DISPLAY = 65535 - VNC_PORT, 99
#: An address, perhaps with a display; those of IPv6 in brackets, as they hold colons.
_LISTEN = re.compile(r"(?P<host>[A-Za-z0-9][-A-Za-z0-9.]*|\[[0-9A-Fa-f:.]+\])(?::(?P<display>[0-9]{1,5}))?")
#: The name of a file among qemu's keymaps.
_KEYMAP = re.compile(r"[a-z][-_a-z0-9]{0,31}")
_MAX_NUMBER = 2**31
_NEEDS_VNC = "it says how what vnc = 1 shows is shown"
_OF_CARD = "an hvm domain is shown by its graphics card, as the options vnc, vnclisten and sdl say"


@attrs.frozen(kw_only=True)
class VfbConfig(CalledByNumber):
    """A screen of the configuration; None: not given.

    Attributes:
        vnc: it is served by VNC; not given, it is.
        vnclisten: the address that it is served at, without a display.
        vncdisplay: the display, whose port is VNC_PORT more; is_display_of_listen: vnclisten said it.
        vncunused: where that port is in use, another one is taken; not given, it is.
        vncpasswd: no error, log or list shows it.
        sdl: it is shown in a window of dom0's.
        display, xauthority: where that window is.
        keymap: the layout of the keyboard before it: "de".
    """

    vnc: bool | None = None
    vnclisten: str | None = None
    vncdisplay: int | None = None
    is_display_of_listen: bool = False
    vncunused: bool | None = None
    vncpasswd: str | None = attrs.field(default=None, repr=False)
    sdl: bool | None = None
    opengl: bool | None = None
    display: str | None = None
    xauthority: str | None = None
    keymap: str | None = None

    @property
    def backend(self) -> str:
        """dom0, where the device model runs."""
        return "0"

    @property
    def has_vnc(self) -> bool:
        return self.vnc is not False

    @property
    def finds_unused(self) -> bool:
        """Whether another display may be taken: libxl's default is what vnc is."""
        return self.has_vnc if self.vncunused is None else self.vncunused

    @property
    def listens(self) -> str | None:
        """vnclisten as it was written."""
        if self.is_display_of_listen:
            return f"{self.vnclisten}:{self.vncdisplay}"
        return self.vnclisten


class _Words(Protocol):
    """Where the values of a screen stand: in an item, or each in an option of its own."""

    def get(self, key: str) -> str | None: ...
    def switch(self, key: str) -> bool | None: ...
    def number(self, key: str, lowest: int, highest: int) -> int | None: ...
    def wrong(self, key: str, expected: str, hint: str | None = None) -> ConfigError: ...


class _Options:
    """The values of options."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def get(self, key: str) -> str | None:
        return self._settings.text(key) or None

    def switch(self, key: str) -> bool | None:
        return self._settings.boolean(key)

    def number(self, key: str, lowest: int, highest: int) -> int | None:
        return self._settings.number(key, lowest, highest)

    def wrong(self, key: str, expected: str, hint: str | None = None) -> ConfigError:
        return self._settings.error(key, f"expected {expected}", hint=hint)


def parse_vfb(
    specification: str | Sequence[str],
    place: Place,
    *,
    directory: str | None = None,
    warnings: list[Problem] | None = None,
) -> VfbConfig:
    """The screen that a specification means: `vnc=1,vnclisten=ADDRESS,...`; xl passes over other keys.

    Raises:
        ConfigError: bad_config.
    """
    fields = Fields(_OPTION, specification, place, secret=_SECRET)
    fields.fill(_KEYS, warnings, _OLD)
    return _screen(fields)


def settled_vfbs(settings: Settings, guest_type: str, devices: Sequence[VfbConfig]) -> Sequence[VfbConfig]:
    """The screens; without an item the one of vnc = 1, of a pv domain; none beside a graphics card.

    Raises:
        ConfigError: bad_config.
    """
    if guest_type == "hvm":
        return _beside_card(settings, devices)
    if guest_type != "pv":
        return devices
    if not devices and settings.boolean("vnc"):
        return [attrs.evolve(_screen(_Options(settings)), devid=0)]
    _note_idle(settings, "vfb says it" if devices else _NEEDS_VNC)
    return devices


def screen_of_options(settings: Settings) -> VfbConfig:
    """Where the graphics card of an hvm domain is shown: by VNC, where nothing else is said.

    Raises:
        ConfigError: bad_config.
    """
    return _screen(_Options(settings))


def _beside_card(settings: Settings, devices: Sequence[VfbConfig]) -> Sequence[VfbConfig]:
    """None: as for libxl, the graphics card is the screen.  A password is never passed over."""
    if any(each.vncpasswd for each in devices) and not settings.text(_SECRET):
        complaint = f"{_OF_CARD}; expected {_SECRET} = ... with a password for it, or none here"
        raise settings.error(_OPTION, complaint, code="unsupported")
    if devices:
        settings.warn(_OPTION, f"has no effect: {_OF_CARD}")
    return ()


def _note_idle(settings: Settings, why: str) -> None:
    """Note the options that have no effect; of what is no value of theirs only the kind is looked at."""
    findings = Findings()
    for key in filter(settings.value, _KEYS):
        findings.attempt(partial(_check_kind, settings, key), None)
        happens_anyway = key == "vnc" and why == _NEEDS_VNC
        settings.note(key, "asks for what happens anyway" if happens_anyway else f"has no effect: {why}")
    findings.check()


def _check_kind(settings: Settings, key: str) -> None:
    match OPTIONS[key].kind:
        case "b":
            settings.boolean(key)
        case "n":
            settings.number(key, -_MAX_NUMBER, _MAX_NUMBER)
        case _:
            settings.text(key)


def count_screens(settings: Settings, guest_type: str) -> int:
    """How many there are, whatever is wrong with them."""
    value = settings.value(_OPTION)
    if value is not None and value.items:
        return len(value.items)
    try:
        return int(guest_type == "pv" and settings.boolean("vnc") is True)
    except ConfigError:
        return 0


def _screen(words: _Words) -> VfbConfig:
    """Raises a ConfigError of all values that are wrong."""
    findings = Findings()

    def read(get: Callable[[str], Any], key: str) -> Any:
        return findings.attempt(lambda: get(key), None)

    switches = {key: read(words.switch, key) for key in ("vnc", "vncunused", "sdl", "opengl")}
    has_vnc = switches["vnc"] is not False
    unused = has_vnc if switches["vncunused"] is None else switches["vncunused"]
    highest = MAX_UNUSED_DISPLAY if unused else MAX_DISPLAY
    display = read(lambda key: _display(words, key, highest), "vncdisplay")
    listen, listens_at = read(lambda key: _listen(words, key, display, highest), "vnclisten") or (None, None)
    screen = VfbConfig(
        **switches,
        vnclisten=listen,
        vncdisplay=display if listens_at is None else listens_at,
        is_display_of_listen=listens_at is not None,
        vncpasswd=read(words.get, _SECRET),
        display=read(words.get, "display"),
        xauthority=read(lambda key: _path(words, key), "xauthority"),
        keymap=read(lambda key: _keymap(words, key), "keymap"),
    )
    findings.check()
    return screen


def _display(words: _Words, key: str, highest: int) -> int | None:
    number = words.number(key, 0, MAX_DISPLAY)
    if number is not None and number > highest:
        raise words.wrong(key, *_too_high(highest))
    return number


def _too_high(highest: int) -> tuple[str, str | None]:
    """What was expected of a display, and a hint."""
    hint = "vncunused=0 allows higher ones: it is that display or none" if highest < MAX_DISPLAY else None
    return f"a display from 0 to {highest}", hint


def _listen(words: _Words, key: str, display: int | None, highest: int) -> tuple[str, int | None] | None:
    """The address, and the display that stands with it."""
    text = words.get(key)
    if text is None:
        return None
    found = _LISTEN.fullmatch(text)
    if found is None:
        is_bare = text.count(":") > 1 and "[" not in text
        hint = f"an IPv6 address stands in brackets: [{text}]" if is_bare else None
        raise words.wrong(key, "an address, perhaps with : and a display, as in 127.0.0.1:3", hint)
    if found["display"] is None:
        return found["host"], None
    if display is not None:
        hint = f"vnclisten={found['host']},vncdisplay={display} says it once"
        raise words.wrong(key, "no display here, as vncdisplay is given", hint)
    if int(found["display"]) > highest:
        raise words.wrong(key, *_too_high(highest))
    return found["host"], int(found["display"])


def says_display(listen: str) -> bool:
    """Whether an address has a display behind it."""
    found = _LISTEN.fullmatch(listen)
    return found is not None and found["display"] is not None


def _path(words: _Words, key: str) -> str | None:
    path = words.get(key)
    if path is not None and not path.startswith("/"):
        raise words.wrong(key, "an absolute path")
    return path


def _keymap(words: _Words, key: str) -> str | None:
    """qemu opens a file of that name."""
    name = words.get(key)
    if name is not None and not _KEYMAP.fullmatch(name):
        raise words.wrong(key, "the name of a keymap, as in en-us or de")
    return name


def without_password(vfb: VfbConfig) -> VfbConfig:
    """The same, for those who may not know it."""
    return attrs.evolve(vfb, vncpasswd=None)
