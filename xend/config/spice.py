"""The screen of an hvm domain as SPICE shows it: spice = 1 and what it is told with, of xl.cfg(5).

Source: tools/xl/xl_parse.c, libxl_create.c and libxl_dm.c of Xen 4.17.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs

from xend.config.libxl import flag, not_empty, number, text
from xend.config.problem import Findings
from xend.config.settings import Settings
from xend.config.words import switched, word_of
from xend.model.spice import Spice

__all__ = ["lines_of_spice", "spice_as_json", "spice_of", "spice_without_password"]

_PORT_MAX = 65535
REDIRECTIONS_MAX = 4
_HOST = re.compile(r"[0-9A-Za-z.:_-]{1,255}")
#: Options, and what libxl calls them within `spice`.
_FLAGS = {
    "spice": "enable",
    "spicedisable_ticketing": "disable_ticketing",
    "spiceagent_mouse": "agent_mouse",
    "spicevdagent": "vdagent",
    "spice_clipboard_sharing": "clipboard_sharing",
}
_NUMBERS = {"spiceport": "port", "spicetls_port": "tls_port", "spiceusbredirection": "usbredirection"}
_TEXTS = {
    "spicehost": "host",
    "spicepasswd": "passwd",
    "spice_image_compression": "image_compression",
    "spice_streaming_video": "streaming_video",
}


def spice_of(settings: Settings) -> Spice | None:
    """What the options say; None: there is no such screen, and they have no effect.

    Raises:
        ConfigError: everything that is wrong.
    """
    findings = Findings()

    def read(value: Callable[[], Any]) -> Any:
        return findings.attempt(value, None)

    is_on = partial(switched, settings, findings)
    is_shown = is_on("spice", False)
    spice = Spice(
        port=read(lambda: settings.number("spiceport", 0, _PORT_MAX)) or 0,
        tls_port=read(lambda: settings.number("spicetls_port", 0, _PORT_MAX)) or 0,
        host=read(lambda: _host(settings)),
        is_open=is_on("spicedisable_ticketing", False),
        password=read(lambda: settings.text("spicepasswd")) or None,
        has_agent_mouse=is_on("spiceagent_mouse", True),
        has_agent=is_on("spicevdagent", False),
        has_clipboard=is_on("spice_clipboard_sharing", False),
        usb_redirections=read(lambda: settings.number("spiceusbredirection", 0, REDIRECTIONS_MAX)) or 0,
        image_compression=read(lambda: word_of(settings, "spice_image_compression")),
        streaming_video=read(lambda: word_of(settings, "spice_streaming_video")),
    )
    if is_shown and not findings.problems:
        read(lambda: _check(settings, spice))
    findings.check()
    if is_shown:
        return spice
    for option in (*_FLAGS, *_NUMBERS, *_TEXTS):
        if option != "spice" and settings.value(option) is not None:
            settings.note(option, "has no effect: it says how what spice = 1 shows is reached")
    return None


def _check(settings: Settings, spice: Spice) -> None:
    if not spice.port and not spice.tls_port:
        raise settings.error("spice", "nobody reaches it; expected spiceport or spicetls_port with a port")
    if not spice.is_open and spice.password is None:
        raise settings.error(
            "spice",
            "expected a password, spicepasswd, or spicedisable_ticketing = 1, with which everybody is let in",
        )


def _host(settings: Settings) -> str | None:
    host = settings.text("spicehost") or None
    if host is not None and not _HOST.fullmatch(host):
        raise settings.error("spicehost", "expected an address")
    return host


def spice_without_password(spice: Spice | None) -> Spice | None:
    """The same, for those who may not know its password."""
    return None if spice is None else attrs.evolve(spice, password=None)


def spice_as_json(spice: Spice | None, said: Callable[[str], str | None]) -> dict[str, Any]:
    """What stands in `spice`; said: an option's boolean, where it was given."""
    if spice is None:
        return not_empty(enable=said("spice"))
    return not_empty(
        **{key: said(option) for option, key in _FLAGS.items()},
        port=spice.port,
        tls_port=spice.tls_port,
        host=spice.host,
        passwd=spice.password,
        usbredirection=spice.usb_redirections,
        image_compression=spice.image_compression,
        streaming_video=spice.streaming_video,
    )


def lines_of_spice(of_type: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse: options of xl.cfg(5) that mean the same."""
    spice = of_type.get("spice")
    if not isinstance(spice, dict) or not flag(spice, "enable"):
        return {"spice": flag(spice, "enable")} if isinstance(spice, dict) else {}
    found: dict[str, Any] = {option: flag(spice, key) for option, key in _FLAGS.items()}
    found |= {option: number(spice, key) or None for option, key in _NUMBERS.items()}
    return found | {option: text(spice, key) for option, key in _TEXTS.items()}
