"""USB devices of the host: each is in a port of a controller, and has no nodes of its own."""

from xend.config.usbdev import UsbDeviceConfig, parse_usbdev, settled_usbdevs, usbdev_as_json, usbdev_of_json
from xend.device.kind import DeviceKind

_DRIVER = "of its controller"

USBDEV: DeviceKind[UsbDeviceConfig] = DeviceKind(
    name="usbdev",
    option="usbdev",
    parse=parse_usbdev,
    make=None,
    settle=settled_usbdevs,
    order=8,
    verbs=(),
    devid_of=lambda word: None,
    frontend_keys=(),
    backend_keys=(),
    drivers={"linux": _DRIVER, "netbsd": _DRIVER},
    json_key="usbdevs",
    as_json=usbdev_as_json,
    of_json=usbdev_of_json,
)
