"""Disks (toolstack.md 2.2; xen/include/public/io/blkif.h)."""

import os
from collections.abc import Mapping
from typing import Any

import attrs

from xend.config.disk import DiskConfig, parse_disk
from xend.config.emulated_disks import settled_disks
from xend.config.libxl import backend, backend_of, flag, item, not_empty, number, text
from xend.config.vdev import vdev_number
from xend.device.device import Device
from xend.device.files import check_readable
from xend.device.kind import ATTACHABLE, DeviceKind, Script
from xend.device.paths import script_path
from xend.disk.backing import FORMATS, needs_more
from xend.disk.chain import QCOW2, lies_on_others
from xend.errors import XendError
from xend.model.image import Image, file_of, set_of
from xend.model.part import Drive, Part
from xend.settings import Settings

#: The script of disks that name none: of files and block devices; others give a target any meaning.
BLOCK = "block"
#: How each system calls the units that make disks of files, shows them, and takes one back.
_UNITS = {
    "netbsd": ("vnd", "vnconfig -l", "vnconfig -u {unit}"),
    "linux": ("loop", "losetup -a", "losetup -d {unit}"),
}
#: What a backend in a device model is called in the store, and as backendtype.
QDISK = "qdisk"
#: What qemu is told of an image: nothing is guessed, as a guest writes to a raw one what it likes.
_PROTOCOLS = {"raw": "aio", "qcow": "qcow", "qcow2": "qcow2", "vhd": "vhd", "qed": "qed"}
#: What qemu calls a format, where it is another word.
_FORMATS = {"vhd": "vpc"}
#: Letters that NetBSD's names of a unit's partitions end with.
_PARTITIONS = "abcdefghijklmnop"


def vbd_device(domid: int, config: DiskConfig, settings: Settings, *, backend_domid: int = 0) -> Device:
    """The device of a configuration, whose backend is in `backend_domid`.

    Raises:
        XendError: its backend is none that runs here; the script is none of the script directory's.
    """
    name = VBD.label(config.name)
    is_of_model = needs_model(config)
    _check_backend(config, name, backend_domid)
    script = None if is_of_model else script_path(settings, config.script or BLOCK, name)
    params = config.target or ""
    if params and not backend_domid:
        params = settings.guest_file(params)
    if is_of_model:
        params = f"{_PROTOCOLS[config.format]}:{params}"
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
            **({} if script is None else {"script": script}),
            "frontend-id": str(domid),
            "online": "1",
            "removable": str(int(config.is_cdrom)),
            "bootable": "1",
            "state": "1",
            "dev": config.name,
            "type": QDISK if is_of_model else "phy",
            "mode": config.mode,
            "device-type": device_type,
            **discard,
            "specification": config.specification,
            **({"direct-io-safe": "1"} if config.direct_io_safe else {}),
        },
        backend_kind=QDISK if is_of_model else None,
        script=script,
    )


def model_format(config: DiskConfig) -> str:
    """What qemu calls the format of its image."""
    return _FORMATS.get(config.format, config.format)


def _machine_part(config: DiskConfig, domid: int, settings: Settings) -> Part | None:
    """The drive that is emulated beside it, or in its place."""
    if config.emulated_at is None:
        return None
    bus, number = config.emulated_at
    path, node = config.target, None
    if config.script not in (None, BLOCK):
        node = f"/local/domain/0/backend/{VBD.name}/{domid}/{config.devid}/physical-device-path"
    elif path is not None:
        path = settings.guest_file(path)
    return Part(
        drive=Drive(
            bus=bus,
            number=number,
            devid=config.devid,
            path=path,
            node=node,
            format=model_format(config),
            is_cdrom=config.is_cdrom,
            is_read_only=config.mode == "r",
            label=VBD.label(config.name),
        )
    )


