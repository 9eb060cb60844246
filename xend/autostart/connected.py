"""When a domain that was started is up: its guest has connected to its devices."""

import math

import trio

from xend.device.xenbus import XenbusState
from xend.domain.keeper import PAUSE_SECONDS
from xend.domain.registry import Domain
from xend.errors import XendError
from xend.host import Host
from xend.identity import is_domain
from xend.operation.facts import Facts
from xend.operation.locks import uuid_lock
from xend.operation.registry import OperationRegistry
from xend.operation.steps import Work
from xend.refusals import explained

#: How long a guest may take from its start until its devices are connected, in seconds.  Kernels find them
#: before they mount a root; one that has no driver never does, and must not hold up the host's start.
CONNECT_SECONDS = 60.0


async def unconnected(host: Host, operations: OperationRegistry, uuid: str, seconds: float) -> list[str]:
    """Names of a domain's devices that are not connected after so long; returns as soon as all are.

    A guest that reboots meanwhile is waited for again.

    Raises:
        XendError: guest_died.
    """
    with trio.move_on_after(seconds):
        while not await _all_connected(host, operations, uuid):
            pass
        return []
    domain = host.domains.by_uuid(uuid)
    if domain is None or domain.domid is None or operations.holder(domain.locks) is not None:
        raise XendError(
            "guest_died",
            f"it restarts again and again, and was not up within {seconds:.0f} s",
            hint="its console's log may say why",
        )
    devices = host.backends.of_domain(domain.domid)
    return [each.name for each in devices if host.backends.state(each) != XenbusState.CONNECTED]


async def _all_connected(host: Host, operations: OperationRegistry, uuid: str) -> bool:
    """Wait until all are; False: something happened to the domain, so look again."""
    holder = operations.holder([uuid_lock(uuid)])
    if holder is not None:
        await holder.ended.wait()
        return False
    domain = host.domains.by_uuid(uuid)
    if domain is None:
        raise XendError(
            "guest_died",
            "it ended before its devices were connected",
            hint="its console's log may say why",
        )
    if domain.domid is None or not await _is_alive(host, domain, domain.domid):
        # What comes of it the keeper decides, at its next look.
        await trio.sleep(PAUSE_SECONDS)
        return False
    work = Work(Facts(name=domain.name, uuid=uuid, domid=domain.domid))
    with trio.CancelScope() as scope, host.ends.awaited(domain.domid, scope.cancel):
        for device in host.backends.of_domain(domain.domid):
            await host.backends.wait(work, device, (XenbusState.CONNECTED,), math.inf)
        return True
    return False


async def _is_alive(host: Host, domain: Domain, domid: int) -> bool:
    with explained("look at it", domain.name):
        info = await host.hypervisor.domain(domid)
    if domain.seen_shutdown:
        raise XendError(
            "guest_died",
            "it has shut down before its devices were connected, and is kept",
            domain=domain.name,
            hint=f"its console's log may say why; xl destroy {domain.name} ends it",
        )
    return is_domain(info, domain.uuid) and not info.is_shutdown and not info.is_dying
