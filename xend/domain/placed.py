"""Where domains are: their CPU pools by name, and the NUMA nodes of their memory."""

from collections.abc import Sequence
from typing import Any

from xend.domain.pools import pool_names
from xend.errors import XendError
from xend.host import Host
from xend.refusals import explained


async def with_placing(host: Host, maps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Domain maps of docs/bus.md with cpupool (a name) and node_affinity (numbers) besides; None: not known.

    Raises:
        XendError: hypervisor_failed, store_failed.
    """
    names = await pool_names(host)
    return [
        {
            **each,
            "cpupool": names.get(each["pool"]),
            "node_affinity": await _nodes(host, each["domid"]),
        }
        for each in maps
    ]


async def _nodes(host: Host, domid: int | None) -> list[int] | None:
    if domid is None:
        return None
    try:
        with explained("ask for its NUMA nodes", str(domid)):
            return await host.hypervisor.node_affinity(domid)
    except XendError as error:
        if error.code == "guest_died":  # it is dying, or gone meanwhile
            return None
        raise
