"""Disks (toolstack.md 2.2; xen/include/public/io/blkif.h)."""

import os
from collections.abc import Mapping
from typing import Any

from xend.config.disk import DiskConfig, parse_disk
from xend.config.libxl import backend, not_empty
from xend.config.vdev import vdev_number
from xend.device.device import Device
from xend.device.files import check_readable
from xend.device.kind import ATTACHABLE, DeviceKind, Script
from xend.device.paths import script_path
from xend.errors import XendError
from xend.settings import Settings

#: The script of disks that name none: of files and block devices; others give a target any meaning.
BLOCK = "block"
#: How each system calls the units that make disks of files, shows them, and takes one back.
_UNITS = {
    "netbsd": ("vnd", "vnconfig -l", "vnconfig -u {unit}"),
    "linux": ("loop", "losetup -a", "losetup -d {unit}"),
}
#: Letters that NetBSD's names of a unit's partitions end with.
_PARTITIONS = "abcdefghijklmnop"


def vbd_device(domid: int, config: DiskConfig, settings: Settings, *, backend_domid: int = 0) -> Device:
    """The device of a configuration, whose backend is in `backend_domid`.

    Raises:
        XendError: its backend is none that runs here; the script is none of the script directory's.
    """
    name = VBD.label(config.name)
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
        kind=VBD.name,
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


def _check_image(device: Device) -> None:
    """See that its image can be read, where its script takes it for a file.

    Raises:
        XendError: bad_image.
    """
    params = device.backend.get("params")
    if params and os.path.basename(device.script or "") == BLOCK:
        check_readable("disk", params, device.name)


def _held(found: Mapping[str, str], device: Device, platform: str) -> str | None:
    unit = found.get("vnd") or found.get("node") or ""
    driver, _, _ = _UNITS[platform]
    return unit if unit.rpartition("/")[2].startswith(driver) else None


def _left_words(name: str | None, platform: str) -> tuple[str, str]:
    driver, show, give_back = _UNITS[platform]
    if name is None:
        return f"a {driver} unit may be left", f"see {show}; {give_back.format(unit='UNIT')} gives one back"
    unit = name.rpartition("/")[2].rstrip(_PARTITIONS) if platform == "netbsd" else name
    return f"{name} may be left", f"see {show}; once nothing uses it: {give_back.format(unit=unit)}"


def _as_json(disk: DiskConfig) -> dict[str, Any]:
    return {
        **backend(disk.backend),
        "pdev_path": disk.target or "",
        "vdev": disk.vdev,
        **not_empty(backend=disk.backendtype),
        "format": disk.format if disk.target is not None else "empty",
        **not_empty(
            script=disk.script,
            removable=int(disk.is_cdrom),
            readwrite=int(disk.mode != "r"),
            is_cdrom=int(disk.is_cdrom),
            direct_io_safe=disk.direct_io_safe,
            discard_enable=None if disk.discard is None else str(disk.discard),
            trusted=None if disk.trusted else "False",
        ),
    }


VBD: DeviceKind[DiskConfig] = DeviceKind(
    name="vbd",
    option="disk",
    parse=parse_disk,
    make=vbd_device,
    order=0,
    verbs=(*ATTACHABLE, "insert", "eject"),
    name_key="dev",
    devid_of=vdev_number,
    frontend_keys=("state", "event-channel", "ring-ref"),
    backend_keys=("state", "hotplug-status", "hotplug-error", "params", "mode"),
    own_keys=("params",),
    drivers={"linux": "xen-blkback", "netbsd": "xbdback"},
    script=Script(verbs=("add", "remove"), held_nodes=("vnd", "node"), held=_held, left_words=_left_words),
    check=_check_image,
    is_disk=True,
    json_key="disks",
    as_json=_as_json,
)
