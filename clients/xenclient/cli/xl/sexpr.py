"""A domain's configuration as xm printed it: what output_format="sxp" of xl.conf(5) asks for.

The names and their order are those of xl 4.17 (tools/xl/xl_sxp.c), which shows less than the JSON does.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    Map = Mapping[str, Any]

#: How libxl numbers what serves a disk (libxl_types.idl, disk_backend).
_BACKENDS = {"phy": 1, "tap": 2, "qdisk": 3, "standalone": 4}
#: As libxl writes a number that nobody gave, and a yes or no that nobody said.
_NO_LIMIT = -1
_UNDECIDED = "<default>"


def sexpr(domid: int, config: Map) -> str:
    """The text of one domain; config: in libxl's JSON."""
    create, build = config["c_info"], config["b_info"]
    lines = [
        "(domain",
        f"\t(domid {domid})",
        *(f"\t{line}" for line in _info(create, build)),
        "\t(image",
        *(f"\t\t{line}" for line in _image(create, build)),
        "\t)",
        *_devices(domid, config),
        ")",
    ]
    return "".join(f"{line}\n" for line in lines)


def _info(create: Map, build: Map) -> Iterator[str]:
    yield "(create_info)"
    yield f"(hvm {int(create['type'] == 'hvm')})"
    yield f"(hap {create.get('hap', _UNDECIDED)})"
    yield f"(oos {create.get('oos', _UNDECIDED)})"
    yield f"(ssidref {create.get('ssidref', 0)})"
    yield f"(name {create['name']})"
    yield f"(uuid {create.get('uuid', '<unknown>')})"
    if "pool_name" in create:
        yield f"(cpupool {create['pool_name']})"
    yield "(xsdata (null))"
    yield "(platformdata (null))"
    yield "(build_info)"
    yield f"(max_vcpus {build['max_vcpus']})"
    yield f"(max_grant_frames {build.get('max_grant_frames', _NO_LIMIT)})"
    yield f"(max_maptrack_frames {build.get('max_maptrack_frames', _NO_LIMIT)})"
    yield f"(tsc_mode {build.get('tsc_mode', 'default')})"
    yield f"(max_memkb {build['max_memkb']})"
    yield f"(target_memkb {build['target_memkb']})"
    yield f"(nomigrate {build.get('disable_migrate', 'False')})"
    if "bootloader" in build:
        yield f"(bootloader {build['bootloader']})"
        yield f"(bootloader_args {' '.join(build.get('bootloader_args', ()))})"


def _image(create: Map, build: Map) -> Iterator[str]:
    """xl has none for PVH domains, and ends there; here it is as that of the others, under its name."""
    yield "(linux 0)" if create["type"] == "pv" else f"({create['type']}"
    for key in ("kernel", "cmdline", "ramdisk"):
        yield f"\t({key} {build.get(key, '(null)')})"
    if create["type"] == "pv":
        yield f"\t(e820_host {build.get('type.pv', {}).get('e820_host', _UNDECIDED)})"
    yield ")"


def _devices(domid: int, config: Map) -> Iterator[str]:
    for disk in config.get("disks", ()):
        yield from _device("tap", disk, domid, _disk(disk))
    for nic in config.get("nics", ()):
        names = {"vifname": nic["ifname"]} if "ifname" in nic else {}
        yield from _device("vif", nic, domid, _nic(nic), names)


def _device(kind: str, device: Map, domid: int, values: Map, first: Map | None = None) -> Iterator[str]:
    """One device; first: what stands before its two domains."""
    ends = {"backend_domid": device.get("backend_domid", 0), "frontend_domid": domid}
    yield "\t(device"
    yield f"\t\t({kind}"
    for key, value in {**(first or {}), **ends, **values}.items():
        yield f"\t\t\t({key} {value})"
    yield "\t\t)"
    yield "\t)"


def _disk(disk: Map) -> Map:
    return {
        "physpath": disk.get("pdev_path", "(null)"),
        "phystype": _BACKENDS.get(disk.get("backend", ""), 0),
        "virtpath": disk["vdev"],
        "unpluggable": disk.get("removable", 0),
        "readwrite": disk.get("readwrite", 0),
        "is_cdrom": disk.get("is_cdrom", 0),
    }


def _nic(nic: Map) -> Map:
    return {
        "devid": nic.get("devid", 0),
        "mtu": nic.get("mtu", 0),
        "model": nic.get("model", "(null)"),
        "mac": nic.get("mac", "00:00:00:00:00:00").replace(":", ""),
    }
