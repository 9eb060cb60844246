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
        helpers: command lines of helper processes.
    """

    domains: list[str]
    claims: str
    nodes: list[str]
    loops: list[str]
    ports: list[str]
    helpers: list[str]


#: Nodes that come with the first domain or device, and stay.
STAYING = re.compile(r"^/(local/domain/0/backend(/\w+)?|libxl|vm|local/domain/0/libxl.*)$")


def state_of(dom0: Dom0) -> Left:
    """What is there now."""
    paths = [line.split(" = ")[0] for line in dom0.must("xenstore-ls -f").splitlines()]
    return Left(
        domains=[line.split()[1] for line in dom0.must("xl list | tail -n +2").splitlines()],
        claims=dom0.must(f"{OURS.xl} info | grep ^outstanding_claims"),
        nodes=[path for path in paths if not STAYING.match(path)],
        loops=dom0.must("losetup -a || true").splitlines(),
        ports=dom0.must("ls /sys/class/net/xenbr0/brif").splitlines(),
        helpers=dom0.must("pgrep -af xend.helper || true").splitlines(),
    )
