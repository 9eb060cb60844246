"""A guest that starts another kernel in its own memory (domain-build.md 4.8).

Source: xen/include/public/{domctl,event_channel}.h
"""

import errno

import attrs

from xend.hypervisor import SHUTDOWN_REASONS, HypervisorError, Rings
from xend.hypervisor.xen.calls import EVENT_CHANNEL_OP, Calls
from xend.hypervisor.xen.domains import Domains
from xend.hypervisor.xen.layouts import ALLOC_UNBOUND
from xend.hypervisor.xen.parameters import CONSOLE_EVTCHN, STORE_EVTCHN, set_parameter
from xend.hypervisor.xen.refusal import refusing

SOFT_RESET = 79
EVTCHNOP_ALLOC_UNBOUND = 6
DOM0 = 0


class SoftReset:
    """Has a domain ready for that."""

    def __init__(self, calls: Calls, domains: Domains) -> None:
        self._calls = calls
        self._domains = domains

    async def reset(self, domid: int, rings: Rings) -> Rings:
        """See `Hypervisor.soft_reset`."""
        record = self._domains.alive(domid)
        info = record.info
        what = f"domain {domid} cannot go on by a soft reset"
        wanted = SHUTDOWN_REASONS.index("soft_reset")
        if not record.is_hvm:
            raise HypervisorError(errno.EINVAL, f"{what}: it is paravirtual; destroy it, and create it anew")
        if info.shutdown_reason != wanted:
            raise HypervisorError(errno.EINVAL, f"{what}: it did not shut down for one")
        if not info.is_paused:
            # The hypervisor lets it run at once otherwise.
            self._domains.pause_once_more(domid)
        with refusing(what, {errno.EINVAL: "it did not shut down for one", errno.ESRCH: "it is gone"}):
            await self._calls.slow_domctl(SOFT_RESET, domid)
        with refusing(f"domain {domid} gets no new event channels after its soft reset; destroy it"):
            store_port = self._new_port(domid, STORE_EVTCHN)
            console_port = self._new_port(domid, CONSOLE_EVTCHN)
        return attrs.evolve(rings, store_port=store_port, console_port=console_port)

    def _new_port(self, domid: int, parameter: int) -> int:
        """A port of the domain's, open for dom0, of which a parameter tells it; raises OSError."""
        port = self._calls.operation(
            EVENT_CHANNEL_OP, EVTCHNOP_ALLOC_UNBOUND, ALLOC_UNBOUND, dom=domid, remote_dom=DOM0
        )["port"]
        set_parameter(self._calls, domid, parameter, port)
        return port
