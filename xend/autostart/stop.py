"""Takes domains down: each after those that need it, others at the same time, all within one deadline."""

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import trio

from xend.autostart.acts import Known
from xend.autostart.chosen import Down, key_of
from xend.autostart.ending import IN_THE_WAY, LastResort, StopFacts
from xend.autostart.rows import Publish, Row, failed
from xend.autostart.saves import Saves
from xend.domain.destroy import devices_to_remove
from xend.domain.device_model import has_model
from xend.domain.shutdown import reason_name
from xend.errors import XendError
from xend.host import Host
from xend.hypervisor import DomainInfo
from xend.identity import is_domain
from xend.operation.kind import Effect
from xend.operation.registry import OperationRegistry
from xend.operation.running import Operation
from xend.refusals import explained

#: How long all may take, in seconds: so long, and so much more for each domain (NetBSD's rc.d/xendomains).
BASE_SECONDS = 60.0
EACH_SECONDS = 5.0
#: What of it, a third at most, is left for those to shut down that could not be saved, in seconds.
AFTER_SAVE_SECONDS = 60.0
#: The part of that time for which one domain waits for others that need it.  Then it is asked all the same: a
#: guest that hangs shall not have others destroyed that were never asked.
WAITING_PART = 2 / 3


async def clear_way(operations: OperationRegistry, is_meant: Callable[[str], bool]) -> None:
    """Cancel what is about to bring up a domain that nobody can see yet; is_meant: by its name."""
    cancelled = [
        operation
        for operation in operations.all()
        if operation.kind.effect is Effect.MAKES
        and not operation.ended.is_set()
        and is_meant(operation.domain)
    ]
    for operation in cancelled:
        operation.cancel()
    for operation in cancelled:
        await operation.ended.wait()


