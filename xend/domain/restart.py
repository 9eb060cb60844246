"""What a domain's end asks for: on_poweroff, on_reboot, on_crash, on_watchdog, on_soft_reset.

A restart is one operation from the old life's end to the new one's start, so that nobody comes between.  One
that has to wait is two: the first leaves a domain that waits, as the registry has it, the second begins its
next life.  Between them no operation holds it, so that whoever names it can act on it.
"""

import os
import re
from typing import Any

import attrs

from xend.domain import nodes
from xend.domain.attach import remember
from xend.domain.change import SHUTDOWN_SECONDS, reason_name
from xend.domain.create import Creation, start
from xend.domain.destroy import Destruction
from xend.domain.registry import Domain
from xend.domain.sharing import claim_unknown
from xend.domain.source import Source
from xend.domain.waiting import BRAKE_SECONDS, Waiting
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import DomainInfo
from xend.operation.steps import Plan, Step, Work
from xend.refusals import explained
from xenstore import ground

RESTART, NEXT_LIFE = "domain.restart", "domain.next_life"
#: Kinds that work on a domain between two lives.
BETWEEN = (RESTART, NEXT_LIFE)
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
    return WITHOUT_RESTART.get(action, action) if is_last else action


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


def restart_plan(host: Host, facts: dict[str, Any]) -> Plan:
    """For {source, restarts, waiting, old: facts of destroy, dump, keep_old}; waiting: a Waiting's fields."""
    return Plan(
        kind=RESTART,
        domain=facts["old"]["name"],
        facts=facts,
        steps=_Restart(host, facts).steps(),
        on_crash="resume",
    )


def is_to_live_at_once(facts: dict[str, Any]) -> bool:
    """Whether a restart of these facts includes the next life's begin."""
    return not facts["waiting"]["wait_s"]


def next_life_facts(domain: Domain, waiting: Waiting) -> dict[str, Any]:
    """What the next life of one that waits is made of."""
    return {
        "source": attrs.asdict(domain.source),
        "restarts": domain.restarts,
        "waiting": waiting.as_fields(),
    }


def next_life_plan(host: Host, facts: dict[str, Any]) -> Plan:
    """For {source, restarts, waiting}."""
    creation = NextLife(host, Source(**facts["source"]))
    return Plan(
        kind=NEXT_LIFE,
        domain=creation.config.name,
        facts=facts,
        steps=creation.steps(paused=False),
        on_crash="resume",
    )


def dump_plan(host: Host, facts: dict[str, Any]) -> Plan:
    """coredump-destroy, for facts of destroy and {dump}."""
    destruction = Destruction(host, facts)
    steps = [
        dump_step(host, facts["domid"], facts["dump"]),
        *destruction.steps(),
        Step("forget it", destruction.forget),
    ]
    return Plan(kind="domain.dump", domain=facts["name"], facts=facts, steps=steps, on_crash="resume")


class NextLife(Creation):
    """The steps that begin the next life of a domain that waits for it; what fails leaves one that waits."""

    async def check(self, work: Work) -> None:
        domain = self.host.domains.by_uuid(self.source.uuid)
        if domain is None or domain.final is not None:
            raise XendError("cancelled", f"{self.config.name} is not to be started again")
        await super().check(work)

    def forget(self, work: Work) -> None:
        domain = self.host.domains.by_uuid(self.source.uuid)
        final = None if domain is None else domain.final
        waiting = Waiting(**{**work.facts["waiting"], "domid": work.facts.get("domid")})
        self.host.domains.put_to_wait(self.source, waiting, work.facts["restarts"], final)


