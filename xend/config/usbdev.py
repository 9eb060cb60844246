"""USB devices of the host that a domain is given: items of `usbdev` of xl.cfg(5), or the words of
usbdev-attach.

Each is put into a port of one of the domain's controllers.  Source: tools/xl/xl_parse.c and libxl_usb.c of
Xen 4.17.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from xend.config.fields import Fields
from xend.config.libxl import item, number
from xend.config.place import Place
from xend.config.problem import ConfigError, Problem
from xend.config.settings import Settings
from xend.config.usbctrl import UsbControllerConfig, parse_usbctrl

__all__ = [
    "UsbDeviceConfig",
    "free_port",
    "has_port",
    "parse_usbdev",
    "settled_controllers",
    "settled_usbdevs",
    "spec_of",
    "usbdev_as_json",
    "usbdev_of_json",
]

_TYPE = "hostdev"
_KEYS = ("type", "hostbus", "hostaddr", "controller", "port")
#: What libxl keeps of both is a byte; what USB has is less.
_MAX_BUS, _MAX_ADDRESS = 255, 127
_MAX_CONTROLLER, _MAX_PORT = 65535, 31


@attrs.frozen(kw_only=True)
class UsbDeviceConfig:
    """A device of the configuration.

    Attributes:
        devid: what tells it from the domain's other ones, by its bus and address.
        hostbus, hostaddr: where it is on the host, as lsusb(8) lists it.
        controller: the number of the controller that it is put into; None: any.
        port: of that controller, from 1; None: the first one that is free.
        place: what both came to: (controller, port); None: not chosen yet.
        has_type: its type was given, without which xl's JSON has neither bus nor address.
    """

    devid: int | None = None
    hostbus: int
    hostaddr: int
    controller: int | None = None
    port: int | None = None
    place: tuple[int, int] | None = None
    has_type: bool = attrs.field(default=False, eq=False)

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.hostbus}:{self.hostaddr}"

    @property
    def backend(self) -> str:
        """dom0, which has the host's devices."""
        return "0"

    @property
    def number_as_given(self) -> str:
        """What it is, as errors call it."""
        return f"bus {self.hostbus} device {self.hostaddr}"


def parse_usbdev(
    specification: str | Sequence[str],
    place: Place,
    *,
    directory: str | None = None,
    warnings: list[Problem] | None = None,
) -> UsbDeviceConfig:
    """The device that a specification means: `hostbus=1,hostaddr=2,controller=0,port=1`.

    Raises:
        ConfigError: bad_config.
    """
    fields = Fields("usbdev", specification, place)
    fields.fill(_KEYS)
    fields.choice("type", (_TYPE,), _TYPE)
    bus, address = fields.number("hostbus", 1, _MAX_BUS), fields.number("hostaddr", 1, _MAX_ADDRESS)
    if bus is None or address is None:
        missing = "hostbus" if bus is None else "hostaddr"
        raise fields.error(f"it has no {missing}, expected hostbus=N,hostaddr=N as lsusb lists them")
    controller, port = fields.number("controller", 0, _MAX_CONTROLLER), fields.number("port", 1, _MAX_PORT)
    if port is not None and controller is None:
        raise fields.wrong("port", "controller=N with it: it is a port of that one")
    return UsbDeviceConfig(
        devid=bus << 8 | address,
        hostbus=bus,
        hostaddr=address,
        controller=controller,
        port=port,
        place=None if controller is None or port is None else (controller, port),
        has_type=fields.has("type"),
    )


def spec_of(device: UsbDeviceConfig) -> str:
    """The specification of a device whose place is known."""
    assert device.place is not None
    controller, port = device.place
    where = f"hostbus={device.hostbus},hostaddr={device.hostaddr}"
    return f"type={_TYPE},{where},controller={controller},port={port}"


def free_port(
    controllers: Iterable[UsbControllerConfig], taken: Iterable[tuple[int, int]], controller: int | None
) -> tuple[int, int] | None:
    """The first place that no device has, of one controller or of any; None: there is none."""
    busy = set(taken)
    places = (
        (each.devid, port)
        for each in controllers
        if each.devid is not None and controller in (None, each.devid)
        for port in range(1, each.ports + 1)
    )
    return next((place for place in places if place not in busy), None)


