"""What is done to a domain that exists, in a step or two: pause, unpause, rename, sysrq."""

from collections.abc import Awaitable, Callable

import attrs

from xend.config.name import name_complaint
from xend.domain import nodes
from xend.domain.power import start
from xend.domain.target import Between, Target
from xend.errors import XendError
from xend.host import Host
from xend.operation.facts import Facts
from xend.operation.locks import Lock, domain_locks, name_lock
from xend.operation.steps import Step, Work
from xend.refusals import explained
from xend.validators import typed


@attrs.define(kw_only=True)
class PauseFacts(Facts):
    """Those of domain.pause."""

    KIND = "domain.pause"


@attrs.define(kw_only=True)
class UnpauseFacts(Facts):
    """Those of domain.unpause."""

    KIND = "domain.unpause"


@attrs.define(kw_only=True)
class RenameFacts(Facts):
    """Those of domain.rename; domid None: the domain is between two lives."""

    KIND = "domain.rename"

    new_name: str = attrs.field(validator=typed(str))


@attrs.define(kw_only=True)
class SysrqFacts(Facts):
    """Those of domain.sysrq."""

    KIND = "domain.sysrq"

    letter: str = attrs.field(validator=typed(str))


async def prepare_pause(host: Host, target: Target) -> PauseFacts:
    return PauseFacts(**target.identity)


def pause_steps(host: Host, facts: PauseFacts) -> list[Step]:
    async def pause(work: Work) -> None:
        with explained("pause it", facts.name):
            await host.hypervisor.pause(_domid(facts))
        host.publish("domain", "paused", domid=facts.domid, name=facts.name)

    return [Step("pause", "pause it", pause)]


async def prepare_unpause(host: Host, target: Target) -> UnpauseFacts:
    """Raises: XendError: wrong_state: it was not built; the hypervisor would let it run all the same."""
    if not target.info.vcpus and not target.info.is_dying:
        raise XendError(
            "wrong_state",
            f"{target.name} has no kernel yet: who makes it is still at it, or died",
            domain=target.name,
            hint=f"wait, or end it: xl destroy {target.domid}",
        )
    return UnpauseFacts(**target.identity)


def unpause_steps(host: Host, facts: UnpauseFacts) -> list[Step]:
    async def unpause(work: Work) -> None:
        await start(host, _domid(facts), facts.name)

    return [Step("unpause", "let it run", unpause)]


def prepare_rename(target: Target | Between, name: str) -> RenameFacts:
    """Raises: XendError: wrong_state: it is another toolstack's; bad_request: that is no name."""
    target.require_managed("rename")
    complaint = name_complaint(name)
    if complaint is not None:
        raise XendError("bad_request", f"name {name!r}: {complaint}", domain=target.name)
    return RenameFacts(**target.identity, new_name=name)


def rename_locks(facts: RenameFacts) -> list[Lock]:
    """Both names: nobody else may take the new one meanwhile."""
    return [*domain_locks(facts.uuid, facts.name), name_lock(facts.new_name)]


def rename_steps(host: Host, facts: RenameFacts) -> list[Step]:
    def rename_to(name: str) -> Callable[[Work], Awaitable[None]]:
        async def rename(work: Work) -> None:
            if facts.domid is not None:
                with explained("rename it", facts.name):
                    await nodes.rename(host.store, facts.domid, facts.uuid, name)
            domain = host.domains.by_uuid(facts.uuid)
            if domain is not None:
                host.domains.rename(domain, name)
                if facts.domid is not None:
                    host.consoles.rename(facts.domid, name)
                host.publish("domain", "renamed", domid=facts.domid, name=name)

        return rename

    return [Step("rename", "rename it", rename_to(facts.new_name), rename_to(facts.name))]


async def prepare_sysrq(host: Host, target: Target, letter: str) -> SysrqFacts:
    """Raises: XendError: bad_request: no letter that a kernel knows."""
    if len(letter) != 1 or not letter.isascii() or not letter.isalnum():
        raise XendError("bad_request", f"sysrq {letter!r}: one letter or digit was expected")
    return SysrqFacts(**target.identity, letter=letter)


def sysrq_steps(host: Host, facts: SysrqFacts) -> list[Step]:
    async def send(work: Work) -> None:
        with explained("send a sysrq", facts.name):
            await host.store.write(f"{nodes.home(_domid(facts))}/control/sysrq", facts.letter)

    return [Step("send", f"send sysrq {facts.letter}", send)]


def _domid(facts: Facts) -> int:
    """Of a domain that lives."""
    assert facts.domid is not None
    return facts.domid
