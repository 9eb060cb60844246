"""Domains of the host with the same UUID: the hypervisor lets any toolstack make as many as it likes.

xend makes none with a UUID that stands already, and ends none that another toolstack made: by its domid if
that is known.  Where it is not, as xend died, or was cancelled, within the call that makes a domain, its own
is the one that no toolstack has written into the store yet: libxl does so before anything else.
"""

from collections.abc import Collection

from xend.device.nodes import value_of
from xend.domain.nodes import home
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import DomainInfo
from xend.identity import is_domain, uuid_of


async def others_with(host: Host, uuid: str) -> list[DomainInfo]:
    """The domains with this UUID that are not this xend's, and do not go just now."""
    return [info for info in await _alive_with(host, uuid) if not _is_known(host, info)]


async def made_unknown(host: Host, uuid: str, strangers: Collection[int]) -> DomainInfo | None:
    """The domain with this UUID that was made here though its domid was not learnt; None: none was.

    strangers: domids of those that are known to be other toolstacks'.

    Raises:
        XendError: uuid_in_use: there are several, and which of them it is cannot be told.
    """
    found = [
        info
        for info in await _alive_with(host, uuid)
        if info.domid not in strangers and not _is_known(host, info) and not await _is_written(host, info)
    ]
    if len(found) > 1:
        domids = ", ".join(str(info.domid) for info in found)
        raise XendError(
            "uuid_in_use",
            f"domains {domids} have the UUID {uuid_of(uuid)}; which of them xend made is not known, "
            "and none is ended",
            hint="xl destroy DOMID ends the one that nobody misses",
        )
    return found[0] if found else None


async def _alive_with(host: Host, uuid: str) -> list[DomainInfo]:
    infos = await host.hypervisor.domains()
    return [info for info in infos if is_domain(info, uuid) and not info.is_dying]


def _is_known(host: Host, info: DomainInfo) -> bool:
    known = host.domains.get(info.domid)
    return known is not None and is_domain(info, known.uuid)


async def _is_written(host: Host, info: DomainInfo) -> bool:
    """Whether a toolstack has written this domain into the store."""
    vm = await value_of(host.store, f"{home(info.domid)}/vm") or b""
    return vm.startswith(f"/vm/{info.uuid}".encode())
