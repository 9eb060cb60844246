"""What a script may have left that failed to take a device out, and what an administrator does about it."""

from contextlib import suppress
from typing import Protocol

from xenclient.store.aio import Client
from xenclient.store.errors import ClientError
from xend.device.device import Device
from xend.device.nodes import texts
from xend.errors import XendError
from xend.host import Settings
from xenstore.errors import XenstoreError

#: Nodes of a backend that say what of the host's it holds (docs/hotplug.md).
NODES = ("vnd", "node", "vifname")
#: How each system calls the units that make disks of files, shows them, and takes one back.
UNITS = {
    "netbsd": ("vnd", "vnconfig -l", "vnconfig -u {unit}"),
    "linux": ("loop", "losetup -a", "losetup -d {unit}"),
}
#: What shows an interface.
SHOWS = {"netbsd": "ifconfig {name}", "linux": "ip link show {name}"}


class RemainsHost(Protocol):
    """What looking needs of a host."""

    @property
    def settings(self) -> Settings: ...
    @property
    def store(self) -> Client: ...


async def held(host: RemainsHost, device: Device) -> str | None:
    """The unit or interface that a device has of the host's; None: it is not known.

    To be asked for before the device is taken out.
    """
    found: dict[str, str] = {}
    with suppress(XenstoreError, ClientError):  # a store that is gone keeps no script from being run
        found = await texts(host.store, device.backend_path, NODES)
    if device.kind == "vif":
        return found.get("vifname") or device.interface
    unit = found.get("vnd") or found.get("node") or ""
    kind, _, _ = UNITS[host.settings.platform]
    return unit if unit.rpartition("/")[2].startswith(kind) else None


def left(device: Device, name: str | None, error: XendError, settings: Settings) -> XendError:
    """The failure of a script on the way out, with what it may have left (see `held`) and the remedy."""
    words, remedy = _words(device, name, settings)
    return XendError(
        error.code,
        f"{device.name}: {error.message}; {words}",
        **{"hint": remedy, **error.fields, "device": device.name},
    )


def _words(device: Device, name: str | None, settings: Settings) -> tuple[str, str]:
    if device.kind == "vif":
        show = SHOWS[settings.platform].format(name=name or "")
        return f"interface {name or 'of its own'} may be left as it was", f"see {show.strip()}"
    kind, show, give_back = UNITS[settings.platform]
    if name is None:
        return f"a {kind} unit may be left", f"see {show}; {give_back.format(unit='UNIT')} gives one back"
    unit = name.rpartition("/")[2] if settings.platform == "netbsd" else name
    unit = unit.rstrip("abcdefghijklmnop") if settings.platform == "netbsd" else unit
    return f"{name} may be left", f"see {show}; once nothing uses it: {give_back.format(unit=unit)}"
