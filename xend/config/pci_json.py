"""PCI devices of the host in libxl's JSON (libxl_types.idl, device_pci), and back."""

from collections.abc import Mapping
from typing import Any

from xend.config import libxl
from xend.config.pci import POLICIES, SWITCHES, PciConfig

__all__ = ["pci_as_json", "pci_of_json"]

_ALL_FUNCTIONS = 0xFFFFFFFF


def pci_as_json(pci: PciConfig) -> dict[str, Any]:
    """As libxl's JSON has it (libxl_device_pci)."""
    address = pci.address
    where = {} if address is None else {
        "func": address.function, "dev": address.device, "bus": address.bus, "domain": address.segment,
        "vdevfn": (pci.vslot or 0) << 3, "vfunc_mask": _ALL_FUNCTIONS if pci.is_whole else 1,
    }  # fmt: skip
    return libxl.not_empty(
        **where,
        **{key: getattr(pci, key) for key in ("msitranslate", "power_mgmt", "permissive", "seize")},
        rdm_policy=None if pci.is_strict is None else POLICIES[0 if pci.is_strict else 1],
        name=pci.called,
    )


def pci_of_json(json: Mapping[str, Any]) -> str:
    """The inverse: the text of an item."""
    switches = {key: libxl.flag(json, key) for key in SWITCHES}
    said = {key: None if value is None else int(value) for key, value in switches.items()}
    if name := libxl.text(json, "name"):
        return libxl.item(name=name, **said)
    segment, bus, device, function = (
        libxl.number(json, key) or 0 for key in ("domain", "bus", "dev", "func")
    )
    is_whole = libxl.number(json, "vfunc_mask") == _ALL_FUNCTIONS
    address = f"{segment:04x}:{bus:02x}:{device:02x}.{'*' if is_whole else f'{function:x}'}"
    slot = (libxl.number(json, "vdevfn") or 0) >> 3
    vslot = f"{slot:x}" if slot else None
    return libxl.item(bdf=address, vslot=vslot, rdm_policy=libxl.text(json, "rdm_policy"), **said)