def _model_part(config: DiskConfig, settings: Settings) -> Part:
    """Its image; what that lies on qemu opens by its name, where not all of it can be given."""
    path = settings.guest_file(config.target or "")
    is_layered = _is_layered(config.format, path, config.direct_io_safe)
    image = Image(
        number=set_of(config.devid, is_layered),
        path=path,
        is_read_only=config.mode == "r",
        is_direct=config.direct_io_safe,
        is_layered=is_layered,
        name=config.name,
        discards=not config.is_cdrom and config.discard is not False,
        label=VBD.label(config.name),
    )
    opens_more = not is_layered and config.format in FORMATS and needs_more(path)
    return Part(image=image, opens_xen_later=True, opens_files_later=opens_more)


def _is_layered(form: str, path: str, is_direct: bool) -> bool:
    """Whether an image lies on others that can all be given."""
    return form == QCOW2 and not is_direct and lies_on_others(path)


def _shown(device: Device) -> Device:
    protocol, _, path = device.backend["params"].partition(":")
    if not path:
        return device
    is_layered = _is_layered(protocol, path, device.backend.get("direct-io-safe") == "1")
    protocol = _PROTOCOLS["raw"] if is_layered else protocol
    return attrs.evolve(device, shown={"params": f"{protocol}:{file_of(set_of(device.devid, is_layered))}"})


def needs_model(config: DiskConfig) -> bool:
    """Whether a device model serves it: dom0's kernel reads raw images and devices only."""
    return config.backendtype == QDISK or (config.backendtype is None and config.format != "raw")


def _check_backend(config: DiskConfig, name: str, backend_domid: int) -> None:
    """Raises: XendError: it asks for a backend that does not run here, or for what its backend cannot do."""
    if not needs_model(config):
        if config.format == "raw" and config.backendtype in (None, "phy"):
            return
        complaint = f"a backend {config.backendtype} for {config.format} images does not run here"
        hint = "leave backendtype out: dom0's kernel takes what is raw, a device model (qdisk) other images"
    elif backend_domid:
        complaint = (
            "a driver domain's disks are served by its kernel, which reads raw images and devices only"
        )
        hint = "use a raw image (format=raw) or a block device there"
    elif config.script is not None:
        complaint = f"a device model (qdisk) reads its image itself, no script {config.script} does anything"
        hint = "use a raw image (format=raw), or no script"
    elif config.target is None:
        complaint = "a device model (qdisk) cannot serve an empty drive"
        hint = "leave backendtype out: dom0's kernel serves an empty drive"
    else:
        return
    raise XendError("unsupported", f"{name}: {complaint}", device=name, hint=hint)


def _check_image(device: Device) -> None:
    """See that its image can be read, where its script takes it for a file.

    Raises:
        XendError: bad_image.
    """
    params = device.backend.get("params")
    if device.backend_kind == QDISK and params:
        check_readable("disk", params.partition(":")[2], device.name)
    elif params and os.path.basename(device.script or "") == BLOCK:
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


def _of_json(json: Mapping[str, Any]) -> str:
    is_cdrom, target = bool(number(json, "is_cdrom")), text(json, "pdev_path")
    discard, form = flag(json, "discard_enable"), text(json, "format")
    backend_type = text(json, "backend")
    return item(
        *(["direct-io-safe"] if flag(json, "direct_io_safe") else []),
        *([] if discard is None or is_cdrom else ["discard" if discard else "no-discard"]),
        *(["untrusted"] if flag(json, "trusted") is False else []),
        # Takes all that follows it.
        *([f"target={target}"] if target else []),
        vdev=text(json, "vdev"),
        format=None if form in ("unknown", "empty") else form,
        access="rw" if number(json, "readwrite") and not is_cdrom else "ro",
        devtype="cdrom" if is_cdrom else None,
        backendtype=None if backend_type == "unknown" else backend_type,
        script=text(json, "script"),
        backend=backend_of(json),
    )


VBD: DeviceKind[DiskConfig] = DeviceKind(
    name="vbd",
    option="disk",
    parse=parse_disk,
    make=vbd_device,
    settle=settled_disks,
    machine_part=_machine_part,
    is_on_bus=lambda config: not config.is_emulated_only,
    in_place_of=lambda before, after: attrs.evolve(after, emulated_at=before.emulated_at),
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
    model_backends=(QDISK,),
    model_part=_model_part,
    model_shows=_shown,
    is_disk=True,
    json_key="disks",
    as_json=_as_json,
    of_json=_of_json,
)
