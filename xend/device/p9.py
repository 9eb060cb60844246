"""Directories that a guest shares with the domain of its backend, by 9pfs (guests.md 3).

The device model opens what its guest asks for, as root, or as the user that the configuration names, who sees
nothing else then.  So nobody but root may be able to put another directory in the place of the one that is
meant.
"""

from xend.config.number import number_of
from xend.config.p9 import P9Config, p9_as_json, p9_of_json, parse_p9
from xend.device.device import Device
from xend.device.kind import DeviceKind
from xend.device.shared import check_shared_directory
from xend.model.part import Part
from xend.settings import Settings

_STORE_NAME = "9pfs"
_DRIVER = "9pfs (of the device model)"


def p9_device(domid: int, config: P9Config, settings: Settings, *, backend_domid: int = 0) -> Device:
    """The device of a configuration whose devid is known; its backend is in `backend_domid`."""
    assert config.devid is not None
    return Device(
        kind=P9.name,
        store_name=_STORE_NAME,
        backend_kind=_STORE_NAME,
        domid=domid,
        devid=config.devid,
        backend_domid=backend_domid,
        name=P9.label(config.name),
        frontend={"backend-id": str(backend_domid), "state": "1", "tag": config.tag},
        backend={
            "frontend-id": str(domid),
            "online": "1",
            "state": "1",
            "path": config.path if backend_domid else settings.guest_file(config.path),
            "security_model": config.security_model,
        },
        script=None,
    )


def _model_part(config: P9Config, settings: Settings) -> Part:
    return Part(share=settings.guest_file(config.path), opens_xen_later=True, opens_files_later=True)


def _check(device: Device) -> None:
    check_shared_directory(device.backend["path"], device.name)


P9: DeviceKind[P9Config] = DeviceKind(
    name="p9",
    store_name=_STORE_NAME,
    option="p9",
    parse=parse_p9,
    make=p9_device,
    unique=("tag",),
    order=2,
    verbs=(),
    devid_of=number_of,
    frontend_keys=("state", "tag", "num-rings"),
    backend_keys=("state", "path", "security_model"),
    drivers={"linux": _DRIVER, "netbsd": _DRIVER},
    check=_check,
    model_backends=(_STORE_NAME,),
    model_closes=False,
    model_part=_model_part,
    json_key="p9s",
    as_json=p9_as_json,
    of_json=p9_of_json,
)
