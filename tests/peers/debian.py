"""Which Xen this Debian has installed: its programs and its hypervisor lie under their version's number."""

import re
from collections.abc import Iterable
from pathlib import Path

#: The package that depends on the hypervisor and the programs of the version that this Debian has.
SYSTEM_PACKAGE = "xen-system-amd64"


def newest(directories: Iterable[str]) -> str | None:
    """The highest version among names such as `xen-4.17`, or None; other names are passed over."""
    versions = [found[1] for name in directories if (found := re.fullmatch(r"xen-(\d+\.\d+)", name))]
    return max(versions, key=lambda version: tuple(map(int, version.split("."))), default=None)


#: Such as `4.17`; `VERSION` (of which nothing is found) where no Xen is installed.
VERSION = newest(path.name for path in Path("/usr/lib").glob("xen-*")) or "VERSION"
XEN_BIN = Path(f"/usr/lib/xen-{VERSION}/bin")
HYPERVISOR = Path(f"/boot/xen-{VERSION}-amd64.gz")
