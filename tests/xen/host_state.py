"""What a host has that domains leave behind if something goes wrong."""

import re
from typing import NamedTuple

from tests.xen.dom0 import Dom0
from tests.xen.guest import OURS


class Left(NamedTuple):
    """What is there; equal where nothing was left.

    Attributes:
        domains: domids that the hypervisor has, dying ones included.
        claims: pages that are claimed and were not taken.
        nodes: paths of the store.
        loops: loop devices, each with its file.
        ports: interfaces on the bridge.
        helpers: command lines of helper processes, those of boot loaders and device models.
        files: of theirs, below xend's run directory.
    """

    domains: list[str]
    claims: str
    nodes: list[str]
    loops: list[str]
    ports: list[str]
    helpers: list[str]
    files: list[str]


#: Nodes that come with the first domain or device, and stay.
STAYING = re.compile(r"^/(local/domain/0/(backend(/\w+)?|device-model)|libxl|vm|local/domain/0/libxl.*)$")


#: Prints them, one list after the other.
_LISTS = (
    "xl list | awk 'NR > 1 {print $2}'",
    f"{OURS.xl} info | grep ^outstanding_claims",
    "xenstore-ls -f",
    "losetup -a",
    "ls /sys/class/net/xenbr0/brif",
    "pgrep -af 'xend.helper|xend.bootloader|xend.model|qemu-system-i386'",
    "find /run/xend/bootloader /run/xend/models -mindepth 1 2>/dev/null",
)
_END = "=== end of a list"


def state_of(dom0: Dom0) -> Left:
    """What is there now."""
    said = dom0.must("".join(f"{each} || true\necho '{_END}'\n" for each in _LISTS))
    parts = [part.splitlines() for part in said.split(_END)[:-1]]
    domains, claims, nodes, loops, ports, helpers, files = parts
    paths = [line.split(" = ")[0] for line in nodes]
    return Left(
        domains=_lines(domains),
        claims="".join(claims),
        nodes=[path for path in _lines(paths) if not STAYING.match(path)],
        loops=_lines(loops),
        ports=_lines(ports),
        helpers=_lines(helpers),
        files=_lines(files),
    )


def _lines(part: list[str]) -> list[str]:
    return [line for line in part if line]
