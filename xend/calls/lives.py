"""The lives of a domain, as calls decide on them: that this one is the last, or that the next begins now.

A domain is between two lives from its end until the next one has begun, whether it waits or an operation
works on it.  Who ends it then marks it first: whatever stops meanwhile, xend included, no life follows.
"""

import os
from collections.abc import Awaitable, Callable

import attrs

from xend.calls.operating import Operating
from xend.calls.targets import Between, Target, Targets
from xend.config import DomainConfig
from xend.domain.create import Creation
from xend.domain.destroy import destroy_facts, destroy_plan
from xend.domain.restart import BETWEEN, is_about_to_restart, next_life_facts, next_life_plan
from xend.domain.source import Source
from xend.errors import XendError
from xend.host import Host
from xend.operation.running import Operation
from xend.operation.steps import Plan, Work

#: Kinds that do nothing but end a domain, whoever began them.
DESTROYING = ("domain.destroy", "domain.reap")


class Lives:
    """Decides on them, over a host.

    acted_on: waits until what follows the end of a domain, by its domid, has been done.
    """

    def __init__(
        self, host: Host, operating: Operating, targets: Targets, acted_on: Callable[[int], Awaitable[object]]
    ) -> None:
        self._host = host
        self._acted_on = acted_on
        self._operating = operating
        self._targets = targets

    def is_between(self, target: Target | Between) -> bool:
        """Whether a domain is between two lives: it has ended, and has not been started again."""
        if isinstance(target, Between) or self._operating.is_held(target.locks, BETWEEN):
            return True
        domain = target.managed
        return domain is not None and is_about_to_restart(self._host, domain, target.info)

    async def last(
        self, target: Target | Between, why: str, is_dry: bool = False
    ) -> tuple[Plan, list[str]] | Operation:
        """The plan that ends a domain for good, once nothing else is at it; or what has ended it meanwhile.

        why: for people, where it is between two lives.
        """
        is_between = self.is_between(target)
        while True:
            domain, is_held = self._host.domains.by_uuid(target.uuid), self._operating.is_held(target.locks)
            if not is_dry and domain is not None and (is_between or is_held):
                self._host.domains.end(domain, why)
            if not is_dry and is_held:
                ended = await self._operating.take_from_others(target.locks, DESTROYING)
                if ended is not None and self._host.domains.by_uuid(target.uuid) is None:
                    return ended
                continue
            domid = target.domid if domain is None else domain.domid
            facts = await destroy_facts(self._host, domid, target.uuid, target.name)
            if is_dry or not self._operating.is_held(target.locks):
                facts["why"] = why if is_between else None
                return destroy_plan(self._host, facts), target.locks

    async def begin_next(self, target: Target | Between) -> tuple[Plan, list[str]] | Operation:
        """The plan that begins the next life of a domain that waits for it; or what has begun it meanwhile.

        Raises:
            XendError: no_such_domain: it was ended meanwhile; wrong_state: it lives again.
        """
        begun: Operation | None = None
        while self.is_between(target):
            if (holder := self._operating.holder(target.locks)) is not None:
                begun = holder
                await holder.ended.wait()
            elif target.domid is not None:
                await self._acted_on(target.domid)
            else:
                domain = self._host.domains.by_uuid(target.uuid)
                if domain is not None and domain.waiting is not None:
                    facts = next_life_facts(domain, domain.waiting)
                    return next_life_plan(self._host, facts), domain.locks
            target = await self._targets.find_any(target.uuid)
        if begun is None:
            raise XendError("wrong_state", f"{target.name} has just been started again", domain=target.name)
        return begun

    async def replaced(self, config: DomainConfig, source: Source) -> Target | Between | None:
        """The domain between two lives, made of the same file, in whose place a new one may be created."""
        domain = self._host.domains.by_name(config.name)
        if domain is None or not _is_same_file(domain.source, source):
            return None
        target = await self._targets.find_any(domain.uuid)
        return target if self.is_between(target) else None

    async def make_room(self, target: Target | Between, config: DomainConfig, source: Source) -> Source:
        """End a domain that is replaced; what the new one is made of: it keeps the UUID.

        Raises:
            XendError: the new one could not be created; the other is as it was.
        """
        if config.uuid is None:
            source = attrs.evolve(source, uuid=target.uuid)
        if source.uuid == target.uuid:
            await Creation(self._host, source).check(Work({}))

        async def plan() -> tuple[Plan, list[str]] | Operation:
            return await self.last(target, f"replaced by a new one of {source.file}")

        await self._operating.operate(plan)
        return source


def _is_same_file(one: Source, other: Source) -> bool:
    """Whether both were read from the same file, by whatever path."""
    paths = [_path(each) for each in (one, other)]
    if None in paths:
        return False
    first, second = map(str, paths)
    try:
        return first == second or os.path.samefile(first, second)
    except OSError:  # it is no longer there
        return False


def _path(source: Source) -> str | None:
    return os.path.normpath(source.path) if source.path and os.path.isabs(source.path) else None
