"""Controllers of USB of paravirtual guests (guests.md 3; xen/include/public/io/usbif.h).

A driver of dom0's kernel serves them (usbback, backends vusb), or the device model (backends qusb).  What is
put into a port stands below the backend: port/P is the device's name on the host (xend.domain.usb).
"""

import os

from xend.config.number import number_of
from xend.config.usbctrl import (
    KERNEL,
    QEMU,
    UsbControllerConfig,
    parse_usbctrl,
    usbctrl_as_json,
    usbctrl_of_json,
)
from xend.config.usbdev import settled_controllers
from xend.device.device import Device
from xend.device.kind import DeviceKind
from xend.device.usb_ports import take_all_out
from xend.model.part import Part
from xend.settings import Settings

_STORE_NAME = "vusb"
_BACKENDS = {KERNEL: _STORE_NAME, QEMU: "qusb"}


def usbctrl_device(
    domid: int, config: UsbControllerConfig, settings: Settings, *, backend_domid: int = 0
) -> Device:
    """The device of a configuration whose devid is known."""
    assert config.devid is not None
    served = config.type or (KERNEL if has_driver(settings) else QEMU)
    return Device(
        kind=USBCTRL.name,
        store_name=_STORE_NAME,
        backend_kind=_BACKENDS[served],
        domid=domid,
        devid=config.devid,
        backend_domid=backend_domid,
        name=USBCTRL.label(config.name),
        frontend={"backend-id": str(backend_domid), "state": "1"},
        backend={
            "frontend-id": str(domid),
            "online": "1",
            "state": "1",
            "type": served,
            "usb-ver": str(config.version),
            "num-ports": str(config.ports),
            "port": "",
            **{f"port/{port}": "" for port in range(1, config.ports + 1)},
        },
        script=None,
    )


def has_driver(settings: Settings) -> bool:
    """Whether dom0's kernel has a driver that serves controllers; only kernels of Linux ever had."""
    return settings.platform == "linux" and os.path.lexists(f"{settings.usb_directory}/drivers/usbback")


USBCTRL: DeviceKind[UsbControllerConfig] = DeviceKind(
    name="usbctrl",
    store_name=_STORE_NAME,
    option="usbctrl",
    parse=parse_usbctrl,
    make=usbctrl_device,
    settle=settled_controllers,
    release=take_all_out,
    order=7,
    devid_of=number_of,
    frontend_keys=("state", "event-channel", "urb-ring-ref"),
    backend_keys=("state", "type", "usb-ver", "num-ports"),
    own_keys=("type", "num-ports"),
    drivers={"linux": "usbback, or qusb of the device model,", "netbsd": "qusb (of the device model)"},
    model_backends=(_BACKENDS[QEMU],),
    model_closes=False,
    model_part=lambda config, settings: Part(opens_files_later=True),
    json_key="usbctrls",
    as_json=usbctrl_as_json,
    of_json=usbctrl_of_json,
)
