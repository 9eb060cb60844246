"""The lives of a domain, as calls decide on them: that this one is the last, or that the next begins now.

A domain is between two lives from its end until the next one has begun, whether it waits or an operation
works on it.  Who ends it then marks it first: whatever stops meanwhile, xend included, no life follows.
"""

import os
from collections.abc import Awaitable, Callable

import attrs

from xend.calls.starter import OperationStarter
from xend.config import DomainConfig
from xend.domain.create import CreateFacts, Creation
from xend.domain.destroy import DestroyFacts, devices_to_remove
from xend.domain.device_model import has_model
from xend.domain.restart import NextLifeFacts, is_about_to_restart, next_life_facts
from xend.domain.source import Source
from xend.domain.target import Between, Target
from xend.domain.targets import Targets
from xend.errors import XendError
from xend.host import Host
from xend.operation.kind import Effect
from xend.operation.running import Operation
from xend.operation.steps import Work


class Lives:
    """Decides on them, over a host.

    acted_on: waits until what follows the end of a domain, by its domid, has been done.
    """

    def __init__(
        self,
        host: Host,
        starter: OperationStarter,
        targets: Targets,
        acted_on: Callable[[int], Awaitable[object]],
    ) -> None:
        self._host = host
        self._acted_on = acted_on
        self._starter = starter
        self._operations = starter.operations
        self._targets = targets

    def is_between(self, target: Target | Between) -> bool:
        """Whether a domain is between two lives: it has ended, and has not been started again."""
        holder = self._operations.holder(target.locks)
        if isinstance(target, Between) or (holder is not None and holder.kind.effect is Effect.RESTARTS):
            return True
        domain = target.managed
        return domain is not None and is_about_to_restart(self._host, domain, target.info)

    async def last(
        self, target: Target | Between, why: str, is_dry: bool = False
    ) -> DestroyFacts | Operation:
        """What ends a domain for good, once nothing else is at it; or what has ended it meanwhile.

        why: for people, where it is between two lives.
        """
        is_between = self.is_between(target)
        while True:
            domain, is_held = self._host.domains.by_uuid(target.uuid), self._is_held(target)
            if not is_dry and domain is not None and (is_between or is_held):
                self._host.domains.end(domain, why)
            if not is_dry and is_held:
                ended = await self._starter.take_from_others(target.locks)
                if ended is not None and self._host.domains.by_uuid(target.uuid) is None:
                    return ended
                continue
            domid = target.domid if domain is None else domain.domid
            devices = await devices_to_remove(self._host, domid, target.name)
            if is_dry or not self._is_held(target):
                return DestroyFacts(
                    name=target.name,
                    uuid=target.uuid,
                    domid=domid,
                    devices=devices,
                    has_model=has_model(self._host, domid),
                    why=why if is_between else None,
                )

    async def begin_next(self, target: Target | Between) -> NextLifeFacts | Operation:
        """What begins the next life of a domain that waits for it; or what has begun it meanwhile.

        Raises:
            XendError: no_such_domain: it was ended meanwhile; wrong_state: it lives again.
        """
        begun: Operation | None = None
        while self.is_between(target):
            if (holder := self._operations.holder(target.locks)) is not None:
                begun = holder
                await holder.ended.wait()
            elif target.domid is not None:
                await self._acted_on(target.domid)
            else:
                domain = self._host.domains.by_uuid(target.uuid)
                if domain is not None and domain.waiting is not None:
                    return next_life_facts(domain, domain.waiting)
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
            facts = CreateFacts(name=config.name, uuid=source.uuid, source=source, paused=True)
            await Creation(self._host, facts).check(Work(facts))

        async def prepare() -> DestroyFacts | Operation:
            return await self.last(target, f"replaced by a new one of {source.file}")

        await self._starter.run(prepare)
        return source

    def _is_held(self, target: Target | Between) -> bool:
        """Whether an operation works on it."""
        return self._operations.holder(target.locks) is not None


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
