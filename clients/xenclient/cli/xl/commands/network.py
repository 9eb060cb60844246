"""xl network-attach, network-detach and network-list: a domain's interfaces.

Source of the table: toolstack.md section 8.
"""

from __future__ import annotations

from xenclient.cli.xl.device_type import DeviceType, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from xenclient.cli.xl.device_type import Device

HEADER = (
    f"{'Idx':<3} {'BE':<2} {'Mac Addr.':<17} {'handle':<6} {'state':<5} {'evt-ch':<6} "
    f"{'tx-':>5}/{'rx-ring-ref':<5} {'BE-path':<30}"
)
NO_MAC = "00:00:00:00:00:00"


def row(device: Device) -> str:
    """An interface; no blank between address and handle, as from Xen's xl."""
    front = device["frontend"]
    channel = number(front, "event-channel")
    if channel < 0:  # a channel for each direction; Xen's xl prints -1
        channel = number(front, "event-channel-tx")
    return (
        f"{device['devid']:<3d} {device['backend_domid']:<2d} {mac(front)}"
        f"{device['devid']:6d} {number(front, 'state'):5d} {channel:6d} "
        f"{number(front, 'tx-ring-ref'):5d}/{number(front, 'rx-ring-ref'):<11d} {device['backend_path']:<30}"
    )


def mac(frontend: Mapping[str, str]) -> str:
    """An interface's address; NO_MAC where its guest has written something else."""
    text = frontend.get("mac", "")
    pairs = text.split(":")
    is_mac = len(pairs) == 6 and all(len(pair) == 2 and _is_hexadecimal(pair) for pair in pairs)
    return text.lower() if is_mac else NO_MAC


def _is_hexadecimal(pair: str) -> bool:
    return all(character in "0123456789abcdefABCDEF" for character in pair)


INTERFACE = DeviceType("vif")

NETWORK_ATTACH = INTERFACE.attach("DOM [KEY=VALUE ...]")
NETWORK_DETACH = INTERFACE.detach("DOM DEVID|MAC")
NETWORK_LIST = INTERFACE.list_(HEADER, row)
