"""Does what the end of a domain asks for; reaps domains that died without xend.

Watches @releaseDomain: xenstored hears of every end from the hypervisor, but does not say whose.  A domain
that is worked on is left alone, and looked at when the operation has ended.
"""

import math
from collections.abc import Iterable
from typing import Any

import trio

from xenclient.store.errors import ClientError
from xend.domain import nodes
from xend.domain.destroy import DestroyFacts, ReapFacts
from xend.domain.end_facts import facts_of_action, facts_of_end
from xend.domain.next_lives import NextLives
from xend.domain.registry import Domain
from xend.domain.restart import (
    NextLifeFacts,
    RestartFacts,
    action_of,
    why_not_reset,
)
from xend.domain.shutdown import reason_name
from xend.domain.suspending import ResumeFacts, is_suspended
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import DomainInfo, HypervisorError
from xend.identity import is_domain
from xend.log import log_fault
from xend.operation.facts import Facts
from xend.operation.locks import Lock
from xend.operation.registry import OperationRegistry
from xend.operation.running import Operation
from xend.refusals import explained
from xenstore.errors import XenstoreError

#: How often all domains are looked at without having been told: a lost notification must not leave one.
LOOK_SECONDS = 20.0
#: From one look at all domains to the next: many that end at once must not have all looked at as many times.
PAUSE_SECONDS = 0.25
#: How long it takes at most until an operation that failed is tried again.
RETRY_MAX_SECONDS = 60.0


