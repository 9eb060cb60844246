"""What makes the devices of a configuration."""

from collections.abc import Callable
from functools import partial

import attrs

from xend.config import DomainConfig
from xend.device.device import Device
from xend.device.kinds import IN_ORDER
from xend.settings import Settings


@attrs.frozen
class Maker:
    """Makes a device of the configuration, once its domain has a domid: make(domid, backend_domid=)."""

    kind: str
    devid: int
    name: str
    backend: str
    make: Callable[..., Device]


def makers_of(config: DomainConfig, settings: Settings) -> list[Maker]:
    """One for each device, in the order in which they come in."""
    return [
        Maker(
            kind.name,
            device.devid,
            kind.label(device.name),
            device.backend,
            partial(kind.make, config=device, settings=settings),
        )
        for kind in IN_ORDER
        if kind.make is not None
        for device in config.of_kind(kind.name)
    ]
