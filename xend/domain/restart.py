"""What a domain's end asks for: on_poweroff, on_reboot, on_crash, on_watchdog, on_soft_reset.

One operation from the old domain's end to the new one's start, so that nobody comes between.
"""

import os
import re
from typing import Any

import trio

from xend.domain import nodes
from xend.domain.create import Creation, start
from xend.domain.destroy import Destruction
from xend.domain.registry import Domain
from xend.domain.source import Source
from xend.host import Host
from xend.operation.steps import Plan, Step, Work
from xend.refusals import explained

#: A domain that ran for less than this, in seconds, and restarts, is made to wait before it does.
BRAKE_SECONDS = 60.0
#: The first wait; each further one in a row is twice as long, up to BRAKE_SECONDS.
FIRST_WAIT_SECONDS = 1.0


def brake(domain: Domain, now: float) -> tuple[int, float]:
    """How often in a row it was restarted, this time included, and how long it has to wait in seconds.

    The first restart does not wait.
    """
    if domain.start_time is None or now - domain.start_time >= BRAKE_SECONDS:
        return 1, 0.0
    restarts = domain.restarts + 1
    if restarts == 1:
        return 1, 0.0
    return restarts, min(BRAKE_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(restarts - 2, 16))


def restart_plan(host: Host, facts: dict[str, Any]) -> Plan:
    """For {source, old: facts of destroy, restarts, wait_s, dump, keep_old}."""
    return Plan(
        kind="domain.restart",
        domain=facts["old"]["name"],
        facts=facts,
        steps=_Restart(host, facts).steps(),
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


class _Restart:
    def __init__(self, host: Host, facts: dict[str, Any]) -> None:
        self.host = host
        self.facts = facts
        self.old = facts["old"]
        self.destruction = Destruction(host, self.old)
        self.creation = Creation(host, Source(**facts["source"]))

    def steps(self) -> list[Step]:
        steps = []
        if self.facts["dump"]:
            steps.append(dump_step(self.host, self.old["domid"], self.facts["dump"]))
        if self.facts["keep_old"]:
            steps.append(Step(f"rename the old one to {self.facts['keep_old']}", self.rename_old))
        else:
            steps += self.destruction.steps()
        if self.facts["wait_s"]:
            steps.append(Step("wait, as it restarts too often", self.wait))
        return [*steps, *self.creation.steps(paused=False)]

    async def rename_old(self, work: Work) -> None:
        """The old domain stays as it is, under another name and UUID: the new one has its own."""
        domain = self.host.domains.by_uuid(self.old["uuid"])
        if domain is None:
            return
        with explained("rename the old domain", domain.name):
            await nodes.rename(self.host.store, domain.domid, domain.uuid, self.facts["keep_old"])
        self.host.domains.rename(domain, self.facts["keep_old"])
        self.host.consoles.rename(domain.domid, self.facts["keep_old"])
        domain.seen_shutdown = True
        self.host.domains.save(domain)
        self.host.publish("domain", "renamed", domid=domain.domid, name=domain.name)

    async def wait(self, work: Work) -> None:
        seconds = self.facts["wait_s"]
        with work.waiting("the time between two restarts", seconds + 1):
            await trio.sleep(seconds)


def dump_step(host: Host, domid: int, path: str) -> Step:
    """Writes a core, once: after a crash of xend's a file that is there is whole."""

    async def dump(work: Work) -> None:
        if os.path.exists(path):
            return
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with explained("write its memory", str(domid)):
            await host.hypervisor.dump_core(domid, path)

    return Step(f"write its memory to {path}", dump, on_failure="go on")


def dump_path(host: Host, name: str) -> str:
    """A file that is not there: DIR/NAME-SECONDS.core."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return os.fspath(host.settings.dump_directory / f"{safe}-{int(host.wall_clock())}.core")


def free_name(host: Host, name: str) -> str:
    """NAME-1, or the first such that no domain has."""
    number = 1
    while host.domains.by_name(f"{name}-{number}") is not None:
        number += 1
    return f"{name}-{number}"


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