class Keeper:
    """Looks after the domains of this xend."""

    def __init__(self, host: Host, operations: OperationRegistry) -> None:
        self._host = host
        self._operations = operations
        self._due = trio.Event()
        self._some_ended = False
        self._looked_at = -math.inf
        #: What operations held that have ended, in their order.
        self._freed: dict[Lock, None] = {}
        self._has_looked = trio.Event()
        #: Domains whose end could not be acted on: how often in a row, and when it is tried again; until some
        #: operation on that domain is done.
        self._failures: dict[str, tuple[int, float]] = {}
        self._next_lives = NextLives(host, operations)
        #: Facts of restarts that failed before the old life had ended, by the old one's UUID.
        self._cut_off: dict[str, RestartFacts] = {}

    def look_soon(self) -> None:
        """Some domain may have ended."""
        self._some_ended = True
        self._due.set()

    def operation_ended(self, operation: Operation) -> None:
        """What it worked on was left alone meanwhile."""
        self._freed |= dict.fromkeys(operation.locks)
        self._due.set()
        if operation.error is None:
            for lock in operation.locks:
                self._cut_off.pop(lock.value, None)
                self._failures.pop(lock.value, None)
        elif isinstance(operation.work.facts, NextLifeFacts):  # not if its record could not be used
            for domain in self._with_locks(operation.locks):
                self._restart_failed(domain, operation, operation.work.facts, operation.error)

    async def acted_on(self, domid: int) -> list[dict[str, Any]]:
        """Returns once what a domain's end asks for has been done, or has failed, or the domain is kept.

        What went wrong with that and did not stop it, as the warnings of a result.
        """
        warnings: list[dict[str, Any]] = []
        domain = self._host.domains.get(domid)
        while domain is not None and self._host.domains.get(domid) is domain and not domain.seen_shutdown:
            holder = self._operations.holder(domain.locks)
            if holder is None:
                await self._has_looked.wait()
                continue
            await holder.ended.wait()
            warnings += holder.warnings()
            if holder.error is not None:
                break
        return warnings

    async def run(self) -> None:
        """Keep looking, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            while True:
                with trio.move_on_at(min(self._next_look(), self._next_lives.due())):
                    await self._due.wait()
                self._due = trio.Event()
                try:
                    await self._look_at_freed()
                    await self._look_at_waiting()
                    if trio.current_time() >= self._next_look():
                        await self.look()
                except (HypervisorError, XendError) as error:
                    self._host.log(f"cannot look after domains: {error}")
                except Exception as error:  # noqa: BLE001 - a fault must not leave all domains without a keeper
                    log_fault(self._host.log, "cannot look after domains", error)
                self._has_looked.set()
                self._has_looked = trio.Event()

    def _next_look(self) -> float:
        """When to look at all domains again, on trio's clock."""
        due = -math.inf if self._some_ended else self._looked_at + LOOK_SECONDS
        due = min([due, *(at for _, at in self._failures.values() if at > self._looked_at)])
        return max(due, self._looked_at + PAUSE_SECONDS)

    def _start(self, domain: Domain, facts: Facts) -> None:
        if self._is_others(domain):
            return
        operation = self._operations.start(facts)
        operation.on_end = lambda: self._ended_operation(domain, operation)

    def _ended_operation(self, domain: Domain, operation: Operation) -> None:
        """What failed is tried again, ever later."""
        failures, _ = self._failures.pop(domain.uuid, (0, 0.0))
        if operation.error is not None and self._host.domains.by_uuid(domain.uuid) is domain:
            wait_s = min(RETRY_MAX_SECONDS, 2.0**failures)
            self._failures[domain.uuid] = (failures + 1, trio.current_time() + wait_s)

    def _restart_failed(
        self, domain: Domain, operation: Operation, facts: NextLifeFacts, error: XendError
    ) -> None:
        """What failed is tried again; what was cancelled is not."""
        is_begun = not isinstance(facts, RestartFacts) or facts.begins_at_once
        if operation.state == "cancelled":
            self._host.domains.end(domain, "its restart was cancelled")
        elif domain.waiting is None:
            if isinstance(facts, RestartFacts) and domain.domid == facts.old.domid:
                self._cut_off[domain.uuid] = facts
        elif is_begun:
            self._next_lives.failed(domain, domain.waiting, error)

    def _must_wait(self, domain: Domain) -> bool:
        _, at = self._failures.get(domain.uuid, (0, 0.0))
        return trio.current_time() < at

    async def _watch(self) -> None:
        while True:
            try:
                async with self._host.store.watch("@releaseDomain") as watch:
                    while True:
                        await watch.next()
                        self.look_soon()
            except (ClientError, XenstoreError) as error:
                self._host.log(f"the store does not say when domains end: {error}")
                await trio.sleep(1)

    async def look(self) -> None:
        """Look at all domains once."""
        self._some_ended = False
        self._looked_at = trio.current_time()
        self._host.domains.remove_left()
        infos = {info.domid: info for info in await self._host.hypervisor.domains()}
        self._host.ends.looked(infos.values())
        for domain in self._host.domains:
            await self._look_at(domain, None if domain.domid is None else infos.get(domain.domid))

    async def _look_at_freed(self) -> None:
        freed, self._freed = self._freed, {}
        for domain in self._with_locks(freed):
            await self._look_at(domain, None)

    def _with_locks(self, locks: Iterable[Lock]) -> list[Domain]:
        """The domains that operations with these locks are on."""
        found = (self._host.domains.with_lock(lock) for lock in locks)
        return list({each.uuid: each for each in found if each is not None}.values())

    async def _look_at_waiting(self) -> None:
        """Begin the next life of those whose time has come, and end those that are to have none."""
        self._next_lives.begin()
        for domain, _ in self._host.domains.waiting():
            if domain.final is None or self._must_wait(domain) or self._is_others(domain):
                continue
            try:
                await self._end(domain)
            except XendError as error:  # somebody else's operation was faster, for instance
                self._host.log(f"{domain.name} cannot be ended now: {error}")

    async def _end(self, domain: Domain) -> None:
        self._start(domain, await facts_of_end(self._host, domain, DestroyFacts, why=domain.final))

    async def _look_at(self, domain: Domain, info: DomainInfo | None) -> None:
        """Act on what has become of it; info: what was heard of it, None: nothing."""
        domid = domain.domid
        if domid is None or _is_well(domain, info) or self._must_wait(domain) or self._is_others(domain):
            return
        try:
            # What was heard may be old: a domain that was made since is not in it, one that was ended is.
            fresh = await self._host.hypervisor.domain(domid)
            if not self._is_others(domain):
                await self._look_after(domain, fresh)
        except XendError as error:  # somebody else's operation was faster, for instance
            self._host.log(f"{domain.name} (domain {domain.domid}) cannot be looked after now: {error}")

    def _is_others(self, domain: Domain) -> bool:
        """Whether an operation works on it, or it is no longer the one that is known."""
        is_known = self._host.domains.by_uuid(domain.uuid) is domain
        return not is_known or self._operations.holder(domain.locks) is not None

    async def _look_after(self, domain: Domain, info: DomainInfo | None) -> None:
        if info is not None and not is_domain(info, domain.uuid):
            await self._forget(domain)
        elif info is None or info.is_dying:
            await self._reap(domain)
        elif info.is_shutdown and not domain.seen_shutdown:
            await self._ended(domain, info)

    async def _forget(self, domain: Domain) -> None:
        """It went with a host that was started again: only what is called after its UUID is its own."""
        assert domain.domid is not None
        reason = f"domid {domain.domid} is another domain's now"
        self._host.log(f"{domain.name} (domain {domain.domid}) is gone: {reason}")
        with explained("remove its nodes", domain.name):
            await nodes.remove_vm(self._host.store, domain.domid, domain.uuid)
        self._host.domains.forget(domain.uuid)
        self._failures.pop(domain.uuid, None)
        self._host.publish(
            "domain", "reaped", domid=domain.domid, name=domain.name, uuid=domain.uuid, reason=reason
        )

    async def _reap(self, domain: Domain) -> None:
        if domain.final is not None:
            await self._end(domain)
            return
        if (cut_off := self._cut_off.get(domain.uuid)) is not None:
            self._start(domain, cut_off)
            return
        reason = "destroyed by others than xend, or killed by the hypervisor"
        self._host.log(f"{domain.name} (domain {domain.domid}) is gone: {reason}")
        self._start(domain, await facts_of_end(self._host, domain, ReapFacts, why=reason))

    async def _ended(self, domain: Domain, info: DomainInfo) -> None:
        event = reason_name(info)
        if is_suspended(info) and domain.may_suspend:
            self._host.log(f"{domain.name} (domain {domain.domid}) suspended itself late: it is resumed")
            self._start(domain, ResumeFacts(name=domain.name, uuid=domain.uuid, domid=domain.domid))
            return
        action = action_of(self._host, domain, event)
        what = "crashed" if event == "crash" else "shutdown"
        if domain.uuid not in self._failures:
            note = why_not_reset(domain, event, action)
            self._host.log(f"{domain.name} (domain {domain.domid}) has shut down: {event}; {action}{note}")
            self._host.publish(
                "domain", what, domid=domain.domid, name=domain.name, uuid=domain.uuid, reason=event
            )
        if action == "preserve":
            domain.seen_shutdown = True
            self._host.domains.save(domain)
            return
        facts = await facts_of_action(self._host, self._operations, domain, event, action)
        if isinstance(facts, RestartFacts):
            self._host.publish("domain", "restarting", domid=domain.domid, name=domain.name, uuid=domain.uuid)
        self._start(domain, facts)


def _is_well(domain: Domain, info: DomainInfo | None) -> bool:
    """Whether there is nothing to do for it, for all that was heard."""
    if not is_domain(info, domain.uuid) or info.is_dying:
        return False
    return domain.seen_shutdown or not info.is_shutdown
