"""domain.set_memory: how much memory a domain is to have."""

from collections.abc import Awaitable, Callable

import attrs

from xend.device.nodes import value_of
from xend.domain import nodes
from xend.domain.target import DOM0, Target
from xend.errors import XendError
from xend.host import Host
from xend.operation.facts import AnyDomainFacts
from xend.operation.steps import Step, Work
from xend.refusals import explained
from xend.validators import count

#: What a domain cannot do without, in KiB.
MIN_KIB = 1024
#: And dom0, as libxl has it (LIBXL_MIN_DOM0_MEM).
MIN_DOM0_KIB = 128 * 1024


@attrs.define(kw_only=True)
class MemoryFacts(AnyDomainFacts):
    """Those of domain.set_memory: what it is to have, and what it had."""

    KIND = "domain.set_memory"

    target_kib: int = attrs.field(validator=count)
    old_kib: int = attrs.field(validator=count)


async def prepare_memory(host: Host, target: Target, target_kib: int) -> MemoryFacts:
    """Raises: XendError: wrong_state, bad_request, out_of_memory, hypervisor_failed."""
    with explained("ask for the host's memory", target.name):
        info = await host.hypervisor.host_info()
    if target.domid == DOM0:
        least, most = MIN_DOM0_KIB, await _most_of_dom0(host, target, info.total_memory_kib)
    else:
        least, most = MIN_KIB, target.require_managed("set the memory of").config.max_memory_kib
    check_target(target.name, target_kib, target.info.memory_kib, info.free_memory_kib, least, most)
    return MemoryFacts(**target.identity, target_kib=target_kib, old_kib=target.info.memory_kib)


def memory_steps(host: Host, facts: MemoryFacts) -> list[Step]:
    """The limit comes first where the memory grows, the target first where it shrinks."""
    domid, name = facts.domid, facts.name
    domain = host.domains.by_uuid(facts.uuid) if facts.domid else None
    video_kib = 0 if domain is None else nodes.video_kib(domain.config)

    def limit(kib: int) -> Callable[[Work], Awaitable[None]]:
        async def set_limit(work: Work) -> None:
            with explained("set its memory limit", name):
                await host.hypervisor.set_max_memory(domid, kib)

        return set_limit

    def target(kib: int) -> Callable[[Work], Awaitable[None]]:
        async def set_target(work: Work) -> None:
            with explained("set its memory target", name):
                await nodes.set_memory_target(host.store, domid, kib - video_kib)
            host.publish("domain", "memory", domid=domid, name=name, target_kib=kib)

        return set_target

    new, old = facts.target_kib, facts.old_kib
    limits = Step("set-limit", "set its memory limit", limit(new), limit(old))
    targets = Step("set-target", "set its memory target", target(new), target(old))
    return [limits, targets] if new > old else [targets, limits]


async def _most_of_dom0(host: Host, target: Target, total_kib: int) -> int:
    """What the store says that dom0 may have, or the host has, in KiB."""
    with explained("ask for the memory of Domain-0", target.name):
        value = await value_of(host.store, f"{nodes.home(DOM0)}/memory/static-max")
    text = b"" if value is None else value
    return min(int(text[:12]), total_kib) if text.isdigit() else total_kib


def check_target(
    name: str, target_kib: int, current_kib: int, free_kib: int, least_kib: int, most_kib: int
) -> None:
    """See that a memory target can be reached.

    Raises:
        XendError: bad_request, out_of_memory.
    """
    if not least_kib <= target_kib <= most_kib:
        raise XendError(
            "bad_request",
            f"{name}: memory of {target_kib >> 10} MiB; from {least_kib >> 10} to {most_kib >> 10} "
            "(maxmem) is possible",
            domain=name,
        )
    if target_kib - current_kib > free_kib:
        raise XendError(
            "out_of_memory",
            f"{name} needs {(target_kib - current_kib) >> 10} MiB more, {free_kib >> 10} MiB are free",
            domain=name,
        )
