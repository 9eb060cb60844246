"""Where qemu lies: where the configuration says, or where systems have the one that Xen uses."""

import os
import shutil
from collections.abc import Mapping, Sequence

from xend.device.unrunnable import unrunnable
from xend.errors import XendError

__all__ = ["PROGRAMS", "program_of"]

_PATH = "/usr/pkg/sbin:/usr/pkg/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Debian's, pkgsrc's, that of Xen built from its sources, Fedora's and SUSE's (guests.md 1.1).
PROGRAMS: Sequence[str] = (
    "/usr/libexec/xen-qemu-system-i386",
    "/usr/pkg/libexec/xen/bin/qemu-system-i386",
    "/usr/lib/xen/bin/qemu-system-i386",
    "/usr/local/lib/xen/bin/qemu-system-i386",
    "/usr/libexec/xen/bin/qemu-system-i386",
    "/usr/lib64/xen/bin/qemu-system-i386",
)
_PACKAGES: Mapping[str, str] = {
    "linux": "Debian's package qemu-system-xen has it; or device_model_override names it",
    "netbsd": "pkgsrc's sysutils/xentools has it; or device_model_override names it",
}


def program_of(named: str | None, platform: str, programs: Sequence[str] = PROGRAMS) -> str:
    """The path of the device model.

    named: what device_model_override says; a name is looked for where programs are, as by libxl of 4.21.

    Raises:
        XendError: bad_config: it is not there, or cannot be run; unsupported: there is none.
    """
    if named is None:
        for program in programs:
            if os.path.exists(program):
                named = program
                break
        else:
            raise XendError(
                "unsupported",
                f"there is no device model (qemu) on this host: neither {programs[0]} nor one of "
                f"{len(programs) - 1} other places of Xen's",
                hint=_PACKAGES[platform],
            )
    elif "/" not in named:
        there = shutil.which(named, path=_PATH)
        if there is None:
            text = f'device_model_override = "{named}": there is no such program in {_PATH}'
            raise XendError("bad_config", text, hint="its path may be given in full")
        named = there
    elif not named.startswith("/"):
        text = f'device_model_override = "{named}": expected a name, or an absolute path'
        raise XendError("bad_config", text)
    if (found := unrunnable(named, _PATH)) is not None:
        raise XendError(
            "bad_config", f"the device model {named} {found.complaint}", hint=found.hint, reason=found.reason
        )
    return named
