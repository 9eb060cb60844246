"""Devices of the host: all that a domain is given are one device of it, number 0 (guests.md 5.4).

Each function is a group of keys in the backend's directory, with its place in the row: key-0, dev-0, ...
What is given away is found on the host first (xend.domain.cards), so that a configuration alone makes no such
device.  Source of the keys: libxl_pci.c, xen-pciback's xenbus.c.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from xend.config.number import number_of
from xend.config.pci import PciConfig, parse_pci, settled_pci
from xend.config.pci_json import pci_as_json, pci_of_json
from xend.device.device import Device
from xend.device.kind import DeviceKind
from xend.device.xenbus import XenbusState
from xend.model.part import Part
from xend.pci.address import Address
from xend.validators import texts, typed

#: The keys of one function, without its place.
GROUP = ("key", "dev", "vdevfn", "opts", "name", "state", "vdev")
#: What of them the backend's driver writes.
OF_DRIVER = ("vdev",)
#: How many functions are read of a backend at most: so many PCI has on a bus.
FUNCTIONS_MAX = 256
DEVID = 0


@attrs.frozen(kw_only=True)
class Function:
    """A function of the host's as a domain has it, or is to have it.

    Attributes:
        address: as text: "0000:01:00.0".
        item: the number of the configuration's item that it belongs to.
        called: its name; None: it was named by its address.
        vdevfn: device number and function under which its guest shall see it; None: the backend chooses.
        accepts: see PciConfig, as the others.
    """

    address: str = attrs.field(validator=typed(str))
    item: int = attrs.field(validator=typed(int))
    called: str | None = attrs.field(default=None)
    vdevfn: int | None = attrs.field(default=None)
    permissive: bool = False
    msitranslate: bool = False
    power_mgmt: bool = False
    seize: bool = False
    is_strict: bool = True
    accepts: list[str] = attrs.field(factory=list, validator=texts)

    @property
    def where(self) -> Address:
        found = Address.parse(self.address)
        if found is None:
            raise ValueError(f"{self.address!r} is no address of a PCI function")
        return found

    def group(self) -> dict[str, str]:
        """Its group of keys, by their names without the place."""
        options = {
            "msitranslate": int(self.msitranslate),
            "power_mgmt": int(self.power_mgmt),
            "permissive": int(self.permissive),
            "rdm_policy": "strict" if self.is_strict else "relaxed",
        }
        values = {
            "key": self.address,
            "dev": self.address,
            "vdevfn": None if self.vdevfn is None else f"{self.vdevfn:x}",
            "name": self.called,
            "opts": ",".join(f"{key}={value}" for key, value in options.items()),
            "state": str(int(XenbusState.INITIALISING)),
        }
        return {key: value for key, value in values.items() if value is not None}


def keys_at(place: int, group: Mapping[str, str]) -> dict[str, str]:
    """A group of keys, as they are called at a place of the row."""
    return {f"{key}-{place}": value for key, value in group.items()}


def groups_anew(groups: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The same functions, as a backend that is made anew is told of them."""
    state = str(int(XenbusState.INITIALISING))
    return [
        {**{key: value for key, value in group.items() if key not in OF_DRIVER}, "state": state}
        for group in groups
    ]


def function_of(value: "Function | Mapping[str, Any]") -> Function:
    """A function, or the one that these fields of a record make."""
    return value if isinstance(value, Function) else Function(**value)


def functions_of(values: "Sequence[Function | Mapping[str, Any]]") -> list[Function]:
    """Functions, or those that the fields of records make."""
    return [function_of(value) for value in values]


def pci_device(domid: int, groups: Sequence[Mapping[str, str]]) -> Device:
    """The device that functions make, from their groups of keys."""
    backend = {"frontend-id": str(domid), "online": "1", "state": "1"}
    for place, group in enumerate(groups):
        backend |= keys_at(place, group)
    return Device(
        kind=PCI.name,
        domid=domid,
        devid=DEVID,
        backend_domid=0,
        name=PCI.label(DEVID),
        frontend={"backend-id": "0", "state": "1"},
        backend={**backend, "num_devs": str(len(groups))},
        script=None,
    )


PCI: DeviceKind[PciConfig] = DeviceKind(
    name="pci",
    option="pci",
    parse=parse_pci,
    make=None,
    settle=settled_pci,
    # The device model finds them in the host's sysfs, and asks Xen for what they need, as long as it runs.
    machine_part=lambda config, domid, settings: Part(opens_files_later=True),
    order=9,
    verbs=(),
    # Before it is Initialised the driver looks whether the functions are its own.
    appeared=(XenbusState.INITIALISED, XenbusState.CONNECTED),
    shows_host_memory=True,
    devid_of=number_of,
    frontend_keys=("state", "pci-op-ref", "event-channel"),
    backend_keys=("state", "num_devs"),
    drivers={"linux": "xen-pciback", "netbsd": "pciback (pciback.hide= at boot)"},
    json_key="pcidevs",
    as_json=pci_as_json,
    of_json=pci_of_json,
)
