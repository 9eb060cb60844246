"""xl channel-list: a domain's channels.

Source of the table: what Debian's xl 4.17 prints (tools/xl/xl_console.c), which counts them from 0.
"""

from __future__ import annotations

from xenclient.cli.xl.device_type import DeviceType, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenclient.cli.xl.device_type import Device

HEADER = f"{'Idx':<3} {'BE':<2} {'state':<5} {'evt-ch':<6} {'ring-ref':>8} {'connection':<10} {'':<30}"
#: The number that the first one has.
FIRST = 1
NO_PATH = "/NO-SUCH-PATH"


def row(device: Device) -> str:
    """A channel; of a pty its path."""
    front, connection = device["frontend"], device["backend"].get("connection", "")
    line = (
        f"{device['devid'] - FIRST:<3d} {device['backend_domid']:<2d} {number(front, 'state'):<5d} "
        f"{number(front, 'port'):<6d} {number(front, 'ring-ref'):<8d} {connection:<10} "
    )
    return line if connection != "pty" else f"{line}{front.get('tty', NO_PATH):<30} "


CHANNEL_LIST = DeviceType("channel").list_(HEADER, row)
