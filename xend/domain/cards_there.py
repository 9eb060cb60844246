"""The PCI functions that a domain has: the groups of keys of its backend, which only dom0 writes."""

from collections.abc import Mapping

import attrs

from xenclient.store.aio import Client, Transaction
from xend.device.nodes import texts
from xend.device.pci import FUNCTIONS_MAX, GROUP, pci_device
from xend.pci.address import Address

__all__ = ["FunctionThere", "backend_path", "count_there", "functions_there"]


@attrs.frozen(kw_only=True)
class FunctionThere:
    """One of them.

    Attributes:
        place: its number in the row.
        where: which it is.
        vdevfn: device number and function under which the guest shall see it; 0: the backend chooses.
        state: of this function, as the node says.
        group: all of its keys, by their names without the place.
    """

    place: int
    where: Address
    vdevfn: int
    state: str
    group: Mapping[str, str]

    @property
    def address(self) -> str:
        """As text: "0000:01:00.0"."""
        return str(self.where)


def backend_path(domid: int) -> str:
    """Where the keys are."""
    return pci_device(domid, ()).backend_path


async def count_there(store: Client | Transaction, domid: int) -> int:
    """How many places a domain's backend has, as far as they are read.

    Raises:
        XenstoreError, ClientError.
    """
    count = (await texts(store, backend_path(domid), ["num_devs"])).get("num_devs", "")
    is_number = count.isascii() and count.isdecimal() and len(count) < 5
    return min(int(count), FUNCTIONS_MAX) if is_number else 0


async def functions_there(store: Client | Transaction, domid: int) -> list[FunctionThere]:
    """All of them, by their places; those whose keys make no sense are left out.

    Raises:
        XenstoreError, ClientError.
    """
    places = range(await count_there(store, domid))
    keys = [f"{key}-{place}" for place in places for key in GROUP]
    nodes = await texts(store, backend_path(domid), keys) if keys else {}
    found = []
    for place in places:
        group = {key: nodes[f"{key}-{place}"] for key in GROUP if f"{key}-{place}" in nodes}
        address = Address.parse(group.get("dev", ""))
        if address is not None:
            vdevfn, state = _hexadecimal(group.get("vdevfn", "")), group.get("state", "")
            found.append(FunctionThere(place=place, where=address, vdevfn=vdevfn, state=state, group=group))
    return found


def _hexadecimal(text: str) -> int:
    try:
        return int(text, 16) & 0xFF
    except ValueError:
        return 0
