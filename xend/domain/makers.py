"""What makes the devices of a configuration."""

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs

from xend.config import DomainConfig
from xend.device.device import Device
from xend.device.kinds import IN_ORDER, KINDS
from xend.device.vfb import screen_of_vfb
from xend.errors import XendError
from xend.model.part import Part
from xend.settings import Settings


@attrs.frozen
class Maker:
    """Makes a device of the configuration, once its domain has a domid: make(domid, backend_domid=).

    config: the item of the configuration.
    settings: of this host.
    """

    kind: str
    devid: int
    name: str
    backend: str
    config: Any
    settings: Settings
    make: Callable[..., Device]

    @property
    def is_of_model(self) -> bool:
        """Whether the device model of its domain serves it; what cannot be made at all is nobody's."""
        if self.backend != "0":
            return False
        try:
            return KINDS[self.kind].is_of_model(self.make(0))
        except XendError:
            return False

    def part(self) -> Part:
        """What it wants of the device model that serves it."""
        return KINDS[self.kind].model_part(self.config, self.settings)


def machine_parts(config: DomainConfig, settings: Settings, domid: int) -> list[Part]:
    """What the device model of an hvm domain plays: its screen, and what is emulated of its devices, in the
    order of the configuration; none of another domain."""
    if config.machine is None:
        return []
    found = [
        kind.machine_part(device, domid, settings)
        for kind in IN_ORDER
        for device in config.of_kind(kind.name)
    ]
    devices = config.machine.devices
    screen = Part(screen=screen_of_vfb(devices.screen), spice=devices.spice)
    return [screen, *(part for part in found if part is not None)]


def makers_of(config: DomainConfig, settings: Settings) -> list[Maker]:
    """One for each device, in the order in which they come in."""
    return [
        Maker(
            kind.name,
            device.devid,
            kind.label(device.name),
            device.backend,
            device,
            settings,
            partial(kind.make, config=device, settings=settings),
        )
        for kind in IN_ORDER
        if kind.make is not None
        for device in config.of_kind(kind.name)
        if kind.is_on_bus(device)
    ]
