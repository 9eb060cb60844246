"""The table of device types: who needs to know something about a type asks its row.

A new type is a file with its row (`xend/device/NAME.py`), a line here, and `is_here` in the row of its option
(xend.config.options).
"""

from collections.abc import Mapping
from typing import Any

from xend.config import DomainConfig
from xend.device.channel import CHANNEL
from xend.device.kind import DeviceKind
from xend.device.p9 import P9
from xend.device.pci import PCI
from xend.device.usbctrl import USBCTRL
from xend.device.usbdev import USBDEV
from xend.device.vbd import VBD
from xend.device.vfb import VFB
from xend.device.vif import VIF
from xend.device.vkb import VKB
from xend.device.vtpm import VTPM

#: By name.
KINDS: Mapping[str, DeviceKind[Any]] = {
    kind.name: kind for kind in (VIF, VBD, VTPM, PCI, VFB, VKB, P9, CHANNEL, USBCTRL, USBDEV)
}
#: As their devices come into a domain.
IN_ORDER = tuple(sorted(KINDS.values(), key=lambda kind: kind.order))


def sees_host_memory(config: DomainConfig) -> bool:
    """Whether a paravirtual domain of this configuration sees the host's holes in its memory map."""
    return bool(config.e820_host) or any(
        kind.shows_host_memory and config.of_kind(kind.name) for kind in IN_ORDER
    )


def with_verb(verb: str) -> tuple[str, ...]:
    """The names of the types whose devices this may be asked of while their domain runs."""
    return tuple(name for name, kind in KINDS.items() if verb in kind.verbs)
