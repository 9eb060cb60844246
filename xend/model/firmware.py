"""Where the firmware of emulated machines lies: where the configuration says, or where systems have it.

Source: guests.md 1.1 (Debian's, pkgsrc's and upstream's places).
"""

import os
from collections.abc import Mapping, Sequence

import attrs

from xend.errors import XendError

__all__ = ["FIRMWARE", "FirmwareFiles", "file_of"]


@attrs.frozen
class FirmwareFiles:
    """One piece of firmware.

    Attributes:
        called: what people call it.
        paths: where systems have it; `{release}` is that of the running Xen: "4.17".
        packages: what has it, by platform.
    """

    called: str
    paths: Sequence[str]
    packages: Mapping[str, str]


_XENTOOLS = "pkgsrc's sysutils/xentools has it"
#: By what the options call them.
FIRMWARE: Mapping[str, FirmwareFiles] = {
    "hvmloader": FirmwareFiles(
        "hvmloader",
        (
            "/usr/lib/xen-{release}/boot/hvmloader",
            "/usr/pkg/libexec/xen/boot/hvmloader",
            "/usr/lib/xen/boot/hvmloader",
            "/usr/local/lib/xen/boot/hvmloader",
            "/usr/libexec/xen/boot/hvmloader",
        ),
        {
            "linux": "Debian's package xen-utils-{release} has it; or firmware_override names it",
            "netbsd": f"{_XENTOOLS}; or firmware_override names it",
        },
    ),
    "seabios": FirmwareFiles(
        "SeaBIOS",
        (
            "/usr/share/seabios/bios-256k.bin",
            "/usr/pkg/libexec/xen/boot/seabios.bin",
            "/usr/pkg/share/seabios/bios.bin",
            "/usr/lib/xen/boot/seabios.bin",
            "/usr/local/lib/xen/boot/seabios.bin",
            "/usr/libexec/xen/boot/seabios.bin",
        ),
        {
            "linux": "Debian's package seabios has it; or bios_path_override names it",
            "netbsd": f"{_XENTOOLS}; or bios_path_override names it",
        },
    ),
    "ovmf": FirmwareFiles(
        "OVMF (UEFI)",
        (
            "/usr/share/ovmf/OVMF.fd",
            "/usr/pkg/share/ovmf/OVMFX64.fd",
            "/usr/lib/xen/boot/ovmf.bin",
            "/usr/local/lib/xen/boot/ovmf.bin",
            "/usr/libexec/xen/boot/ovmf.bin",
        ),
        {
            "linux": "Debian's package ovmf has it; or bios_path_override names it",
            "netbsd": "pkgsrc's sysutils/ovmf has it; or bios_path_override names it",
        },
    ),
}


def file_of(name: str, release: str, platform: str) -> str:
    """The path of a piece of FIRMWARE on this host.

    Raises:
        XendError: unsupported: it is nowhere.
    """
    found = FIRMWARE[name]
    paths = [path.format(release=release) for path in found.paths]
    for path in paths:
        if os.path.exists(path):
            return path
    raise XendError(
        "unsupported",
        f"there is no {found.called} on this host: neither {paths[0]} nor one of {len(paths) - 1} other "
        "places of Xen's",
        hint=found.packages[platform].format(release=release),
    )
