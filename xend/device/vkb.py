"""Virtual keyboards and pointers (guests.md 3; xen/include/public/io/kbdif.h).

The device model serves them, or a driver of a Linux domain, whose backends are called vinput.
"""

from xend.config.number import number_of
from xend.config.vkb import (
    LINUX,
    SWITCHES,
    TOUCH_SIZES,
    VkbConfig,
    parse_vkb,
    settled_vkbs,
    vkb_as_json,
    vkb_of_json,
)
from xend.device.device import Device
from xend.device.kind import DeviceKind
from xend.settings import Settings

_STORE_NAME, _OF_LINUX = "vkbd", "vinput"
_DRIVER = "vkbd (of the device model), or vinput of a Linux domain"


def vkb_device(domid: int, config: VkbConfig, settings: Settings, *, backend_domid: int = 0) -> Device:
    """The device of a configuration whose devid is known; its backend is in `backend_domid`."""
    assert config.devid is not None
    touch = {} if config.touch is None else {
        "feature-multi-touch": "1", **dict(zip(TOUCH_SIZES, map(str, config.touch), strict=True))
    }  # fmt: skip
    sizes = {"width": config.width, "height": config.height}
    return Device(
        kind=VKB.name,
        store_name=_STORE_NAME,
        backend_kind=_OF_LINUX if config.backend_type == LINUX else _STORE_NAME,
        domid=domid,
        devid=config.devid,
        backend_domid=backend_domid,
        name=VKB.label(config.name),
        frontend={"backend-id": str(backend_domid), "state": "1"},
        backend={
            "frontend-id": str(domid),
            "online": "1",
            "state": "1",
            **({} if config.unique_id is None else {"unique-id": config.unique_id}),
            **{key: "1" for key in SWITCHES if key in config.switches},
            **touch,
            **{key: str(size) for key, size in sizes.items() if size},
        },
        script=None,
    )


VKB: DeviceKind[VkbConfig] = DeviceKind(
    name="vkb",
    store_name=_STORE_NAME,
    option="vkb",
    parse=parse_vkb,
    make=vkb_device,
    settle=settled_vkbs,
    order=4,
    devid_of=number_of,
    frontend_keys=("state", "event-channel", "page-gref"),
    backend_keys=("state", "unique-id"),
    drivers={"linux": _DRIVER, "netbsd": _DRIVER},
    model_backends=(_STORE_NAME,),
    model_closes=False,
    model_restates=True,
    json_key="vkbs",
    as_json=vkb_as_json,
    of_json=vkb_of_json,
)
