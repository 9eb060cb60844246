"""What is in the ports of a USB controller: a node each, which names a device of the host (libxl_usb.c)."""

from collections.abc import Mapping

from xenclient.store.aio import Client
from xend.config.number import number_of
from xend.device.device import Device
from xend.device.kind import KernelHost
from xend.device.nodes import removed, texts
from xend.usb.linux import UsbHost, is_busid, node_name
from xenstore.errors import ENOENT

#: Where libxl writes down which drivers had a device that usbback has.
_HAD = "/libxl/usbback"


def port_path(controller: Device, port: int) -> str:
    """The node of a port."""
    return f"{controller.backend_path}/port/{port}"


def is_of_kernel(controller: Device) -> bool:
    """Whether dom0's kernel serves it, so that its driver has to have the devices."""
    return controller.backend_kind == controller.store_name


def ports_of(controller: Device) -> range:
    """The numbers of the ports of a controller that was read from the store."""
    return range(1, (number_of(controller.backend.get("num-ports", "")) or 0) + 1)


async def devices_in(store: Client, controller: Device) -> Mapping[int, str]:
    """The names of the devices in a controller, by port."""
    keys = [str(port) for port in ports_of(controller)]
    found = await texts(store, f"{controller.backend_path}/port", keys)
    return {int(port): name for port, name in found.items() if is_busid(name)}


async def put_in(host: KernelHost, controller: Device, port: int, busid: str) -> None:
    """Put a device into a port.

    Raises:
        XenstoreError, ClientError; OSError: dom0's kernel refuses.
    """
    await host.store.write(port_path(controller, port), busid)
    if not is_of_kernel(controller):
        return
    usb = UsbHost(host.settings.usb_directory, host.write_sysfs)
    for interface, driver in (await usb.hand_over(busid)).items():
        path = f"{_HAD}/{node_name(busid)}/{node_name(interface)}/driver_path"
        await host.store.write(path, usb.path_of_driver(driver))


async def take_out(host: KernelHost, controller: Device, port: int, busid: str) -> None:
    """Take it out again, and give it to the drivers that had it; nothing happens if it is not there.

    Raises:
        XenstoreError, ClientError; OSError: dom0's kernel refuses.
    """
    if is_of_kernel(controller):
        await _give_back(host.store, UsbHost(host.settings.usb_directory, host.write_sysfs), busid)
    path = port_path(controller, port)
    try:
        if await host.store.read(path) == busid.encode():
            await host.store.write(path, "")
    except ENOENT:
        return


async def _give_back(store: Client, host: UsbHost, busid: str) -> None:
    top = f"{_HAD}/{node_name(busid)}"
    drivers = {}
    interfaces = host.interfaces(busid)
    for interface in interfaces:
        found = await texts(store, f"{top}/{node_name(interface)}", ("driver_path",))
        if driver := host.driver_of_path(found.get("driver_path", "")):
            drivers[interface] = driver
    if interfaces:
        await host.take_back(busid, drivers)
    await store.together(removed(top))


async def take_all_out(host: KernelHost, controller: Device) -> None:
    """Take out all that is in a controller which goes; what only its device model has goes with it."""
    if not is_of_kernel(controller):
        return
    for port, busid in (await devices_in(host.store, controller)).items():
        await take_out(host, controller, port, busid)
