"""What a change of a domain leaves in its configuration, so that its further lives have it, too.

It stands in the assignments that follow the configuration's text (`Source.extra`).  Domains of other
toolstacks, and dom0, have none here: for them a change lasts as long as they live.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from xend.domain.target import Target
from xend.errors import XendError
from xend.host import Host
from xend.operation.facts import AnyDomainFacts
from xend.operation.steps import Step, Work
from xend.validators import texts


@attrs.define(kw_only=True)
class LastingFacts(AnyDomainFacts):
    """Those of an operation whose change lasts.

    Attributes:
        old_extra, extra: the assignments that follow the configuration's text, before and after.
    """

    old_extra: list[str] = attrs.field(factory=list, validator=texts)
    extra: list[str] = attrs.field(factory=list, validator=texts)


def lasting(target: Target, values: Mapping[str, str]) -> dict[str, Any]:
    """The fields of LastingFacts of a change that says so of some options; of none: it does not last."""
    before = extra_of(target)
    return {"old_extra": before, "extra": with_assignments(before, values)}


def record_step(host: Host, facts: LastingFacts) -> Step:
    """The last step of such an operation."""

    async def record_new(work: Work) -> None:
        record(host, facts.uuid, facts.extra)

    async def record_old(work: Work) -> None:
        record(host, facts.uuid, facts.old_extra)

    return Step("record", "record that in its configuration", record_new, record_old)


def extra_of(target: Target) -> list[str]:
    """The assignments that follow the text of its configuration, as they are now."""
    return [] if target.managed is None else list(target.managed.source.extra)


def with_assignments(extra: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """These assignments with some more, each "option=value"; those that they replace are left out, so that a
    change that is made each minute makes no longer list."""
    kept = [each for each in extra if not _is_only(each, values)]
    return [*kept, *(f"{option}={value}" for option, value in values.items())]


def _is_only(assignment: str, options: Mapping[str, str]) -> bool:
    """Whether it says something about one of these options, and nothing else."""
    option, is_there, value = assignment.partition("=")
    return bool(is_there) and option.strip() in options and not any(each in value for each in ";\n")


def record(host: Host, uuid: str, extra: Sequence[str]) -> None:
    """Have these assignments follow its configuration from now on; nothing happens if it is not ours.

    Raises:
        XendError: bad_config: they make none, or give it another name, which is an operation of its own;
            nothing is changed then.
    """
    domain = host.domains.by_uuid(uuid)
    if domain is None:
        return
    before = domain.source.extra
    domain.source.extra = list(extra)
    try:
        config = domain.source.config()
        if config.name != domain.name:  # by which it is known, and locked
            raise XendError(
                "bad_config",
                f"{domain.name}: its next life would be called {config.name} by {', '.join(extra)}",
                domain=domain.name,
                hint="xl rename gives it another name",
            )
        domain.config = config
    except BaseException:
        domain.source.extra = before
        raise
    if (following := domain.next_source) is not None:
        changed = [each.partition("=") for each in extra if each not in before]
        following.extra = with_assignments(following.extra, {name: value for name, _, value in changed})
    host.domains.save(domain)
