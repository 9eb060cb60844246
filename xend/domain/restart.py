"""What a domain's end asks for: on_poweroff, on_reboot, on_crash, on_watchdog, on_soft_reset.

A restart is one operation from the old life's end to the new one's start, so that nobody comes between.  One
that has to wait is two: the first leaves a domain that waits, as the registry has it, the second begins its
next life.  Between them no operation holds it, so that whoever names it can act on it.
"""

import os
import re
from functools import partial

import attrs

from xend.device.kinds import KINDS
from xend.domain import nodes
from xend.domain.attach import remember
from xend.domain.create import Creation, LifeFacts
from xend.domain.destroy import DestroyFacts, Destruction, destroy_facts_of
from xend.domain.registry import Domain
from xend.domain.sharing import claim_unknown
from xend.domain.shutdown import SHUTDOWN_SECONDS, reason_name
from xend.domain.waiting import BRAKE_SECONDS, Waiting, waiting_of
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import DomainInfo
from xend.operation.locks import Lock, domain_locks
from xend.operation.steps import Step, Work
from xend.refusals import explained
from xend.validators import text_or_none, typed
from xenstore.daemon import trusted

#: What is done instead of a restart with a domain whose last life it was.
WITHOUT_RESTART = {
    "restart": "destroy",
    "rename-restart": "preserve",
    "coredump-restart": "coredump-destroy",
}


def action_of(host: Host, domain: Domain, event: str) -> str:
    """What is done with a domain that has shut down, by the reason's name."""
    action = domain.config.actions.get(event, "preserve" if event == "suspend" else "destroy")
    is_last = host.domains.is_last_life(domain) or _is_to_be_off(domain, host.wall_clock())
    if action == "soft-reset" and is_last:
        return "destroy"
    if action == "soft-reset" and domain.config.type != "pvh":
        return "restart"  # the best that is left
    return WITHOUT_RESTART.get(action, action) if is_last else action


def why_not_reset(domain: Domain, event: str, action: str) -> str:
    """What is said of a domain that is not reset, though its configuration asks for that; "" else."""
    wanted = domain.config.actions.get(event)
    is_told = wanted == "soft-reset" and action == "restart"
    if not is_told:
        return ""
    why = "the hypervisor resets no paravirtual domain"
    if domain.config.type == "hvm":
        why = "its device model would have to go on with what it knows"
    return f" in place of a soft reset: {why}"


def _is_to_be_off(domain: Domain, now: float) -> bool:
    """Whether it was asked to power off a while ago.

    Who had it do that does not get it back because it rebooted, or crashed, at that moment.
    """
    if domain.awaited != "poweroff" or domain.config.actions.get("poweroff") in WITHOUT_RESTART:
        return False
    return 0 <= now - domain.awaited_since < SHUTDOWN_SECONDS


def is_about_to_restart(host: Host, domain: Domain, info: DomainInfo) -> bool:
    """Whether it has ended, and its next life is going to follow, though nothing was done for that yet."""
    return (
        info.is_shutdown
        and not info.is_dying
        and not domain.seen_shutdown
        and action_of(host, domain, reason_name(info)) in WITHOUT_RESTART
    )


def restarts_in_a_row(domain: Domain, now: float) -> int:
    """How often in a row a domain that has ended now is restarted, this time included."""
    if domain.start_time is None or now - domain.start_time >= BRAKE_SECONDS:
        return 1
    return domain.restarts + 1


@attrs.define(kw_only=True)
class DumpFacts(DestroyFacts):
    """Those of domain.dump: a core is written to a file before the domain is ended."""

    KIND = "domain.dump"

    dump: str = attrs.field(validator=typed(str))


@attrs.define(kw_only=True)
class NextLifeFacts(LifeFacts):
    """Those of domain.next_life; waiting: what is known of its wait."""

    KIND = "domain.next_life"

    waiting: Waiting = attrs.field(converter=waiting_of)


@attrs.define(kw_only=True)
class RestartFacts(NextLifeFacts):
    """Those of domain.restart; name and uuid are the old life's.

    Attributes:
        old: what ends the old life.
        dump: file of the core that is written of it first; None: none is.
        keep_old: the name under which the old domain stays; None: it is ended.
    """

    KIND = "domain.restart"

    old: DestroyFacts = attrs.field(converter=destroy_facts_of)
    dump: str | None = attrs.field(default=None, validator=text_or_none)
    keep_old: str | None = attrs.field(default=None, validator=text_or_none)

    @property
    def begins_at_once(self) -> bool:
        """Whether the operation includes the beginning of the next life."""
        return not self.waiting.wait_s


def next_life_facts(domain: Domain, waiting: Waiting) -> NextLifeFacts:
    """What the next life of one that waits is made of."""
    return NextLifeFacts(
        name=domain.name, uuid=domain.uuid, source=domain.source, restarts=domain.restarts, waiting=waiting
    )


def restart_locks(facts: RestartFacts) -> list[Lock]:
    """The old domain, and what the new one has beside it where the old one stays."""
    locks = domain_locks(facts.uuid, facts.name)
    return locks if facts.keep_old is None else [*locks, *domain_locks(facts.source.uuid, facts.keep_old)]


def restart_steps(host: Host, facts: RestartFacts) -> list[Step]:
    """The steps of domain.restart."""
    return _Restart(host, facts).steps()


