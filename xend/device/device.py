"""One device: where its nodes are, and what stands in them at the beginning."""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from xend.errors import XendError


@attrs.frozen(kw_only=True)
class Device:
    """A device of a domain.

    Attributes:
        kind: the name of its type (xend.device.kinds): "vif".
        name: as people call it: "vif 0", "vbd xvda".
        frontend, backend: keys of both ends, in their order.
        read_only: frontend keys that the guest may read only.
        shown: what keys of the backend say to who serves it; the toolstack's copy has those of `backend`.
        store_name: what both ends are called in the store; None: as its type.
        backend_kind: what its backend is called in the store: "qdisk" of a vbd that a device model serves;
            None: as both ends.
        script: absolute path of its hotplug script; None: it has none.
        interface: the network interface in dom0 as the kernel names it; a script renames it to vifname.
    """

    kind: str
    domid: int
    devid: int
    backend_domid: int
    name: str
    frontend: Mapping[str, str]
    backend: Mapping[str, str]
    read_only: Mapping[str, str] = attrs.field(factory=dict)
    shown: Mapping[str, str] = attrs.field(factory=dict)
    store_name: str | None = None
    backend_kind: str | None = None
    script: str | None
    interface: str | None = None

    @property
    def key(self) -> str:
        """What it is known by among its domain's devices: "vif/0"."""
        return device_key(self.kind, self.devid)

    @property
    def frontend_path(self) -> str:
        return f"/local/domain/{self.domid}/device/{self.store_name or self.kind}/{self.devid}"

    @property
    def backend_path(self) -> str:
        kind = self.backend_kind or self.store_name or self.kind
        return f"/local/domain/{self.backend_domid}/backend/{kind}/{self.domid}/{self.devid}"

    @property
    def libxl_path(self) -> str:
        """The toolstack's own copy, which neither guest nor backend can write (XSA-175, XSA-178)."""
        return f"/libxl/{self.domid}/device/{self.store_name or self.kind}/{self.devid}"

    @property
    def is_empty(self) -> bool:
        """A CD drive without a disc: no script has anything to do with it."""
        return self.backend.get("params") == ""

    @property
    def served_by(self) -> str:
        """Whose kernel has its backend, for people."""
        return f"domain {self.backend_domid}" if self.backend_domid else "dom0"

    def error(self, code: str, message: str, **fields: object) -> XendError:
        """An error that names the device."""
        return XendError(code, f"{self.name}: {message}", device=self.name, **fields)


def device_key(kind: str, devid: int) -> str:
    """What a device is known by among its domain's devices: "vif/0"."""
    return f"{kind}/{devid}"


def device_of_fields(value: "Device | Mapping[str, Any]") -> Device:
    """A device, or the one that these fields of a record make."""
    return value if isinstance(value, Device) else Device(**value)


def devices_of(values: "Iterable[Device | Mapping[str, Any]]") -> list[Device]:
    """Devices, or those that the fields of records make."""
    return [device_of_fields(value) for value in values]
