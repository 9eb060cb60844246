"""Runs in dom0: brings it up and down by the units of contrib/systemd, as systemd would.

`python -m tests.xen.units up|down`.  The prefix is the environment that runs this.
"""

import sys
from pathlib import Path

from contrib.install.layout import Layout
from tests.guide.standins import systemctl

TEMPLATES = Path(__file__).parents[2] / "contrib/systemd"
PLACE = Path("/run/units")
PREFIX = "/run/prefix"
CONFIG = "/run/boot"
#: In the order that they ask for with After=.
ORDER = ("xenstored", "xend", "xendomains")


def install() -> None:
    """Put the units and what they name in place."""
    layout = Layout(
        destdir="",
        prefix=PREFIX,
        sysconfdir=CONFIG,
        varbase="/var",
        sitelib="",
        mandir="",
        systemd=str(PLACE),
        python=sys.executable,
    )
    for folder in (PLACE, PLACE / "running", Path(PREFIX)):
        folder.mkdir(exist_ok=True)
    for name in ("bin", "sbin"):
        Path(PREFIX, name).symlink_to(Path(sys.prefix) / "bin")
    for name in ORDER:
        (PLACE / f"{name}.service").write_text(layout.fill(TEMPLATES / f"{name}.service.in"))


def main(verb: str) -> None:
    systemctl.MACHINE = systemctl.UNITS = PLACE
    systemctl.READY_SECONDS = 120.0
    if verb == "up":
        install()
    units = [systemctl.Unit(name) for name in ORDER]
    for unit in units if verb == "up" else reversed(units):
        unit.start() if verb == "up" else unit.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
