"""xl cd-insert and cd-eject: the disc in a CD drive of a domain."""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, JSON, Command
from xenclient.cli.xl.device_type import change_device
from xenclient.cli.xl.disk_names import without_dev
from xenclient.cli.xl.source import working_directory


def insert(call: Call) -> int:
    domain, drive, target = call.arguments
    disc = {"target": target, "directory": working_directory()}
    return change_device(call, "insert", domain, device=without_dev(drive), **disc)


def eject(call: Call) -> int:
    domain, drive = call.arguments
    return change_device(call, "eject", domain, device=without_dev(drive))


CD_INSERT = Command("DOM VDEV PATH", insert, DRY_RUN, JSON)
CD_EJECT = Command("DOM VDEV", eject, DRY_RUN, JSON)
