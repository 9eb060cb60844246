"""Which Debian dom0 runs: this machine's own, or with $XEND_XEN one that is fetched for its Xen."""

import os
from pathlib import Path
from typing import NamedTuple

from tests.peers import debian

#: The suite of Debian whose Xen has a version that can be asked for.
SUITES = {"4.20": "trixie"}
#: The version of the Xen under dom0.
VERSION = os.environ.get("XEND_XEN") or debian.VERSION
#: The folder of its own programs, in dom0.
XEN_BIN = Path(f"/usr/lib/xen-{VERSION}/bin")


class Userland(NamedTuple):
    """Programs and hypervisor of a Debian, with the Xen of VERSION.

    Attributes:
        root: its root file system, on this machine.
        suite: the name of the release where it is another than this machine's, or "".
    """

    root: Path
    suite: str

    @property
    def hypervisor(self) -> Path:
        """On this machine."""
        return self.root / f"boot/xen-{VERSION}-amd64.gz"

    def show(self, folder: Path) -> None:
        """Let dom0 have the files of a folder of this machine, which is in the cache, at the same place."""
        if not self.suite:
            return
        shown = self.root / folder.relative_to("/")
        shown.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            target = shown / path.name
            if not target.exists():
                target.hardlink_to(path)


def chosen(cache: Path) -> Userland:
    """The one with the Xen of VERSION; what is fetched is kept in a cache.

    Raises:
        ValueError: there is none.
    """
    if VERSION == debian.VERSION:
        return Userland(Path("/"), "")
    if VERSION not in SUITES:
        raise ValueError(f"XEND_XEN={VERSION}: {debian.VERSION} and {', '.join(SUITES)} are known")
    suite = SUITES[VERSION]
    return Userland(cache / suite / "root", suite)
