"""xl vkb-attach, vkb-detach and vkb-list: a domain's keyboards and pointers.

Source of the table: what Debian's xl 4.17 prints (tools/xl/xl_vkb.c).
"""

from __future__ import annotations

from xenclient.cli.xl.device_type import DeviceType, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenclient.cli.xl.device_type import Device

HEADER = (
    f"{'Idx':<3} {'BE':<2} {'handle':<6} {'state':<5} {'evt-ch':<6} {'ref':>6} {'ID':<10} {'BE-type':<10} "
    f"{'BE-path':<30}"
)
#: What printf(3) makes of an id that there is not.
NO_ID = "(null)"
#: The part of a backend's path that says who serves it, where it is not the device model.
OF_LINUX = "/backend/vinput/"


def row(device: Device) -> str:
    """A keyboard; its handle is its number, as from Xen's xl."""
    front, path = device["frontend"], device["backend_path"]
    served_by = "linux" if OF_LINUX in path else "qemu"
    return (
        f"{device['devid']:<3d} {device['backend_domid']:<2d} {device['devid']:6d} "
        f"{number(front, 'state'):5d} {number(front, 'event-channel'):6d} {number(front, 'page-gref'):6d} "
        f"{device['backend'].get('unique-id', NO_ID):<10} {served_by:<10} {path:<30}"
    )


KEYBOARD = DeviceType("vkb")

VKB_ATTACH = KEYBOARD.attach("DOM backend-type=qemu|linux [KEY=VALUE ...]")
VKB_DETACH = KEYBOARD.detach("DOM DEVID")
VKB_LIST = KEYBOARD.list_(HEADER, row)
