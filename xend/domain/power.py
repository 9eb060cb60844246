"""A domain is let run, or ended at once."""

import errno

from xend.host import Host
from xend.hypervisor import HypervisorError
from xend.identity import is_domain
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


async def destroy_domain(host: Host, uuid: str, domid: int) -> None:
    """End a domain, if it is there: its domid may be another's by now."""
    info = await host.hypervisor.domain(domid)
    if is_domain(info, uuid) and not info.is_dying:
        try:
            await host.hypervisor.destroy(domid)
        except HypervisorError as error:
            if error.errno != errno.ESRCH:  # somebody was faster
                raise
