"""xl block-attach, block-detach and block-list: a domain's disks.

Source of the table: toolstack.md section 8.
"""

from __future__ import annotations

from xenclient.cli.xl.device_type import DeviceType, number
from xenclient.cli.xl.disk_names import without_dev

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenclient.cli.xl.device_type import Device

HEADER = f"{'Vdev':<5} {'BE':<3} {'handle':<6} {'state':<5} {'evt-ch':<6} {'ring-ref':<8} {'BE-path':<30}"


def row(device: Device) -> str:
    """A disk; its handle is the domid, as from Xen's xl."""
    front = device["frontend"]
    return (
        f"{device['devid']:<5d} {device['backend_domid']:<3d} {device['domid']:<6d} "
        f"{number(front, 'state'):<5d} {number(front, 'event-channel'):<6d} "
        f"{number(front, 'ring-ref'):<8d} {device['backend_path']:<30}"
    )


def spec(words: list[str]) -> list[str]:
    """What describes a disk; of words by place, the second is its name."""
    return [*words[:1], *map(without_dev, words[1:2]), *words[2:]]


DISK = DeviceType("vbd", has_files=True, spec=spec, name=without_dev)

BLOCK_ATTACH = DISK.attach("DOM DISK ...")
BLOCK_DETACH = DISK.detach("DOM DEVID|VDEV")
BLOCK_LIST = DISK.list_(HEADER, row)
