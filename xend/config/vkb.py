"""Keyboards and pointers: items of `vkb` of xl.cfg(5), or the words of vkb-attach; and one for each screen.

Source: tools/xl/xl_parse.c and libxl_vkb.c of Xen 4.17; xen/include/public/io/kbdif.h.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from xend.config.called_by_number import CalledByNumber
from xend.config.fields import Fields
from xend.config.libxl import backend, backend_of, item, not_empty, text
from xend.config.place import Place
from xend.config.problem import Problem
from xend.config.settings import Settings
from xend.config.vfb import count_screens

__all__ = [
    "LINUX",
    "QEMU",
    "SWITCHES",
    "TOUCH_SIZES",
    "VkbConfig",
    "parse_vkb",
    "settled_vkbs",
    "vkb_as_json",
    "vkb_of_json",
]

#: Who serves it: the device model, or a driver of a Linux domain.
QEMU, LINUX = "qemu", "linux"
SWITCHES = (
    "feature-disable-keyboard",
    "feature-disable-pointer",
    "feature-abs-pointer",
    "feature-raw-pointer",
)
_TOUCH = "feature-multi-touch"
TOUCH_SIZES = ("multi-touch-width", "multi-touch-height", "multi-touch-num-contacts")
_SIZES = ("width", "height")
_KEYS = ("backend-type", "backend", "unique-id", *SWITCHES, _TOUCH, *TOUCH_SIZES, *_SIZES)
_MAX = 2**32 - 1


@attrs.frozen(kw_only=True)
class VkbConfig(CalledByNumber):
    """A keyboard and pointer of the configuration.

    Attributes:
        backend_type: QEMU or LINUX; None: nobody has said, it came with a screen, and qemu serves it.
        unique_id: what its guest tells it by.
        switches: those of SWITCHES that are on.
        touch: the sizes of TOUCH_SIZES, in their order; None: it is none that several fingers touch.
        is_beside: it stands beside the emulated ones of an hvm domain, and nobody has asked for it.
        width, height: of what a pointer that tells places moves on, in pixels; 0: not said.
    """

    backend: str = "0"
    backend_type: str | None = None
    unique_id: str | None = None
    switches: Sequence[str] = ()
    touch: Sequence[int] | None = None
    is_beside: bool = False
    width: int = 0
    height: int = 0


def parse_vkb(
    specification: str | Sequence[str],
    place: Place,
    *,
    directory: str | None = None,
    warnings: list[Problem] | None = None,
) -> VkbConfig:
    """The keyboard and pointer that a specification means: `backend-type=qemu,width=...`.

    Raises:
        ConfigError: bad_config.
    """
    fields = Fields("vkb", specification, place)
    fields.fill(_KEYS)
    if (given := fields.get("backend-type")) is None:
        raise fields.error("it has no backend-type, expected backend-type=qemu or backend-type=linux")
    fields.replace("backend-type", given.lower())  # as libxl reads its enumerations
    return VkbConfig(
        backend=fields.domain("backend"),
        backend_type=fields.choice("backend-type", (QEMU, LINUX), QEMU),
        unique_id=fields.get("unique-id"),
        switches=tuple(key for key in SWITCHES if fields.switch(key)),
        touch=_touch(fields),
        width=fields.number("width", 0, _MAX) or 0,
        height=fields.number("height", 0, _MAX) or 0,
    )


def _touch(fields: Fields) -> Sequence[int] | None:
    """The sizes of what fingers touch; any of them means that it is such."""
    sizes = tuple(fields.number(key, 0, _MAX) or 0 for key in TOUCH_SIZES)
    if any(sizes):
        return sizes
    if fields.switch(_TOUCH):
        raise fields.wrong(_TOUCH, f"{', '.join(TOUCH_SIZES)} with it")
    return None


def settled_vkbs(settings: Settings, guest_type: str, devices: Sequence[VkbConfig]) -> Sequence[VkbConfig]:
    """One for each screen of the configuration, and those that were asked for after them, as xl has it; one
    beside the emulated ones of an hvm domain, as libxl has it."""
    if guest_type == "hvm":
        beside = [] if settings.boolean("vkb_device") is False else [VkbConfig(is_beside=True)]
        return [attrs.evolve(each, devid=number) for number, each in enumerate([*devices, *beside])]
    screens = count_screens(settings, guest_type)
    both = [*(VkbConfig() for _ in range(screens)), *devices]
    return [attrs.evolve(each, devid=number) for number, each in enumerate(both)]


def vkb_of_json(json: Mapping[str, Any]) -> str | None:
    """The text of an item; None: it came with a screen."""
    if text(json, "backend_type") is None:
        return None
    keys = {key: key.replace("-", "_") for key in (*SWITCHES, _TOUCH, *TOUCH_SIZES, *_SIZES)}
    words = {key: json.get(name) for key, name in keys.items()}
    given = {key: int(value) for key, value in words.items() if isinstance(value, (bool, int)) and value}
    return item(
        **{"backend-type": text(json, "backend_type"), "unique-id": text(json, "unique_id")},
        backend=backend_of(json),
        **given,
    )


def vkb_as_json(vkb: VkbConfig) -> dict[str, Any] | None:
    """As libxl's JSON has it (libxl_device_vkb); None: libxl adds it later."""
    if vkb.is_beside:
        return None
    keys = (*vkb.switches, *(() if vkb.touch is None else (_TOUCH,)))
    sizes = {} if vkb.touch is None else dict(zip(TOUCH_SIZES, vkb.touch, strict=True))
    return {
        **backend(vkb.backend),
        "devid": vkb.devid,
        **not_empty(backend_type=vkb.backend_type, unique_id=vkb.unique_id),
        **{key.replace("-", "_"): True for key in keys},
        **not_empty(width=vkb.width, height=vkb.height),
        **not_empty(**{key.replace("-", "_"): size for key, size in sizes.items()}),
    }
