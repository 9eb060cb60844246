"""Where a boot loader lies, as libxl finds it: by its path, or by its name beside Xen's own programs."""

import glob
import os
from collections.abc import Sequence

from xend.device.unrunnable import unrunnable
from xend.errors import XendError

__all__ = ["DIRECTORIES", "program_of"]

#: Where Xen keeps programs of its own: Debian, pkgsrc, Xen built from its sources, Fedora and SUSE.
DIRECTORIES: Sequence[str] = (
    "/usr/lib/xen-*/bin",
    "/usr/pkg/libexec/xen/bin",
    "/usr/pkg/libexec/xen",
    "/usr/local/lib/xen/bin",
    "/usr/lib/xen/bin",
    "/usr/libexec/xen/bin",
    "/usr/lib64/xen/bin",
)
#: And where other programs are.
PATH = "/usr/pkg/sbin:/usr/pkg/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PACKAGES = {
    "linux": "Debian's package xen-utils-4.17 (or of your Xen's version) has pygrub",
    "netbsd": "pkgsrc's sysutils/xentools has pygrub, in /usr/pkg/libexec/xen/bin",
}


def program_of(named: str, platform: str, directories: Sequence[str] = DIRECTORIES) -> str:
    """The path of what `bootloader =` names.

    A path whose program is gone is looked for by its name, too: configurations outlive the version of Xen
    whose directory they name.

    Raises:
        XendError: bad_config: it is not there, or cannot be run.
    """
    if not named.startswith("/") or not os.path.exists(named):
        if "/" in named and not named.startswith("/"):
            raise XendError("bad_config", f'bootloader = "{named}": expected a name, or an absolute path')
        name = os.path.basename(named)
        for candidate in _candidates(name, directories):
            if os.access(candidate, os.X_OK) and os.path.isfile(candidate):
                return candidate
        raise XendError(
            "bad_config",
            f'bootloader = "{named}": there is no such program, neither beside Xen\'s own '
            f"({', '.join(directories[:2])}, ...) nor in {PATH}",
            hint=_PACKAGES[platform] if name == "pygrub" else "its path may be given in full",
        )
    if (found := unrunnable(named, PATH)) is not None:
        raise XendError(
            "bad_config", f'bootloader = "{named}": {found.complaint}', hint=found.hint, reason=found.reason
        )
    return named


def _candidates(name: str, directories: Sequence[str]) -> list[str]:
    found: list[str] = []
    for pattern in directories:
        found += [os.path.join(place, name) for place in sorted(glob.glob(pattern), reverse=True)]
    return found + [os.path.join(place, name) for place in PATH.split(":")]
