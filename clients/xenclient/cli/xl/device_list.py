"""xl network-list and block-list: the devices of domains.

Source: toolstack.md section 8.  The numbers of a frontend are its guest's to write: what is none is -1, as
Xen's xl has it for what is missing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from xenclient.cli.xl.call import Call

    Device = dict[str, Any]

NETWORK_HEADER = (
    f"{'Idx':<3} {'BE':<2} {'Mac Addr.':<17} {'handle':<6} {'state':<5} {'evt-ch':<6} "
    f"{'tx-':>5}/{'rx-ring-ref':<5} {'BE-path':<30}"
)
BLOCK_HEADER = (
    f"{'Vdev':<5} {'BE':<3} {'handle':<6} {'state':<5} {'evt-ch':<6} {'ring-ref':<8} {'BE-path':<30}"
)
#: Digits of the largest number there may be, an unsigned one of 32 bits.
DIGITS = 10
NO_MAC = "00:00:00:00:00:00"


def network_list(call: Call) -> int:
    """xl network-list."""
    return _list(call, "vif", NETWORK_HEADER, network_row)


def block_list(call: Call) -> int:
    """xl block-list."""
    return _list(call, "vbd", BLOCK_HEADER, block_row)


def network_row(device: Device) -> str:
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


def block_row(device: Device) -> str:
    """A disk; its handle is the domid, as from Xen's xl."""
    front = device["frontend"]
    return (
        f"{device['devid']:<5d} {device['backend_domid']:<3d} {device['domid']:<6d} "
        f"{number(front, 'state'):<5d} {number(front, 'event-channel'):<6d} "
        f"{number(front, 'ring-ref'):<8d} {device['backend_path']:<30}"
    )


def number(front: dict[str, str], key: str) -> int:
    """What stands in a frontend's node; -1: nothing, or no number."""
    text = front.get(key, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS else -1


def mac(front: dict[str, str]) -> str:
    """An interface's address; NO_MAC where its guest has made something else of it."""
    text = front.get("mac", "")
    pairs = text.split(":")
    is_mac = len(pairs) == 6 and all(len(pair) == 2 and _is_hexadecimal(pair) for pair in pairs)
    return text.lower() if is_mac else NO_MAC


def _is_hexadecimal(pair: str) -> bool:
    return all(character in "0123456789abcdefABCDEF" for character in pair)


def _list(call: Call, kind: str, header: str, row: Callable[[Device], str]) -> int:
    found, status, is_any = _devices(call, kind)
    if is_any or call.json:
        call.show(found, "".join(f"{line}\n" for line in (header, *map(row, found))))
    return status


def _devices(call: Call, kind: str) -> tuple[list[Device], int, bool]:
    """The devices of the domains named; status 1 if one of several is none, which is told; whether one is.

    Raises:
        BusError: the only one is none.
    """
    found: list[Device] = []
    domains: list[str] = []

    def find(domain: str) -> None:
        found.extend(call.client.call("device.list", domain=domain, kind=kind))
        domains.append(domain)

    if len(call.arguments) == 1:
        find(call.arguments[0])
        return found, 0, True
    from xenclient.cli.xl.each import for_each

    return found, for_each(call, call.arguments, find), bool(domains)
