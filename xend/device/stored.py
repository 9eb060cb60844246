"""The devices that a domain has, from the toolstack's own copy in the store.

No guest can write that copy (XSA-175).
"""

from typing import Protocol

from xenclient.store.aio import Client
from xend.device.device import Device
from xend.device.kinds import IN_ORDER, KINDS
from xend.device.nodes import children, texts
from xend.settings import Settings


class StoreHost(Protocol):
    """What looking into the store needs of a host."""

    @property
    def settings(self) -> Settings: ...
    @property
    def store(self) -> Client: ...


async def devices_in_store(host: StoreHost, domid: int) -> list[Device]:
    """All devices of a domain whose types are known, in the order in which they came in."""
    found = [
        await device_in_store(host, domid, kind.name, int(devid))
        for kind in IN_ORDER
        for devid in await children(host.store, kind.own_copies(domid))
        if devid.isdigit() and int(devid) >= kind.first_devid
    ]
    return [device for device in found if device is not None]


async def device_in_store(host: StoreHost, domid: int, kind: str, devid: int) -> Device | None:
    """One of them; None: the domain has no such device."""
    row = KINDS[kind]
    if devid < row.first_devid:
        return None
    path = f"{row.own_copies(domid)}/{devid}"
    keys = await texts(host.store, path, row.stored_keys)
    return row.in_store(domid, devid, keys, host.settings) if "backend" in keys else None