class Stopping:
    """One call's work.

    seconds: for all; None: as many as there are domains, and as much memory to be saved.
    saves: those of them that are saved, not shut down.
    """

    def __init__(
        self,
        host: Host,
        operations: OperationRegistry,
        down: Down,
        seconds: float | None,
        last_resort: LastResort,
        saves: Saves,
        publish: Publish,
    ) -> None:
        self._host = host
        self._operations = operations
        self._down = down
        self._saves = saves
        self._seconds = seconds or sum(
            (BASE_SECONDS, EACH_SECONDS * len(down.order), saves.seconds(down.order))
        )
        self._last_resort = last_resort
        self._publish = publish
        self._gone = {key_of(each): trio.Event() for each in down.order}
        self._rows: dict[str, Row] = {}

    async def run(self) -> list[Row]:
        """Stop them; returns a row for each."""
        now = trio.current_time()
        self._deadline = now + self._seconds
        self._wait_until = now + self._seconds * WAITING_PART
        self._save_until = self._deadline - min(AFTER_SAVE_SECONDS, self._seconds / 3)
        self._saves.find_room(self._down.order)
        # What ends while it waits for its turn is not to be started again.
        uuids = {target.uuid for target in self._down.order if target.managed is not None}
        self._host.domains.ending |= uuids
        try:
            async with trio.open_nursery() as nursery:
                for target in self._down.order:
                    await nursery.start(self._stop, target)
        finally:
            self._host.domains.ending -= uuids
        return [self._rows[key_of(target)] for target in self._down.order]

    async def _stop(self, target: Known, *, task_status: trio.TaskStatus[None]) -> None:
        dependents = self._down.dependents[key_of(target)]
        if dependents:
            names = ", ".join(each.name for each in dependents)
            self._publish("waiting", target.name, domid=target.domid, reason=f"for {names} to be down")
            task_status.started()
            with trio.move_on_at(self._wait_until):
                await self._all_gone(target)
        is_saved = self._saves.is_wanted(target)
        self._publish("saving" if is_saved else "stopping", target.name, domid=target.domid)
        if not dependents:
            task_status.started()
        try:
            row = await self._saved(target) if is_saved else None
            row = row or await self._end(target)
        except XendError as error:
            row = failed(target.name, error)
        if (why := self._saves.why_not.get(key_of(target))) is not None:
            reasons = [f"it could not be saved: {why}", *filter(None, [row.reason])]
            row = attrs.evolve(row, reason="; ".join(reasons))
        self._rows[key_of(target)] = row.published(self._publish)
        self._gone[key_of(target)].set()

    async def _saved(self, target: Known) -> Row | None:
        row = await self._saves.save(target, self._save_until)
        if row is None:
            self._publish("stopping", target.name, domid=target.domid)
        return row

    async def _all_gone(self, target: Known) -> None:
        for each in self._down.dependents[key_of(target)]:
            await self._gone[key_of(each)].wait()

    async def _end(self, target: Known) -> Row:
        """Have it ended, by an operation of ours or of another's that is at it already."""
        while True:
            operation = self._operations.holder(target.locks)
            if operation is None:
                operation = await self._begin(target)
            if operation is None:
                return Row(name=target.name, outcome="down", domid=target.domid)
            if operation.kind.facts is StopFacts:
                return await self._outcome(target, operation)
            if operation.kind.effect in IN_THE_WAY:
                operation.cancel()
            await operation.ended.wait()

    async def _begin(self, target: Known) -> Operation | None:
        """The operation that ends it, or one that was there first; None: it is gone."""
        info = await self._info(target)
        domain = self._host.domains.by_uuid(target.uuid)
        if info is None and domain is None:
            return None
        domid = info.domid if info is not None else domain.domid if domain is not None else None
        devices = await devices_to_remove(self._host, domid, target.name)
        holder = self._operations.holder(target.locks)
        if holder is not None:
            return holder
        return self._operations.start(
            StopFacts(
                name=target.name,
                uuid=target.uuid,
                domid=domid,
                devices=devices,
                has_model=has_model(self._host, domid),
                turn=partial(self._all_gone, target),
                **self._how(target, info),
            )
        )

    def _how(self, target: Known, info: DomainInfo | None) -> dict[str, Any]:
        """What of its facts says whether it can be asked, and what it comes to else."""
        outcome, why = "down", None
        if info is None:
            why = "it was between two lives"
        elif info.is_shutdown:
            event = reason_name(info)
            outcome = "destroyed" if event == "crash" else "down"
            why = f"it had shut down already ({event})"
        elif info.is_paused:
            outcome, why = "destroyed", "it was paused, and could not hear"
        return {
            "ask": info is not None and why is None and not info.is_dying,
            "seconds": max(0.0, self._deadline - trio.current_time()),
            "last_resort": self._last_resort,
            "outcome": outcome,
            "why": why,
        }

    async def _info(self, target: Known) -> DomainInfo | None:
        """The domain now, None: it does not live; a restart may have given it another domid."""
        domain = self._host.domains.by_uuid(target.uuid)
        domid = target.domid if domain is None else domain.domid
        if domid is None:
            return None
        with explained("look at it", target.name):
            info = await self._host.hypervisor.domain(domid)
        return info if is_domain(info, target.uuid) else None

    async def _outcome(self, target: Known, operation: Operation) -> Row:
        try:
            result = await operation.outcome()
        except XendError as error:
            return await self._failed(target, operation, error)
        warnings = [XendError.from_map(each) for each in result["warnings"]]
        reasons = [*filter(None, [result["why"]]), *map(str, warnings)]
        return Row(
            name=target.name,
            outcome=result["outcome"],
            domid=result["domid"],
            reason="; ".join(reasons) or None,
            error=next(iter(warnings), None),
        )

    async def _failed(self, target: Known, operation: Operation, error: XendError) -> Row:
        """It may be gone all the same: a device that did not close does not keep it."""
        if error.code == "cancelled":  # somebody destroys it
            outcome = "destroyed"
        elif await self._info(target) is None:
            outcome = operation.work.result.get("outcome", "destroyed")
        elif error.code == "no_answer" and self._last_resort == "leave":
            outcome = "left"
        else:
            return failed(target.name, error)
        return Row(name=target.name, outcome=outcome, domid=target.domid, reason=str(error))
