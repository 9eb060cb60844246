"""Begins the next life of domains that wait for it, each at its time; what fails is tried again later."""

import math

import attrs
import trio

from xend.domain.registry import Domain
from xend.domain.restart import next_life_facts, publish_waiting
from xend.domain.waiting import Waiting, wait_seconds
from xend.errors import XendError
from xend.host import Host
from xend.operation.registry import OperationRegistry


class NextLives:
    """Those of this host's domains."""

    def __init__(self, host: Host, operations: OperationRegistry) -> None:
        self._host = host
        self._operations = operations

    def due(self) -> float:
        """When `begin` has something to do, on trio's clock."""
        return min((self._due_at(waiting) for _, waiting in self._waiting()), default=math.inf)

    def begin(self) -> None:
        """Begin those whose time has come."""
        now = trio.current_time()
        for domain, waiting in self._waiting():
            if now >= self._due_at(waiting):
                self._begin(domain, waiting)

    def failed(self, domain: Domain, waiting: Waiting, error: XendError) -> None:
        """A domain's next life could not begin: it is tried again, ever later."""
        domain.restarts += 1
        wait_s = wait_seconds(domain.restarts)
        next_try = self._host.wall_clock() + wait_s
        domain.waiting = attrs.evolve(
            waiting, next_try=next_try, wait_s=wait_s, error=error.as_map(), due=None
        )
        publish_waiting(self._host, domain.uuid)
        try:
            self._host.domains.save(domain)
        except XendError as refusal:
            self._host.log(f"{domain.name}: {refusal}")

    def _begin(self, domain: Domain, waiting: Waiting) -> None:
        try:
            self._operations.start(next_life_facts(domain, waiting))
        except XendError as error:  # it cannot be recorded, for instance
            self._host.log(f"{domain.name} cannot be started again now: {error}")
            self.failed(domain, waiting, error)

    def _waiting(self) -> list[tuple[Domain, Waiting]]:
        """Those that nobody works on, and that are to live again."""
        domains = self._host.domains
        return [
            (domain, waiting)
            for domain, waiting in domains.waiting()
            if not domains.is_last_life(domain) and self._operations.holder(domain.locks) is None
        ]

    def _due_at(self, waiting: Waiting) -> float:
        if waiting.due is None:
            waiting.due = trio.current_time() + waiting.left_s(self._host.wall_clock())
        return waiting.due