def next_life_steps(host: Host, facts: NextLifeFacts) -> list[Step]:
    """The steps of domain.next_life."""
    return NextLife(host, facts).steps(paused=False)


def dump_steps(host: Host, facts: DumpFacts) -> list[Step]:
    """The steps of domain.dump: what coredump-destroy asks for."""
    assert facts.domid is not None
    destruction = Destruction(host, facts)
    return [dump_step(host, facts.domid, facts.dump), *destruction.steps(), destruction.last_step()]


class NextLife(Creation):
    """The steps that begin the next life of a domain that waits for it; what fails leaves one that waits."""

    facts: NextLifeFacts

    def __init__(self, host: Host, facts: NextLifeFacts) -> None:
        super().__init__(host, facts)

    async def check(self, work: Work) -> None:
        domain = self.host.domains.by_uuid(self.source.uuid)
        if domain is None or domain.final is not None:
            raise XendError("cancelled", f"{self.config.name} is not to be started again")
        await super().check(work)

    def forget(self) -> None:
        domain = self.host.domains.by_uuid(self.source.uuid)
        final = None if domain is None else domain.final
        waiting = attrs.evolve(self.facts.waiting, domid=self.facts.domid, due=None)
        self.host.domains.put_to_wait(self.source, waiting, self.facts.restarts, final)


class _Restart:
    def __init__(self, host: Host, facts: RestartFacts) -> None:
        self.host = host
        self.facts = facts
        self.destruction = Destruction(host, facts.old)

    def steps(self) -> list[Step]:
        steps = []
        if self.facts.dump is not None:
            steps.append(dump_step(self.host, self.destruction.domid, self.facts.dump))
        if self.facts.keep_old is None:
            steps += self.destruction.steps()
        else:
            steps += self.keeping(self.facts.keep_old)
        if not self.facts.begins_at_once:
            return [*steps, Step("wait", "note that it waits for its next life", self.put_to_wait)]
        check, *others = NextLife(self.host, self.facts).steps(paused=False)

        async def begin(work: Work) -> None:
            await self.put_to_wait(work)
            await check.do(work)

        return [*steps, attrs.evolve(check, do=begin), *others]

    def keeping(self, name: str) -> list[Step]:
        """The old domain stays under this name; what it has is the new one's, its disks above all."""
        return [
            Step("rename-old", f"rename the old one to {name}", partial(self.rename_old, name)),
            *self.destruction.detaching(),
            Step("forget-devices", "forget the old one's devices", self.forget_devices),
        ]

    async def rename_old(self, name: str, work: Work) -> None:
        """It keeps its UUID: the new one has its own."""
        domain = self.host.domains.by_uuid(self.facts.uuid)
        if domain is None or domain.domid is None:
            return
        with explained("rename the old domain", domain.name):
            await nodes.rename(self.host.store, domain.domid, domain.uuid, name)
        self.host.domains.rename(domain, name)
        self.host.consoles.rename(domain.domid, name)
        domain.seen_shutdown = True
        self.host.domains.save(domain)
        self.host.publish("domain", "renamed", domid=domain.domid, name=domain.name)

    async def forget_devices(self, work: Work) -> None:
        domain = self.host.domains.by_uuid(self.facts.uuid)
        for device in self.destruction.devices:
            items = [device.devid]
            if KINDS[device.kind].make is None and domain is not None:
                items = [item.devid for item in domain.config.of_kind(device.kind)]
            for devid in items:
                remember(self.host, self.facts.uuid, {"kind": device.kind, "devid": devid})

    async def put_to_wait(self, work: Work) -> None:
        source, waiting = self.facts.source, self.facts.waiting
        domain = self.host.domains.by_uuid(source.uuid)
        final = None if domain is None else domain.final
        self.host.domains.put_to_wait(source, attrs.evolve(waiting), self.facts.restarts, final)
        waiting_domain = self.host.domains.by_uuid(source.uuid)
        assert waiting_domain is not None
        claim_unknown(
            self.host, waiting_domain
        )  # what a copy that is kept gave up is nobody else's meanwhile
        if waiting.wait_s:
            publish_waiting(self.host, source.uuid)


def publish_waiting(host: Host, uuid: str) -> None:
    """Tell listeners of a domain that waits."""
    domain = host.domains.by_uuid(uuid)
    if domain is None or (waiting := domain.waiting) is None:
        return
    host.publish(
        "domain",
        "waiting",
        name=domain.name,
        uuid=uuid,
        reason=f"{waiting.reason}; it is started again in {waiting.left_s(host.wall_clock()):.0f} s",
        next_try=waiting.next_try,
        failures=domain.restarts,
    )


def dump_step(host: Host, domid: int, path: str) -> Step:
    """Writes a core, once: after a crash of xend's a file that is there is whole."""

    async def dump(work: Work) -> None:
        if os.path.exists(path):
            return
        try:
            trusted.make_directory(os.path.dirname(path), 0o700)
        except OSError as error:
            raise XendError("internal", f"cannot make {error.filename}", cause=error.strerror) from error
        with explained("write its memory", str(domid)):
            await host.hypervisor.dump_core(domid, path)

    return Step("dump", f"write its memory to {path}", dump, on_failure="go on")


def dump_path(host: Host, name: str) -> str:
    """A file that is not there: DIR/NAME-SECONDS.core."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return os.fspath(host.settings.dump_directory / f"{safe}-{int(host.wall_clock())}.core")
