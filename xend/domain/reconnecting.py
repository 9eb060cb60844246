"""Devices that a restored guest has not connected again yet: who would suspend it waits for them.

Linux's driver of disks (6.1) does not survive that its guest is suspended in the midst of that: it takes the
disk for a new one when it goes on (BUG_ON in xlvbd_alloc_gendisk).  libxl does not wait.  What was not
connected when the domain was saved is not waited for: a guest without a driver for it is saved all the same.
"""

from collections.abc import Iterable

from xenclient.store.aio import Client
from xend.device.device import Device
from xend.device.nodes import value, value_of
from xend.device.xenbus import XenbusState

#: How long a guest may take to connect one again, in seconds; as long as it may take to suspend itself.
RECONNECT_SECONDS = 60.0
_AMID = (XenbusState.INITIALISING, XenbusState.INIT_WAIT, XenbusState.INITIALISED)


def state_path(device: Device) -> str:
    """Of its front end."""
    return f"{device.frontend_path}/state"


async def connected(store: Client, devices: Iterable[Device]) -> set[str]:
    """The keys of those that their guest has connected."""
    found = list(devices)
    states = await store.together(*(value(state_path(each)) for each in found))
    return {
        each.key
        for each, state in zip(found, states, strict=True)
        if XenbusState.parse(state) == XenbusState.CONNECTED
    }


async def is_amid(store: Client, device: Device) -> bool:
    """Whether its guest connects it just now, or is about to."""
    return XenbusState.parse(await value_of(store, state_path(device))) in _AMID
