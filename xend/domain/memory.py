"""domain.set_memory: how much memory a domain is to have."""

from collections.abc import Awaitable, Callable

import attrs

from xend.domain import nodes
from xend.domain.registry import Domain
from xend.domain.target import Target
from xend.errors import XendError
from xend.host import Host
from xend.operation.facts import Facts
from xend.operation.steps import Step, Work
from xend.refusals import explained
from xend.validators import count

#: What a domain cannot do without, in KiB.
MIN_KIB = 1024


@attrs.define(kw_only=True)
class MemoryFacts(Facts):
    """Those of domain.set_memory: what it is to have, and what it had."""

    KIND = "domain.set_memory"

    target_kib: int = attrs.field(validator=count)
    old_kib: int = attrs.field(validator=count)


async def prepare_memory(host: Host, target: Target, target_kib: int) -> MemoryFacts:
    """Raises: XendError: wrong_state, bad_request, out_of_memory, hypervisor_failed."""
    managed = target.require_managed("set the memory of")
    with explained("ask for the host's memory", target.name):
        free_kib = (await host.hypervisor.host_info()).free_memory_kib
    check_target(managed, target_kib, target.info.memory_kib, free_kib)
    return MemoryFacts(**target.identity, target_kib=target_kib, old_kib=target.info.memory_kib)


def memory_steps(host: Host, facts: MemoryFacts) -> list[Step]:
    """The limit comes first where the memory grows, the target first where it shrinks."""
    domid, name = facts.domid, facts.name
    assert domid is not None

    def limit(kib: int) -> Callable[[Work], Awaitable[None]]:
        async def set_limit(work: Work) -> None:
            with explained("set its memory limit", name):
                await host.hypervisor.set_max_memory(domid, kib)

        return set_limit

    def target(kib: int) -> Callable[[Work], Awaitable[None]]:
        async def set_target(work: Work) -> None:
            with explained("set its memory target", name):
                await nodes.set_memory_target(host.store, domid, kib)
            host.publish("domain", "memory", domid=domid, name=name, target_kib=kib)

        return set_target

    new, old = facts.target_kib, facts.old_kib
    limits = Step("set-limit", "set its memory limit", limit(new), limit(old))
    targets = Step("set-target", "set its memory target", target(new), target(old))
    return [limits, targets] if new > old else [targets, limits]


def check_target(domain: Domain, target_kib: int, current_kib: int, free_kib: int) -> None:
    """See that a memory target can be reached.

    Raises:
        XendError: bad_request, out_of_memory.
    """
    most = domain.config.max_memory_kib
    if not MIN_KIB <= target_kib <= most:
        raise XendError(
            "bad_request",
            f"{domain.name}: memory of {target_kib >> 10} MiB; from 1 to {most >> 10} (maxmem) is possible",
            domain=domain.name,
        )
    if target_kib - current_kib > free_kib:
        raise XendError(
            "out_of_memory",
            f"{domain.name} needs {(target_kib - current_kib) >> 10} MiB more, {free_kib >> 10} MiB are free",
            domain=domain.name,
        )
