"""domain.update_config: another configuration for the further lives of a domain; this one stays as it is."""

from collections.abc import Mapping
from typing import Any

import attrs

from xend.domain.registry import Domain
from xend.domain.source import Source, source_of
from xend.errors import XendError
from xend.host import Host
from xend.operation.facts import Facts
from xend.operation.steps import Step, Work


def source_or_none(value: Source | Mapping[str, Any] | None) -> Source | None:
    """As `source_of`; None: none."""
    return None if value is None else source_of(value)


@attrs.define(kw_only=True)
class ReconfigureFacts(Facts):
    """Those of domain.update_config.

    Attributes:
        source: what the next life is to be made of.
        old: what it was to be made of before; None: what the present one is made of.
    """

    KIND = "domain.update_config"

    source: Source = attrs.field(converter=source_of)
    old: Source | None = attrs.field(default=None, converter=source_or_none)


def reconfigure_facts(domain: Domain, source: Source, identity: dict[str, Any]) -> ReconfigureFacts:
    """The facts of a domain and of a configuration that has its UUID; the domain keeps its name,
    and its devices, in their order, the addresses that were chosen for them.

    Raises:
        XendError: bad_config: the configuration has another type of guest: that needs another domain.
    """
    source.renamed = domain.name
    source.addresses = {
        kind: [*before[: len(chosen)], *chosen[len(before) :]]
        for kind, chosen in source.addresses.items()
        if (before := domain.source.addresses.get(kind, [])) is not None
    }
    config = source.config()
    if config.type != domain.config.type:
        raise XendError(
            "bad_config",
            f"{domain.name} is a {domain.config.type} domain, the configuration says {config.type}",
            domain=domain.name,
            hint=f"xl shutdown -w {domain.name}, then xl create FILE",
        )
    return ReconfigureFacts(**identity, source=source, old=domain.next_source)


def reconfigure_steps(host: Host, facts: ReconfigureFacts) -> list[Step]:
    """One: it is only written down."""

    def note(source: Source | None) -> None:
        domain = host.domains.by_uuid(facts.uuid)
        if domain is not None:
            domain.next_source = None if source is None else source_of(source)
            host.domains.save(domain)

    async def record(work: Work) -> None:
        note(facts.source)

    async def undo(work: Work) -> None:
        note(facts.old)

    return [Step("record", "have its next life made of the configuration", record, undo)]
