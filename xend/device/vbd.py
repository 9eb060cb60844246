"""Disks (toolstack.md 2.2; xen/include/public/io/blkif.h)."""

from xend.config import DiskConfig
from xend.device.device import Device
from xend.device.paths import script_path
from xend.errors import XendError
from xend.host import Settings

#: The script of disks that name none: of files and block devices; others give a target any meaning.
BLOCK = "block"


def vbd_device(domid: int, config: DiskConfig, settings: Settings, *, backend_domid: int = 0) -> Device:
    """The device of a configuration, whose backend is in `backend_domid`.

    Raises:
        XendError: its backend is none that runs here; the script is none of the script directory's.
    """
    name = f"vbd {config.name}"
    if config.format != "raw" or config.backendtype not in (None, "phy"):
        wanted = config.backendtype or f"one for {config.format} images"
        raise XendError(
            "unsupported",
            f"{name}: backend {wanted} needs a device model, which this xend does not run",
            device=name,
            hint="use a raw image (format=raw) or a block device",
        )
    script = script_path(settings, config.script or BLOCK, name)
    params = config.target or ""
    if params and not backend_domid:
        params = settings.guest_file(params)
    device_type = "cdrom" if config.is_cdrom else "disk"
    discard = {} if config.is_cdrom else {"discard-enable": str(int(config.discard is not False))}
    return Device(
        kind="vbd",
        domid=domid,
        devid=config.devid,
        backend_domid=backend_domid,
        name=name,
        frontend={
            "backend-id": str(backend_domid),
            "state": "1",
            "virtual-device": str(config.devid),
            "device-type": device_type,
            "trusted": str(int(config.trusted)),
        },
        backend={
            "params": params,
            "script": script,
            "frontend-id": str(domid),
            "online": "1",
            "removable": str(int(config.is_cdrom)),
            "bootable": "1",
            "state": "1",
            "dev": config.name,
            "type": "phy",
            "mode": config.mode,
            "device-type": device_type,
            **discard,
            "specification": config.specification,
            **({"direct-io-safe": "1"} if config.direct_io_safe else {}),
        },
        script=script,
    )
