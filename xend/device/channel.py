"""Channels: further consoles of a domain, each with a name, served by its device model (guests.md 6).

Source of the keys: libxl_console.c.  What a guest could lead others astray by (XSA-57) it may only read.
"""

from xend.config.channel import (
    FIRST,
    SOCKET,
    ChannelConfig,
    channel_as_json,
    channel_of_json,
    parse_channel,
    settled_channels,
)
from xend.config.number import number_of
from xend.device.device import Device
from xend.device.kind import DeviceKind
from xend.device.shared import check_socket_path
from xend.model.part import Part
from xend.settings import Settings

_STORE_NAME = "console"
_PROTOCOL = "vt100"
_LIMIT_BYTES = 1 << 20
_DRIVER = "console (of the device model)"


def channel_device(
    domid: int, config: ChannelConfig, settings: Settings, *, backend_domid: int = 0
) -> Device:
    """The device of a configuration whose devid is known; its backend is in `backend_domid`."""
    assert config.devid is not None
    is_socket = config.connection == SOCKET
    return Device(
        kind=CHANNEL.name,
        store_name=_STORE_NAME,
        backend_kind=_STORE_NAME,
        domid=domid,
        devid=config.devid,
        backend_domid=backend_domid,
        name=CHANNEL.label(config.name),
        frontend={"backend-id": str(backend_domid), "state": "1", "protocol": _PROTOCOL},
        read_only={
            "name": config.name,
            "limit": str(_LIMIT_BYTES),
            "type": "ioemu",
            "output": f"chardev:{chardev_of(config.devid)}" if is_socket else "pty",
            "tty": "",
        },
        backend={
            "frontend-id": str(domid),
            "online": "1",
            "state": "1",
            "protocol": _PROTOCOL,
            "name": config.name,
            "connection": config.connection,
            **({} if config.path is None else {"path": config.path}),
        },
        script=None,
    )


def chardev_of(devid: int) -> str:
    """What the device model calls the channel's character device."""
    return f"libxl-channel{devid}"


def _part(config: ChannelConfig, settings: Settings) -> Part:
    assert config.devid is not None
    name = chardev_of(config.devid)
    if config.path is None:
        return Part(chardevs=("-chardev", f"pty,id={name}"), opens_xen_later=True)
    return Part(
        chardevs=("-chardev", f"socket,id={name},path={config.path},server=on,wait=off"),
        sockets=(config.path,),
        opens_xen_later=True,
    )


def _check(device: Device) -> None:
    if path := device.backend.get("path"):
        check_socket_path(path, device.name)


CHANNEL: DeviceKind[ChannelConfig] = DeviceKind(
    name="channel",
    store_name=_STORE_NAME,
    first_devid=FIRST,
    option="channel",
    parse=parse_channel,
    make=channel_device,
    settle=settled_channels,
    unique=("name", "path"),
    order=1,
    verbs=(),
    name_key="name",
    devid_of=number_of,
    frontend_keys=("state", "port", "ring-ref", "tty"),
    backend_keys=("state", "name", "connection", "path"),
    own_keys=("connection", "path"),
    drivers={"linux": _DRIVER, "netbsd": _DRIVER},
    check=_check,
    model_backends=(_STORE_NAME,),
    model_closes=False,
    model_part=_part,
    json_key="channels",
    as_json=channel_as_json,
    of_json=channel_of_json,
)
