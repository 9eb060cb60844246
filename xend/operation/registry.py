"""All operations: those that run, and those that ended a while ago."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import trio
from sortedcontainers import SortedDict

from xend.errors import XendError
from xend.operation.record import Records
from xend.operation.running import ENDED, Operation
from xend.operation.steps import Plan

#: How long an operation that ended is remembered, in seconds, and how many at most.
REMEMBERED_SECONDS = 600.0
REMEMBERED_MAX = 2_000

#: Makes a plan anew from the facts of a record.
Planner = Callable[[dict[str, Any]], Plan]


#: Kinds that wait for a guest; who destroys it does not wait with them.
ASKING = ("domain.shutdown", "domain.reboot")


class Operations:
    """Starts operations, one at a time for each domain; recovers those that a crash cut off.

    planners: by kind of operation.
    publish: told of each change, as `publish(what, operation)`.
    on_step: called before each step takes place, for tests that kill xend there.
    """

    def __init__(
        self,
        directory: Path,
        publish: Callable[[str, Operation], object],
        log: Callable[[str], object],
        wall_clock: Callable[[], float] = time.time,
        on_step: Callable[[Operation], object] = lambda operation: None,
    ) -> None:
        self.planners: dict[str, Planner] = {}
        self._records = Records(directory)
        self._publish = publish
        self._log = log
        self._wall_clock = wall_clock
        self._on_step = on_step
        self._all: SortedDict[str, Operation] = SortedDict()
        self._by_key: dict[str, Operation] = {}
        self._locks: dict[str, Operation] = {}
        self._last = 0
        self._is_stopping = False
        self._nursery: trio.Nursery | None = None

    def all(self) -> list[Operation]:
        """Those that are known, in the order in which they began."""
        return list(self._all.values())

    def serve_in(self, nursery: trio.Nursery) -> None:
        """Operations run in this nursery from now on."""
        self._nursery = nursery

    def find(self, operation_id: str) -> Operation:
        """One by its id.

        Raises:
            XendError: no_such_operation.
        """
        try:
            return self._all[operation_id]
        except KeyError:
            raise XendError("no_such_operation", f"operation {operation_id} does not exist") from None

    def with_key(self, key: str | None) -> Operation | None:
        """The operation that was started with this key before, if it is still known."""
        return None if key is None else self._by_key.get(key)

    def on_domain(self, lock: str) -> Operation | None:
        """The operation that holds a lock."""
        return self._locks.get(lock)

    def holder(self, locks: Iterable[str]) -> Operation | None:
        """The operation that holds one of these locks."""
        return next((self._locks[lock] for lock in locks if lock in self._locks), None)

    def check_free(self, locks: Iterable[str]) -> None:
        """See that nobody holds these locks.

        Raises:
            XendError: busy, naming the operation that does.
        """
        holder = self.holder(locks)
        if holder is not None:
            doing = holder.plan.steps[max(holder.step, 0)].name
            name = holder.plan.domain
            ends = f", or xl destroy {name} ends both" if holder.plan.kind in ASKING else ""
            raise XendError(
                "busy",
                f"{holder.plan.kind} of {name} is running (operation {holder.id}: {doing})",
                domain=name,
                hint=f"wait for it{ends}",
            )

    def start(self, plan: Plan, locks: Iterable[str] = (), key: str | None = None) -> Operation:
        """Start an operation that holds locks until it has ended.

        Raises:
            XendError: busy.
        """
        self.check_free(locks)
        operation = self._enter(self._new_id(), plan, key, self._wall_clock())
        operation.locks = list(locks)
        assert self._nursery is not None
        self._lock(operation)
        self._write(operation)
        self._publish("started", operation)
        self._nursery.start_soon(operation.run)
        return operation

    def stop(self) -> None:
        """xend ends: operations that run are left as they stand, for another xend to end."""
        self._is_stopping = True

    def recover(self) -> None:
        """Undo or resume what an xend before this one had not ended, and remember what it had."""
        for operation_id, fields in list(self._records.read()):
            try:
                self._recover(operation_id, fields)
            except (KeyError, TypeError, XendError) as error:
                self._log(f"operation {operation_id}: its record cannot be used ({error!r}); dropped")
                self._records.remove(operation_id)

    def _recover(self, operation_id: str, fields: dict[str, Any] | None) -> None:
        if fields is None:
            raise XendError("internal", "not a record")
        plan = self.planners[fields["kind"]](fields["facts"])
        operation = self._enter(operation_id, plan, fields["key"], fields["started"])
        operation.step = fields["step"]
        operation.locks = fields["locks"]
        if fields["state"] in ENDED:
            operation.state = fields["state"]
            error = fields["error"]
            operation.error = None if error is None else XendError.from_map(error)
            operation.work.result = fields["result"]
            operation.ended.set()
            operation.close()
            return
        doing = plan.steps[max(operation.step, 0)].name
        self._log(f"{plan.kind} {plan.domain} was cut off at '{doing}': {plan.on_crash} it")
        self._lock(operation)
        assert self._nursery is not None
        self._nursery.start_soon(self._go_on, operation, fields["state"])

    async def _go_on(self, operation: Operation, state: str) -> None:
        """Undo or resume an operation that was cut off."""
        plan = operation.plan
        step = operation.step
        if plan.on_crash == "undo" or state == "undoing":
            operation.state = "undoing"
            await operation.undo(step)
            doing = plan.steps[max(step, 0)].name
            operation.end_undone(
                XendError("cancelled", f"xend died at '{doing}'; undone", domain=plan.domain, step=doing)
            )
            return
        first = max(step, 0)
        while first > 0 and plan.steps[first].undo is not None:
            first -= 1
        await operation.undo(step, first)
        await operation.run(first)

    def _enter(self, operation_id: str, plan: Plan, key: str | None, started: float) -> Operation:
        operation = Operation(operation_id, plan, key, started)
        operation.on_change = self._changed
        operation.log = self._log
        operation.may_cancel = lambda: not self._is_stopping
        self._all[operation_id] = operation
        if key is not None:
            self._by_key[key] = operation
        return operation

    def _lock(self, operation: Operation) -> None:
        for lock in operation.locks:
            self._locks[lock] = operation

    def _changed(self, operation: Operation, what: str) -> None:
        if what in ENDED:
            for lock in operation.locks:
                if self._locks.get(lock) is operation:
                    del self._locks[lock]
            self._forget_old()
        if what != "waiting":
            self._write(operation)
        self._publish(what, operation)
        if what in ("step", "undoing"):
            self._on_step(operation)

    def _write(self, operation: Operation) -> None:
        error = operation.error
        fields = {
            "kind": operation.plan.kind,
            "facts": operation.work.facts,
            "locks": operation.locks,
            "key": operation.key,
            "started": operation.started,
            "step": operation.step,
            "state": operation.state,
            "error": None if error is None else error.as_map(),
            "result": operation.work.result,
        }
        try:
            self._records.write(operation.id, fields)
        except OSError as refusal:
            if operation.state == "running":
                raise XendError(
                    "internal",
                    f"cannot record the operation: {refusal.strerror}",
                    cause=str(refusal.filename),
                ) from refusal
            self._log(f"operation {operation.id}: cannot be recorded: {refusal}")

    def _new_id(self) -> str:
        """Rises with time, even if xend was restarted; all have the same length, so that they sort."""
        self._last = max(self._last + 1, int(self._wall_clock() * 1000))
        return f"{self._last:012x}"

    def _forget_old(self) -> None:
        horizon = self._wall_clock() - REMEMBERED_SECONDS
        for operation_id, operation in list(self._all.items()):
            if operation.started > horizon and len(self._all) <= REMEMBERED_MAX:
                return
            if operation.state in ENDED:
                del self._all[operation_id]
                self._by_key.pop(operation.key or "", None)
                self._records.remove(operation_id)
