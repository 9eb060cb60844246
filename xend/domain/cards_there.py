"""The PCI functions that a domain has: the groups of keys of its backend, which only dom0 writes."""

import attrs

from xend.device.nodes import texts
from xend.device.pci import DEVID, FUNCTIONS_MAX, GROUP, PCI
from xend.host import Host
from xend.pci.address import Address

__all__ = ["FunctionThere", "backend_path", "functions_there"]


@attrs.frozen(kw_only=True)
class FunctionThere:
    """One of them.

    Attributes:
        place: its number in the row.
        address: "0000:01:00.0".
        vdevfn: device number and function under which the guest shall see it; 0: the backend chooses.
        state: of this function, as the node says.
        keys: all of its group, by their names without the place.
    """

    place: int
    address: str
    vdevfn: int
    state: str
    keys: dict[str, str]


def backend_path(domid: int) -> str:
    """Where the keys are."""
    return f"/local/domain/0/backend/{PCI.name}/{domid}/{DEVID}"


async def functions_there(host: Host, domid: int) -> list[FunctionThere]:
    """All of them, by their places; those whose keys make no sense are left out.

    Raises:
        XenstoreError, ClientError.
    """
    path = backend_path(domid)
    count = (await texts(host.store, path, ["num_devs"])).get("num_devs", "")
    places = range(min(int(count), FUNCTIONS_MAX) if count.isdecimal() and len(count) < 5 else 0)
    nodes = await texts(host.store, path, [f"{key}-{place}" for place in places for key in GROUP])
    found = []
    for place in places:
        keys = {key: nodes[f"{key}-{place}"] for key in GROUP if f"{key}-{place}" in nodes}
        address = Address.parse(keys.get("dev", ""))
        if address is not None:
            found.append(
                FunctionThere(
                    place=place,
                    address=str(address),
                    vdevfn=_hexadecimal(keys.get("vdevfn", "")),
                    state=keys.get("state", ""),
                    keys=keys,
                )
            )
    return found


def _hexadecimal(text: str) -> int:
    try:
        return int(text, 16) & 0xFF
    except ValueError:
        return 0
