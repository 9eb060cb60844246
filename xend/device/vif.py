"""Network interfaces (toolstack.md 2.1; xen/include/public/io/netif.h)."""

import random

from xend.config import VifConfig
from xend.device.device import Device
from xend.device.paths import interface_of, script_path
from xend.host import Settings


def random_mac(chance: random.Random) -> str:
    """An address of Xen's own range, 00:16:3e:00:00:00 to 00:16:3e:7f:ff:ff."""
    return "00:16:3e:" + ":".join(f"{byte:02x}" for byte in chance.randrange(1 << 23).to_bytes(3, "big"))


def vif_device(domid: int, config: VifConfig, settings: Settings, *, backend_domid: int = 0) -> Device:
    """The device of a configuration whose mac and devid are known; its backend is in `backend_domid`.

    Raises:
        XendError: the script is none of the script directory's.
    """
    assert config.devid is not None
    assert config.mac is not None
    devid = config.devid
    name = f"vif {devid}"
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
        kind="vif",
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
            "type": "vif_ioemu" if config.type == "ioemu" else "vif",
            "hotplug-status": "",
            **{key: value for key, value in optional.items() if value is not None},
        },
        script=script,
        interface=interface_of(domid, devid, settings),
    )
