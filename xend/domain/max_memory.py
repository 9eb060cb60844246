"""domain.set_max_memory: how much memory a domain may have, now and in its further lives."""

import attrs

from xend.domain import nodes
from xend.domain.lasting import extra_of, with_assignments
from xend.domain.lasting import record as record_extra
from xend.domain.target import Target
from xend.errors import XendError
from xend.host import Host
from xend.operation.facts import Facts
from xend.operation.steps import Step, Work
from xend.refusals import explained
from xend.validators import NUMBER_MAX, count, texts


@attrs.define(kw_only=True)
class MaxMemoryFacts(Facts):
    """Those of domain.set_max_memory.

    Attributes:
        max_memory_kib, old_kib: what the domain may have from now on, and could have before.
        old_limit_kib: what it could take before, without being given more; None: old_kib.
        old_extra: the assignments that followed its configuration's text before, see Source.
    """

    KIND = "domain.set_max_memory"

    max_memory_kib: int = attrs.field(validator=count)
    old_kib: int = attrs.field(validator=count)
    old_limit_kib: int | None = attrs.field(default=None, validator=attrs.validators.optional(count))
    old_extra: list[str] = attrs.field(factory=list, validator=texts)


async def prepare_max_memory(host: Host, target: Target, max_memory_kib: int) -> MaxMemoryFacts:
    """Raises: XendError: bad_request: the domain has more than that, or no host has so much."""
    if max_memory_kib > NUMBER_MAX:
        raise XendError(
            "bad_request",
            f"a limit of {max_memory_kib} KiB for {target.name}: at most {NUMBER_MAX} KiB are possible",
            domain=target.name,
        )
    if max_memory_kib < target.info.memory_kib:
        raise XendError(
            "bad_request",
            f"{target.name} has {target.info.memory_kib} KiB, more than a limit of {max_memory_kib} KiB",
            domain=target.name,
            hint=f"give it less first: xl mem-set {target.name} SIZE",
        )
    limit = target.info.max_memory_kib
    return MaxMemoryFacts(
        **target.identity,
        max_memory_kib=max_memory_kib,
        old_kib=limit if target.managed is None else target.managed.config.max_memory_kib,
        old_limit_kib=limit,
        old_extra=extra_of(target),
    )


def max_memory_steps(host: Host, facts: MaxMemoryFacts) -> list[Step]:
    """The hypervisor's limit, then what guest and xend know of it."""
    assert facts.domid is not None
    domid, node = facts.domid, f"{nodes.home(facts.domid)}/memory/static-max"
    new = facts.max_memory_kib

    async def limit(kib: int) -> None:
        with explained("set its memory limit", facts.name):
            await host.hypervisor.set_max_memory(domid, kib)

    async def record(kib: int, extra: list[str]) -> None:
        with explained("record its memory limit", facts.name):
            await host.store.write(node, str(kib))
        record_extra(host, facts.uuid, extra)

    async def set_limit(work: Work) -> None:
        await limit(new)

    async def reset_limit(work: Work) -> None:
        await limit(facts.old_kib if facts.old_limit_kib is None else facts.old_limit_kib)

    async def record_new(work: Work) -> None:
        await record(new, with_assignments(facts.old_extra, _assignments(host, facts)))

    async def record_old(work: Work) -> None:
        await record(facts.old_kib, facts.old_extra)

    return [
        Step("set-limit", "set its memory limit", set_limit, reset_limit),
        Step("record", "record its memory limit", record_new, record_old),
    ]


def _assignments(host: Host, facts: MaxMemoryFacts) -> dict[str, str]:
    """What the configuration says from now on, in whole MiB; `memory` is never more than `maxmem`."""
    domain = host.domains.by_uuid(facts.uuid)
    mib = -(-facts.max_memory_kib // 1024)
    is_less = domain is not None and domain.config.memory_kib > mib * 1024
    return {"maxmem": str(mib), **({"memory": str(mib)} if is_less else {})}
