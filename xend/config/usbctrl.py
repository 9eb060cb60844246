"""USB controllers for paravirtual drivers: items of `usbctrl` of xl.cfg(5), or the words of usbctrl-attach.

Source: tools/xl/xl_parse.c and libxl_usb.c of Xen 4.17; xen/include/public/io/usbif.h.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from xend.config.called_by_number import CalledByNumber
from xend.config.fields import Fields
from xend.config.libxl import item, not_empty, number, text
from xend.config.place import Place
from xend.config.problem import Problem

__all__ = ["KERNEL", "QEMU", "UsbControllerConfig", "parse_usbctrl", "usbctrl_as_json", "usbctrl_of_json"]

#: Who serves it: a driver of dom0's kernel, or the device model.
KERNEL, QEMU = "pv", "qusb"
_AUTO, _EMULATED = "auto", "devicemodel"
_KEYS = ("type", "version", "ports")
_VERSION, _PORTS, _MAX_PORTS = 2, 8, 31
_NO_EMULATION = "this xend puts no devices of the host into emulated controllers; expected auto, pv or qusb"


@attrs.frozen(kw_only=True)
class UsbControllerConfig(CalledByNumber):
    """A controller of the configuration; None: not given.

    Attributes:
        type: KERNEL or QEMU; None: the first one that dom0 has.
        version: of USB; given_ports: how many devices can be put in.
        is_automatic: nobody asked for it; a device needed one.
    """

    type: str | None = None
    given_version: int | None = None
    given_ports: int | None = None
    is_automatic: bool = False

    @property
    def backend(self) -> str:
        """dom0, which has the host's devices."""
        return "0"

    @property
    def version(self) -> int:
        return self.given_version or _VERSION

    @property
    def ports(self) -> int:
        return self.given_ports or _PORTS


def parse_usbctrl(
    specification: str | Sequence[str],
    place: Place,
    *,
    directory: str | None = None,
    warnings: list[Problem] | None = None,
) -> UsbControllerConfig:
    """The controller that a specification means: `type=pv,version=2,ports=8`, each of which may be left out.

    Raises:
        ConfigError: bad_config, unsupported.
    """
    fields = Fields("usbctrl", specification, place)
    fields.fill(_KEYS)
    if (given := fields.get("type")) is not None:
        fields.replace("type", given.lower())  # as libxl reads its enumerations
    kind = fields.choice("type", (_AUTO, KERNEL, QEMU, _EMULATED), _AUTO)
    if kind == _EMULATED:
        raise fields.unsupported(f"type={_EMULATED}", _NO_EMULATION)
    return UsbControllerConfig(
        type=None if kind == _AUTO else kind,
        given_version=fields.number("version", 1, _VERSION),
        given_ports=fields.number("ports", 1, _MAX_PORTS),
    )


def usbctrl_as_json(controller: UsbControllerConfig) -> dict[str, Any] | None:
    """As libxl's JSON has it (libxl_device_usbctrl); nothing of one that nobody asked for."""
    if controller.is_automatic:
        return None
    return {
        **not_empty(type=controller.type),
        "devid": controller.devid,
        **not_empty(version=controller.given_version, ports=controller.given_ports),
    }


def usbctrl_of_json(json: Mapping[str, Any]) -> str:
    """The inverse: the text of an item."""
    return item(type=text(json, "type"), version=number(json, "version"), ports=number(json, "ports"))
