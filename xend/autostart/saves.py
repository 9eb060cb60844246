"""Saves domains as the host stops: those whose configuration says so, or all, as far as there is room."""

import trio

from xend.autostart.acts import Known
from xend.autostart.chosen import key_of
from xend.autostart.ending import IN_THE_WAY
from xend.autostart.rows import Row
from xend.autostart.saved import SavedDirectory
from xend.device.nodes import value_of
from xend.domain.nodes import home
from xend.domain.registry import Domain
from xend.domain.save import SaveFacts, save_facts
from xend.domain.save_path import free_kib
from xend.domain.suspending import is_suspended
from xend.domain.target import Target
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import DomainInfo
from xend.identity import is_domain
from xend.operation.registry import OperationRegistry
from xend.operation.running import Operation
from xend.refusals import explained

#: Domains that are written at the same time: more than these wait for the same disk.
PARALLEL = 2
#: Of the deadline of all: for guests to suspend themselves, and as slow a disk as is waited for.
SUSPEND_SECONDS, MIB_PER_SECOND = 90.0, 20
#: What a file has besides memory, at most.
_FRONT_KIB = 1024


class Saves:
    """One call's saves.

    Args:
        everyone: also those whose configuration says nothing.

    Attributes:
        why_not: by `key_of`, why one that was to be saved is not, for people.
    """

    def __init__(self, host: Host, operations: OperationRegistry, *, everyone: bool) -> None:
        self._host = host
        self._operations = operations
        self._everyone = everyone
        self._limiter = trio.CapacityLimiter(PARALLEL)
        self.directory = SavedDirectory(host)
        self.why_not: dict[str, str] = {}

    def is_wanted(self, target: Known) -> bool:
        """Whether a domain is to be saved; one that has ended, or is paused, cannot be."""
        if target.managed is None or target.info is None or key_of(target) in self.why_not:
            return False
        choice = target.managed.config.on_shutdown
        return (choice == "save" or (choice is None and self._everyone)) and _can_be(target.info)

    def seconds(self, targets: list[Known]) -> float:
        """How much longer than without it may take."""
        kib = [each.info.memory_kib for each in targets if each.info is not None and self.is_wanted(each)]
        return SUSPEND_SECONDS + sum(kib) / 1024 / MIB_PER_SECOND if kib else 0.0

    def find_room(self, targets: list[Known]) -> None:
        """Say of those for whose files there is no room that they are not saved.

        targets: in the order in which they go down.
        """
        wanted = [each for each in targets if self.is_wanted(each)]
        if not wanted:
            return
        try:
            self.directory.make()
            left = free_kib(self.directory.path)
        except XendError as error:
            self.why_not |= {key_of(each): str(error) for each in wanted}
            return
        for each in wanted:
            assert each.info is not None
            need = each.info.memory_kib + _FRONT_KIB
            if need > left:
                self.why_not[key_of(each)] = (
                    f"{self.directory.path} has {left // 1024} MiB left for a file of {need // 1024} MiB"
                )
            else:
                left -= need

    async def save(self, target: Known, deadline: float) -> Row | None:
        """Save one that is wanted; None: it was not (see `why_not`), or is gone."""
        async with self._limiter:
            if trio.current_time() >= deadline:
                self.why_not[key_of(target)] = "there was no time left for it"
                return None
            try:
                operation = await self._begin(target)
                if operation is None:
                    return None
                with trio.move_on_at(deadline) as scope:
                    await operation.ended.wait()
                if scope.cancelled_caught:
                    operation.cancel()
                    await operation.ended.wait()
                    if operation.error is not None:
                        self.why_not[key_of(target)] = "it took too long"
                        return None
                result = await operation.outcome()
            except XendError as error:
                self.why_not[key_of(target)] = str(error)
                return None
        warnings = [XendError.from_map(each) for each in result["warnings"]]
        return Row(
            name=target.name,
            outcome="saved",
            domid=target.domid,
            reason="; ".join(map(str, warnings)) or None,
            error=next(iter(warnings), None),
        )

    async def _begin(self, target: Known) -> Operation | None:
        """Its save, once nothing else is at it; None: it is gone, or cannot be saved any more.

        Raises:
            XendError: why it cannot be.
        """
        while True:
            await self._clear(target)
            domain = self._host.domains.by_uuid(target.uuid)
            if domain is None or domain.domid is None:
                return None
            with explained("look at it", target.name):
                info = await self._host.hypervisor.domain(domain.domid)
            if not is_domain(info, target.uuid) or not _can_be(info):
                return None
            await self._check_says_so(domain)
            now = Target(info=info, name=domain.name, managed=domain)
            path = self.directory.path_of(domain.name)
            facts = await save_facts(self._host, now, domain, path, "destroy", domain.source)
            if self._operations.holder(target.locks) is None:
                return self._operations.start(facts)

    async def _check_says_so(self, domain: Domain) -> None:
        """Whom nobody asked to be saved is not waited for in vain: NetBSD's kernels never suspend themselves.

        Raises:
            XendError: wrong_state.
        """
        if domain.config.on_shutdown == "save":  # Linux of before 2017 can, and does not say so
            return
        with explained("look at what its kernel can", domain.name):
            feature = await value_of(self._host.store, f"{home(domain.domid or 0)}/control/feature-suspend")
        if feature != b"1":
            raise XendError(
                "wrong_state",
                "its kernel does not say that it can suspend itself (control/feature-suspend); "
                'on_shutdown = "save" in its configuration has it tried',
                domain=domain.name,
            )

    async def _clear(self, target: Known) -> None:
        """Nothing works on it: what takes long and is pointless now is cancelled."""
        while (holder := self._operations.holder(target.locks)) is not None:
            if holder.kind.effect in IN_THE_WAY:
                holder.cancel()
            await holder.ended.wait()


def drafts(operations: OperationRegistry) -> set[str]:
    """Names of the files that operations are writing."""
    running = [each.work.facts for each in operations.all() if not each.ended.is_set()]
    return {facts.draft for facts in running if isinstance(facts, SaveFacts)}


def _can_be(info: DomainInfo) -> bool:
    return is_suspended(info) or not (info.is_paused or info.is_shutdown or info.is_dying)
