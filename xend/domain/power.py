"""A domain is let run, or ended at once."""

import errno

from xend.host import Host
from xend.hypervisor import HypervisorError
from xend.refusals import explained


async def start(host: Host, domid: int, name: str) -> None:
    """Let a domain run; its time counts from the first one on."""
    with explained("start it", name):
        await host.hypervisor.unpause(domid)
    domain = host.domains.get(domid)
    if domain is not None and domain.start_time is None:
        domain.start_time = host.wall_clock()
        host.domains.save(domain)
    host.publish("domain", "unpaused", domid=domid, name=name)


async def destroy_domain(host: Host, uuid: str, domid: int | None = None) -> None:
    """End the domain with this UUID, if it is there: a domid (None: not known) may be another's by now."""
    infos = await host.hypervisor.domains() if domid is None else [await host.hypervisor.domain(domid)]
    for info in infos:
        if info is not None and info.uuid == uuid and not info.is_dying:
            try:
                await host.hypervisor.destroy(info.domid)
            except HypervisorError as error:
                if error.errno != errno.ESRCH:  # somebody was faster
                    raise