class _Restart:
    def __init__(self, host: Host, facts: dict[str, Any]) -> None:
        self.host = host
        self.facts = facts
        self.old = facts["old"]
        self.source = Source(**facts["source"])
        self.waiting = Waiting(**facts["waiting"])
        self.destruction = Destruction(host, self.old)

    def steps(self) -> list[Step]:
        steps = []
        if self.facts["dump"]:
            steps.append(dump_step(self.host, self.old["domid"], self.facts["dump"]))
        steps += self.keeping() if self.facts["keep_old"] else self.destruction.steps()
        if not is_to_live_at_once(self.facts):
            return [*steps, Step("note that it waits for its next life", self.put_to_wait)]
        check, *others = NextLife(self.host, self.source).steps(paused=False)

        async def begin(work: Work) -> None:
            await self.put_to_wait(work)
            await check.do(work)

        return [*steps, Step(check.name, begin), *others]

    def keeping(self) -> list[Step]:
        """The old domain stays, under another name; what it has is the new one's, its disks above all."""
        return [
            Step(f"rename the old one to {self.facts['keep_old']}", self.rename_old),
            *self.destruction.detaching(),
            Step("forget the old one's devices", self.forget_devices),
        ]

    async def rename_old(self, work: Work) -> None:
        """It keeps its UUID: the new one has its own."""
        domain = self.host.domains.by_uuid(self.old["uuid"])
        if domain is None or domain.domid is None:
            return
        with explained("rename the old domain", domain.name):
            await nodes.rename(self.host.store, domain.domid, domain.uuid, self.facts["keep_old"])
        self.host.domains.rename(domain, self.facts["keep_old"])
        self.host.consoles.rename(domain.domid, self.facts["keep_old"])
        domain.seen_shutdown = True
        self.host.domains.save(domain)
        self.host.publish("domain", "renamed", domid=domain.domid, name=domain.name)

    async def forget_devices(self, work: Work) -> None:
        for device in self.destruction.devices:
            remember(self.host, self.old["uuid"], {"kind": device.kind, "devid": device.devid})

    async def put_to_wait(self, work: Work) -> None:
        domain = self.host.domains.by_uuid(self.source.uuid)
        final = None if domain is None else domain.final
        self.host.domains.put_to_wait(self.source, self.waiting, self.facts["restarts"], final)
        waiting = self.host.domains.by_uuid(self.source.uuid)
        assert waiting is not None
        claim_unknown(self.host, waiting)  # what a copy that is kept gave up is nobody else's meanwhile
        if self.waiting.wait_s:
            tell_waiting(self.host, self.source.uuid)


def tell_waiting(host: Host, uuid: str) -> None:
    """Tell everybody of a domain that waits."""
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
            ground.make_directory(os.path.dirname(path), 0o700)
        except OSError as error:
            raise XendError("internal", f"cannot make {error.filename}", cause=error.strerror) from error
        with explained("write its memory", str(domid)):
            await host.hypervisor.dump_core(domid, path)

    return Step(f"write its memory to {path}", dump, on_failure="go on")


def dump_path(host: Host, name: str) -> str:
    """A file that is not there: DIR/NAME-SECONDS.core."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return os.fspath(host.settings.dump_directory / f"{safe}-{int(host.wall_clock())}.core")


def soft_reset_plan(host: Host, facts: dict[str, Any]) -> Plan:
    """For {source, domid, ...}: the same domain with its memory, and a fresh kernel, rings and devices."""
    creation = Creation(host, Source(**facts["source"]))
    destruction = Destruction(host, facts["old"])
    detached = [step for step in destruction.steps() if ": " in step.name]
    attached = [
        step
        for step in creation.steps(paused=True)
        if step.name not in ("create an empty domain", "give it memory", "check what it needs")
    ]
    domid, name = facts["old"]["domid"], facts["old"]["name"]

    async def reset(work: Work) -> None:
        await host.consoles.end(domid)
        with explained("reset it", name):
            await host.store.release(domid)
            await host.hypervisor.soft_reset(domid)

    async def resume(work: Work) -> None:
        await start(host, domid, name)

    return Plan(
        kind="domain.soft_reset",
        domain=name,
        facts={**facts, "domid": domid},
        steps=[*detached, Step("reset it", reset), *attached, Step("start it", resume)],
        on_crash="resume",
    )
