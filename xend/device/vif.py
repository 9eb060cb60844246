"""Network interfaces (toolstack.md 2.1; xen/include/public/io/netif.h)."""

import random
import re
from collections.abc import Mapping
from typing import Any

from xend.config.libxl import backend, backend_of, flag, item, not_empty, number, text
from xend.config.number import number_of
from xend.config.vif import VifConfig, parse_vif, settled_vifs
from xend.device.device import Device
from xend.device.kind import Address, DeviceKind, Script
from xend.device.paths import script_path
from xend.model.part import Card, Part
from xend.settings import Settings

_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
#: The backend's type of one beside which there is an emulated card, and that card unless it is said.
_EMULATED, _MODEL = "vif_ioemu", "rtl8139"
#: libxl's words for types.
_TYPES = {"ioemu": _EMULATED, "vif": "vif"}
#: What NetBSD's qemu runs for the interface that it makes, and can give no name that xend would know.
_IF_UP = "qemu-ifup"
#: What shows an interface.
_SHOWS = {"netbsd": "ifconfig {name}", "linux": "ip link show {name}"}


def random_mac(chance: random.Random) -> str:
    """An address of Xen's own range, 00:16:3e:00:00:00 to 00:16:3e:7f:ff:ff."""
    return "00:16:3e:" + ":".join(f"{byte:02x}" for byte in chance.randrange(1 << 23).to_bytes(3, "big"))


def interface_of(domid: int, devid: int, settings: Settings) -> str:
    """What dom0's kernel calls a vif's interface."""
    return f"xvif{domid}i{devid}" if settings.platform == "netbsd" else f"vif{domid}.{devid}"


def vif_device(domid: int, config: VifConfig, settings: Settings, *, backend_domid: int = 0) -> Device:
    """The device of a configuration whose mac and devid are known; its backend is in `backend_domid`.

    Raises:
        XendError: the script is none of the script directory's.
    """
    assert config.devid is not None
    assert config.mac is not None
    devid = config.devid
    name = VIF.label(devid)
    script = script_path(settings, config.script or settings.vif_script, name)
    optional = {
        "vifname": config.vifname,
        "ip": config.ip,
        "gatewaydev": config.gatewaydev,
        "rate": None if config.rate is None else f"{config.rate[0]},{config.rate[1]}",
        "mtu": None if config.mtu in (None, 1500) else str(config.mtu),
        "vlan": config.vlan,
    }
    return Device(
        kind=VIF.name,
        domid=domid,
        devid=devid,
        backend_domid=backend_domid,
        name=name,
        frontend={
            "backend-id": str(backend_domid),
            "state": "1",
            "handle": str(devid),
            "mac": config.mac,
            "trusted": str(int(config.trusted)),
        },
        read_only={"mtu": str(config.mtu or 1500)},
        backend={
            "frontend-id": str(domid),
            "online": "1",
            "state": "1",
            "script": script,
            "mac": config.mac,
            "bridge": config.bridge or settings.default_bridge,
            "handle": str(devid),
            "type": _EMULATED if config.is_emulated else "vif",
            "hotplug-status": "",
            **{key: value for key, value in optional.items() if value is not None},
        },
        script=script,
        interface=interface_of(domid, devid, settings),
    )


def _machine_part(config: VifConfig, domid: int, settings: Settings) -> Part | None:
    """The card beside it."""
    if not config.is_emulated:
        return None
    assert config.devid is not None
    assert config.mac is not None
    runs_script = settings.platform == "netbsd"
    return Part(
        card=Card(
            devid=config.devid,
            model=config.model or _MODEL,
            mac=config.mac,
            interface=f"{interface_of(domid, config.devid, settings)}-emu",
            bridge=config.bridge or settings.default_bridge,
            script=str(settings.script_directory / _IF_UP) if runs_script else None,
        )
    )


def _beside(device: Device) -> tuple[tuple[str, str], list[str], dict[str, str]] | None:
    """How the script is called for the interface of the card beside it; None: there is none."""
    if device.backend.get("type") != _EMULATED:
        return None
    _, variables = _more(device)
    return ("add", "remove"), ["type_if=tap"], {**variables, "INTERFACE": f"{device.interface}-emu"}


def _more(device: Device) -> tuple[list[str], dict[str, str]]:
    assert device.interface is not None
    variables = {"vif": device.interface, "netdev": device.backend.get("gatewaydev", "")}
    return ["type_if=vif"], variables


def _held(found: Mapping[str, str], device: Device, platform: str) -> str | None:
    return found.get("vifname") or device.interface


def _left_words(name: str | None, platform: str) -> tuple[str, str]:
    show = _SHOWS[platform].format(name=name or "")
    return f"interface {name or 'of its own'} may be left as it was", f"see {show.strip()}"


def _as_json(vif: VifConfig) -> dict[str, Any]:
    rate = vif.rate or (0, 0)
    return {
        **backend(vif.backend),
        "devid": vif.devid,
        **not_empty(
            mtu=vif.mtu,
            model=vif.model,
            mac=vif.mac,
            ip=vif.ip,
            bridge=vif.bridge,
            ifname=vif.vifname,
            script=vif.script,
            nictype=None if vif.is_emulated and not vif.has_type else _TYPES[vif.type],
            rate_bytes_per_interval=rate[0],
            rate_interval_usecs=rate[1],
            gatewaydev=vif.gatewaydev,
            trusted=None if vif.trusted else "False",
            vlan=vif.vlan,
        ),
    }


def _of_json(json: Mapping[str, Any]) -> str:
    words = {key: text(json, key) for key in ("mac", "bridge", "ip", "script", "model", "gatewaydev", "vlan")}
    devid, mtu = number(json, "devid"), number(json, "mtu")
    return item(
        *(["untrusted"] if flag(json, "trusted") is False else []),
        **words,
        vifname=text(json, "ifname"),
        type=next((own for own, word in _TYPES.items() if word == text(json, "nictype")), None),
        devid=None if devid is None or devid < 0 else devid,
        mtu=mtu or None,
        rate=_rate_of(number(json, "rate_bytes_per_interval"), number(json, "rate_interval_usecs")),
        backend=backend_of(json),
    )


def _rate_of(bytes_per_interval: int | None, interval_us: int | None) -> str | None:
    if not bytes_per_interval or not interval_us:
        return None
    return f"{-(-bytes_per_interval * 10**6 // interval_us)}B/s@{interval_us}us"


VIF: DeviceKind[VifConfig] = DeviceKind(
    name="vif",
    option="vif",
    parse=parse_vif,
    make=vif_device,
    settle=settled_vifs,
    machine_part=_machine_part,
    order=5,
    devid_of=number_of,
    address=Address(key="mac", pattern=_MAC, choose=random_mac),
    frontend_keys=("state", "mac", "event-channel", "event-channel-tx", "tx-ring-ref", "rx-ring-ref"),
    backend_keys=("state", "hotplug-status", "hotplug-error", "bridge", "vifname"),
    own_keys=("gatewaydev", "type"),
    drivers={"linux": "xen-netback", "netbsd": "xvif (xennetback)"},
    script=Script(
        verbs=("online", "offline"),
        more=_more,
        beside=_beside,
        held_nodes=("vifname",),
        held=_held,
        left_words=_left_words,
    ),
    interface=interface_of,
    json_key="nics",
    as_json=_as_json,
    of_json=_of_json,
)
