"""xl usbctrl-attach, usbctrl-detach, usbdev-attach, usbdev-detach and usb-list: a domain's USB devices.

Source of the table: what Debian's xl 4.17 prints (tools/xl/xl_usb.c).
"""

from __future__ import annotations

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, JSON, Command
from xenclient.cli.xl.device_type import DeviceType
from xenclient.cli.xl.numbers import whole
from xenclient.cli.xl.operation import perform_and_show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HEADER = f"{'Devid':<6} {'Type':<12} {'BE':<3} {'state':<5} {'usb-ver':<7} {'ports':<5}"


def attach(call: Call) -> int:
    domain, *words = call.arguments
    return perform_and_show(call, "usb.attach", domain=domain, spec=words if len(words) > 1 else words[0])


def detach(call: Call) -> int:
    domain, controller, port = call.arguments
    controller, port = controller.removeprefix("controller="), port.removeprefix("port=")  # as in xl(1)
    place = {"controller": whole(call, "CONTROLLER", controller), "port": whole(call, "PORT", port)}
    return perform_and_show(call, "usb.detach", domain=domain, **place)


def list_(call: Call) -> int:
    found = call.client.call("usb.list", domain=call.arguments[0])
    call.show(found, "".join(f"{line}\n" for each in found for line in lines(each)))
    return 0


def lines(controller: Any) -> list[str]:
    """A controller, and what is in each of its ports."""
    first = (
        f"{controller['devid']:<6d} {controller['type']:<12} {controller['backend_domid']:<3d} "
        f"{controller['state']:<5d} {controller['version']:<7d} {len(controller['ports']):<5d}"
    )
    return [HEADER, first, *map(port, controller["ports"])]


def port(port: Any) -> str:
    """A port; nothing is in it where it has no bus."""
    where = "" if port["bus"] is None else f" Bus {port['bus']:03x} Device {port['address']:03x}"
    return f"  Port {port['port']}:{where}"


CONTROLLER = DeviceType("usbctrl")

USBCTRL_ATTACH = CONTROLLER.attach("DOM [type=auto|pv|qusb] [version=N] [ports=N]")
USBCTRL_DETACH = CONTROLLER.detach("DOM DEVID")
USBDEV_ATTACH = Command("DOM hostbus=N hostaddr=N [controller=N] [port=N]", attach, DRY_RUN, JSON, least=2)
USBDEV_DETACH = Command("DOM CONTROLLER PORT", detach, DRY_RUN, JSON)
USB_LIST = Command("DOM", list_, JSON)
