"""Operations on a domain that exists: pause, unpause, rename, memory, sysrq, shutdown, reboot."""

from collections.abc import Awaitable, Callable
from typing import Any

import trio

from xend.domain import nodes
from xend.domain.create import start
from xend.domain.registry import Domain
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import SHUTDOWN_REASONS, DomainInfo
from xend.operation.steps import Plan, Step, Work
from xend.refusals import explained
from xenstore.errors import ENOENT

#: How long a guest may take to say that it heard, in seconds (libxl: 60).
ANSWER_SECONDS = 60.0
#: How long one that heard may take to shut down, where that is waited for.
SHUTDOWN_SECONDS = 3600.0
#: How often a guest is looked at when nothing says that it has ended.
LOOK_SECONDS = 5.0
REASONS = {"poweroff": 0, "reboot": 1}


def pause_plan(host: Host, facts: dict[str, Any]) -> Plan:
    """For {domid, name}."""

    async def pause(work: Work) -> None:
        with explained("pause it", facts["name"]):
            await host.hypervisor.pause(facts["domid"])
        host.publish("domain", "paused", domid=facts["domid"], name=facts["name"])

    return _plan("domain.pause", facts, Step("pause it", pause))


def unpause_plan(host: Host, facts: dict[str, Any]) -> Plan:
    """For {domid, name}."""

    async def unpause(work: Work) -> None:
        await start(host, facts["domid"], facts["name"])

    return _plan("domain.unpause", facts, Step("let it run", unpause))


def rename_plan(host: Host, facts: dict[str, Any]) -> Plan:
    """For {domid, name, uuid, new}; domid None: it is between two lives."""

    def to(name: str) -> Callable[[Work], Awaitable[None]]:
        async def rename(work: Work) -> None:
            domid = facts["domid"]
            if domid is not None:
                with explained("rename it", facts["name"]):
                    await nodes.rename(host.store, domid, facts["uuid"], name)
            domain = host.domains.by_uuid(facts["uuid"])
            if domain is not None:
                host.domains.rename(domain, name)
                if domid is not None:
                    host.consoles.rename(domid, name)
                host.publish("domain", "renamed", domid=domid, name=name)

        return rename

    return _plan("domain.rename", facts, Step("rename it", to(facts["new"]), to(facts["name"])))


def memory_plan(host: Host, facts: dict[str, Any]) -> Plan:
    """For {domid, name, target_kib, old_kib}: the limit first where it grows, the target where it shrinks."""
    domid, name = facts["domid"], facts["name"]

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

    new, old = facts["target_kib"], facts["old_kib"]
    limits = Step("set its memory limit", limit(new), limit(old))
    targets = Step("set its memory target", target(new), target(old))
    return _plan("domain.set_memory", facts, *((limits, targets) if new > old else (targets, limits)))


def sysrq_plan(host: Host, facts: dict[str, Any]) -> Plan:
    """For {domid, name, letter}."""

    async def send(work: Work) -> None:
        with explained("send a sysrq", facts["name"]):
            await host.store.write(f"{nodes.home(facts['domid'])}/control/sysrq", facts["letter"])

    return _plan("domain.sysrq", facts, Step(f"send sysrq {facts['letter']}", send))


def shutdown_plan(host: Host, facts: dict[str, Any], kind: str = "domain.shutdown") -> Plan:
    """For {domid, name, uuid, word, wait, force, timeout_s}; word: "poweroff" or "reboot"."""
    request = ShutdownRequest(host, facts)
    steps = [
        Step("ask its guest", request.ask, request.withdraw),
        Step("wait for its answer", request.await_answer, request.withdraw),
    ]
    if facts["wait"]:
        steps.append(Step("wait until it has shut down", request.await_end))
    return _plan(kind, facts, *steps)


class ShutdownRequest:
    """A guest is asked to shut down, and watched doing so."""

    def __init__(self, host: Host, facts: dict[str, Any]) -> None:
        self.host = host
        self.facts = facts
        self.domid: int = facts["domid"]
        self.name: str = facts["name"]
        self.word: str = facts["word"]
        self.node = f"{nodes.home(self.domid)}/control/shutdown"

    async def ask(self, work: Work) -> None:
        with explained("ask it to shut down", self.name):
            await self.host.store.write(self.node, self.word)
        self._note(self.word)
        self.host.publish("domain", "shutting-down", domid=self.domid, name=self.name, reason=self.word)

    async def withdraw(self, work: Work) -> None:
        """The guest that did not hear must not shut down tomorrow."""
        with explained("take the request back", self.name):
            try:
                if await self.host.store.read(self.node) == self.word.encode():
                    await self.host.store.write(self.node, "")
            except ENOENT:
                pass
        self._note(None)

    async def await_answer(self, work: Work) -> None:
        try:
            await self._follow(
                work, f"{self.name} to answer control/shutdown", self.facts["timeout_s"], self._answered
            )
        except XendError as error:
            if error.code != "no_answer":
                raise
            if not self.facts["force"]:
                raise XendError(
                    "no_answer",
                    f"{self.name} did not answer control/shutdown within {self.facts['timeout_s']:g} s",
                    domain=self.name,
                    waited_s=self.facts["timeout_s"],
                    hint=f"has its kernel a driver for it? see its console, or xl destroy {self.name}",
                ) from error
            self.host.log(f"{self.name} does not answer: shutting it down without its doing")
            with explained("shut it down", self.name):
                await self.host.hypervisor.shutdown(self.domid, REASONS[self.word])

    async def await_end(self, work: Work) -> None:
        await self._follow(work, f"{self.name} to shut down", SHUTDOWN_SECONDS, self._ended)

    async def _follow(
        self, work: Work, what: str, seconds: float, done: Callable[[], Awaitable[bool]]
    ) -> None:
        """Until `done`, asked whenever the node changes or the domain has ended."""
        with explained("follow its shutdown", self.name):
            async with self.host.store.watch(self.node) as watch:
                with work.waiting(what, seconds):
                    while not await done():
                        with (
                            trio.move_on_after(LOOK_SECONDS) as scope,
                            self.host.ends.awaited(self.domid, scope.cancel),
                        ):
                            await watch.next()

    async def _answered(self) -> bool:
        if await self._ended():
            return True
        try:
            return await self.host.store.read(self.node) != self.word.encode()
        except ENOENT:
            return True

    async def _ended(self) -> bool:
        info = await self.host.hypervisor.domain(self.domid)
        return info is None or info.is_shutdown or info.is_dying or info.uuid != self.facts["uuid"]

    def _note(self, word: str | None) -> None:
        domain = self.host.domains.by_uuid(self.facts["uuid"])
        if domain is not None:
            domain.awaited, domain.awaited_since = word, self.host.wall_clock()
            self.host.domains.save(domain)


def reason_name(info: DomainInfo) -> str:
    """Why a domain has shut down, as SHUTDOWN_REASONS has it."""
    reason = info.shutdown_reason
    return SHUTDOWN_REASONS[reason] if reason is not None and reason < len(SHUTDOWN_REASONS) else "crash"


def check_target(domain: Domain, target_kib: int, current_kib: int, free_kib: int) -> None:
    """See that a memory target can be reached.

    Raises:
        XendError: bad_request, out_of_memory.
    """
    most = domain.config.max_memory_kib
    if not 1024 <= target_kib <= most:
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


def _plan(kind: str, facts: dict[str, Any], *steps: Step) -> Plan:
    return Plan(kind=kind, domain=facts["name"], facts=facts, steps=steps, on_crash="undo")