def settled_usbdevs(
    settings: Settings, guest_type: str, devices: Sequence[UsbDeviceConfig]
) -> Sequence[UsbDeviceConfig]:
    """The devices, each in its place, one after the other as libxl has it.

    Raises:
        ConfigError: there is no such controller or port, or another device has it.
    """
    controllers = _controllers(settings)
    return devices if controllers is None else _settled(settings, devices, controllers)[1]


def settled_controllers(
    settings: Settings, guest_type: str, controllers: Sequence[UsbControllerConfig]
) -> Sequence[UsbControllerConfig]:
    """The controllers, and those that devices need besides.

    Raises:
        ConfigError: unsupported: those of an hvm domain would be emulated.
    """
    try:
        items = settings.items("usbdev")
        settled = _settled(settings, [parse_usbdev(*item) for item in items], controllers)[0]
    except ConfigError:  # which the devices themselves raise
        return controllers
    if guest_type == "hvm" and any(each.type is None for each in settled):
        text = (
            "this xend puts no devices of the host into emulated controllers; expected type=pv or type=qusb "
            "in usbctrl, which a paravirtual driver takes"
        )
        option = "usbctrl" if settings.value("usbctrl") else "usbdev"
        raise settings.error(option, text, code="unsupported")
    return settled


def _settled(
    settings: Settings,
    devices: Sequence[UsbDeviceConfig],
    given: Sequence[UsbControllerConfig],
) -> tuple[list[UsbControllerConfig], list[UsbDeviceConfig]]:
    controllers = list(given)
    taken: dict[tuple[int, int], UsbDeviceConfig] = {}
    for device in devices:
        place = device.place or free_port(controllers, taken, device.controller)
        if place is None and device.controller is None:
            controllers.append(UsbControllerConfig(devid=len(controllers), is_automatic=True))
            place = (len(controllers) - 1, 1)
        if place is None or not has_port(controllers, place):
            raise _wrong(settings, _missing(controllers, device))
        if place in taken:
            said = f"{device.number_as_given} is to have a port that {taken[place].number_as_given} has"
            raise _wrong(settings, f"{said}, expected another one than port {place[1]}")
        taken[place] = attrs.evolve(device, place=place)
    return controllers, list(taken.values())


def _wrong(settings: Settings, complaint: str) -> ConfigError:
    value = settings.value("usbdev")
    assert value is not None
    return ConfigError.at(value.place, f"usbdev: {complaint}", option="usbdev")


def _controllers(settings: Settings) -> list[UsbControllerConfig] | None:
    """Those of the configuration; None: they are wrong, which they say themselves."""
    try:
        found = [parse_usbctrl(*item) for item in settings.items("usbctrl")]
    except ConfigError:
        return None
    return [attrs.evolve(each, devid=number) for number, each in enumerate(found)]


def has_port(controllers: Iterable[UsbControllerConfig], place: tuple[int, int]) -> bool:
    """Whether one of these controllers has such a port."""
    return any(each.devid == place[0] and place[1] <= each.ports for each in controllers)


def _missing(controllers: Sequence[UsbControllerConfig], device: UsbDeviceConfig) -> str:
    found = next((each for each in controllers if each.devid == device.controller), None)
    if found is None:
        there = ", ".join(str(each.devid) for each in controllers) or "none, or usbctrl = [ ... ] with one"
        return f"{device.number_as_given} is to have controller {device.controller}, expected {there}"
    if device.port is None:
        return f"controller {device.controller} has no port left for {device.number_as_given}"
    return f"{device.number_as_given} is to have port {device.port}, expected 1 to {found.ports}"


def usbdev_as_json(device: UsbDeviceConfig) -> dict[str, Any]:
    """As libxl's JSON has it (libxl_device_usbdev)."""
    where = {"ctrl": device.controller, "port": device.port}
    host = {"hostbus": device.hostbus, "hostaddr": device.hostaddr}
    return {
        **{key: number for key, number in where.items() if number is not None},
        **({f"type.{_TYPE}": host} if device.has_type else {}),
    }


def usbdev_of_json(json: Mapping[str, Any]) -> str:
    """The inverse: the text of an item, of which xl has left out what it is where its type was not given."""
    host = json.get(f"type.{_TYPE}")
    where = host if isinstance(host, dict) else {}
    return item(
        type=_TYPE,
        hostbus=number(where, "hostbus"),
        hostaddr=number(where, "hostaddr"),
        controller=number(json, "ctrl"),
        port=number(json, "port"),
    )
