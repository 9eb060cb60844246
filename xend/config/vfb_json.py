"""Screens in libxl's JSON (libxl_types.idl: libxl_device_vfb, libxl_vnc_info, libxl_sdl_info), and back."""

from collections.abc import Mapping
from typing import Any

from xend.config.libxl import flag, item, not_empty, number, text
from xend.config.vfb import VfbConfig, says_display

__all__ = ["vfb_as_json", "vfb_of_json"]


def vfb_as_json(vfb: VfbConfig) -> dict[str, Any]:
    """As libxl's JSON has it (libxl_device_vfb)."""
    vnc = {
        **_said(enable=vfb.vnc),
        **not_empty(
            listen=vfb.listens,
            passwd=vfb.vncpasswd,
            display=None if vfb.is_display_of_listen else vfb.vncdisplay,
        ),
        **_said(findunused=vfb.vncunused),
    }
    sdl = {
        **_said(enable=vfb.sdl, opengl=vfb.opengl),
        **not_empty(display=vfb.display, xauthority=vfb.xauthority),
    }
    return {"devid": vfb.devid, "vnc": vnc, "sdl": sdl, **not_empty(keymap=vfb.keymap)}


def vfb_of_json(json: Mapping[str, Any]) -> str:
    """The inverse: the text of an item."""
    parts = {key: found if isinstance(found := json.get(key), dict) else {} for key in ("vnc", "sdl")}
    vnc, sdl = parts["vnc"], parts["sdl"]
    listen, number_ = text(vnc, "listen"), number(vnc, "display") or None
    return item(
        vnc=_switch(flag(vnc, "enable")),
        vnclisten=listen,
        vncdisplay=None if listen and says_display(listen) else number_,
        vncunused=_switch(flag(vnc, "findunused")),
        vncpasswd=text(vnc, "passwd"),
        sdl=_switch(flag(sdl, "enable")),
        opengl=_switch(flag(sdl, "opengl")),
        display=text(sdl, "display"),
        xauthority=text(sdl, "xauthority"),
        keymap=text(json, "keymap"),
    )


def _switch(value: bool | None) -> int | None:
    return None if value is None else int(value)


def _said(**booleans: bool | None) -> dict[str, str]:
    return {key: str(value) for key, value in booleans.items() if value is not None}
