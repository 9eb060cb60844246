"""All operations: started, one at a time for each domain, and recovered where a crash cut them off."""

import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import trio

from xend.errors import XendError
from xend.faults import as_xend_error
from xend.operation.known import KnownOperations
from xend.operation.record import Records, checked
from xend.operation.running import ENDED, Operation, told
from xend.operation.steps import Plan
from xend.operation.words import called

#: Makes a plan anew from the facts of a record.
Planner = Callable[[dict[str, Any]], Plan]


#: Kinds that may take long, and that whoever destroys the domain ends with it.
ASKING = ("domain.shutdown", "domain.reboot", "domain.restart", "domain.next_life")


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
        self._known = KnownOperations(wall_clock, self._remove_record)
        self._locks: dict[str, Operation] = {}
        #: Those that ended and whose record says that they run: it could not be written.
        self._unrecorded: dict[str, Operation] = {}
        self._last = 0
        self._is_stopping = False
        self._nursery: trio.Nursery | None = None

    def all(self) -> list[Operation]:
        """Those that are known, in the order in which they began."""
        return self._known.all()

    def serve_in(self, nursery: trio.Nursery) -> None:
        """Operations run in this nursery from now on."""
        self._nursery = nursery

    def find(self, operation_id: str) -> Operation:
        """One by its id.

        Raises:
            XendError: no_such_operation.
        """
        return self._known.find(operation_id)

    def with_key(self, key: str | None) -> Operation | None:
        """The operation that was started with this key before, if it is still known."""
        return self._known.with_key(key)

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
                f"{called(holder.plan.kind)} of {name} is running (operation {holder.id}: {doing})",
                domain=name,
                hint=f"wait for it{ends}",
            )

    def start(self, plan: Plan, locks: Iterable[str] = (), key: str | None = None) -> Operation:
        """Start an operation that holds locks until it has ended.

        Raises:
            XendError: busy; internal: it cannot be recorded; cancelled: xend is ending.  Nothing has
                happened then.
        """
        locks = list(locks)
        self.check_free(locks)
        operation = self._made(self._new_id(), plan, key, self._wall_clock(), locks)
        self._records.write(operation)
        self._run(operation, operation.run)
        # Nothing may fail from here on: what is entered and locked here, its end lets go.
        self._hold(operation)
        self._tell("started", operation)
        return operation

    def stop(self) -> None:
        """xend ends: operations that run are left as they stand, for another xend to end."""
        self._is_stopping = True
        self._record_late()

    # --- after a crash ------------------------------------------------------------------------------------

    def recover(self) -> None:
        """Undo or resume what an xend before this one had not ended, and remember what it had."""
        for operation_id, fields in list(self._records.read()):
            try:
                self._recover(operation_id, fields)
            except Exception as error:
                self._cannot_recover(operation_id, fields or {}, error)
        self._known.forget_old()

    def _recover(self, operation_id: str, fields: dict[str, Any] | None) -> None:
        if fields is None:
            raise XendError("internal", "not a record")
        if checked(fields, "state", "step")["state"] in ENDED:
            self._recall(operation_id, fields)
            return
        plan = self.planners[fields["kind"]](fields["facts"])
        operation = self._recovered(operation_id, plan, fields)
        operation.step, operation.state = fields["step"], fields["state"]
        doing = plan.steps[max(operation.step, 0)].name
        self._run(operation, operation.take_up)
        self._hold(operation)
        self._log(f"{plan.kind} {plan.domain} was cut off at '{doing}': {plan.on_crash} it")

    def _recall(self, operation_id: str, fields: dict[str, Any]) -> None:
        """Remember one that has ended."""
        checked(fields, "steps", "ended", "result", "error")
        steps = [told(name) for name in fields["steps"]]
        plan = Plan(
            kind=fields["kind"], domain=fields["domain"], facts=fields["facts"], steps=steps, on_crash="undo"
        )
        operation = self._recovered(operation_id, plan, fields)
        operation.ended_at = float(fields["ended"])
        operation.work.result = fields["result"]
        error = fields["error"]
        operation.remember(
            fields["state"], None if error is None else XendError.from_map(error), fields["step"]
        )
        self._known.enter(operation)
        self._known.ended(operation)

    def _recovered(self, operation_id: str, plan: Plan, fields: dict[str, Any]) -> Operation:
        """An operation as its record has it; the ids of those to come are higher."""
        checked(fields, "key", "started", "locks")
        self._last = max(self._last, int(operation_id, 16))
        operation = self._made(operation_id, plan, fields["key"], fields["started"], list(fields["locks"]))
        operation.work.warnings = [XendError.from_map(each) for each in fields.get("warnings", ())]
        return operation

    def _cannot_recover(self, operation_id: str, fields: dict[str, Any], error: Exception) -> None:
        """It fails here, and is not tried again: what is left of its domain is for people to see to."""
        domain = _domain_of(fields)
        of_whom = f" ({fields.get('kind')} of {domain})" if domain else ""
        self._log(
            f"operation {operation_id}{of_whom}: its record cannot be used ({error!r}); dropped"
            + (f": xl list shows what is left of {domain}, xl destroy {domain} ends it" if domain else "")
        )
        self._remove_record(operation_id)
        if not domain:
            return
        try:
            plan = Plan(kind=str(fields["kind"]), domain=domain, facts={}, steps=[], on_crash="undo")
            operation = self._recovered(operation_id, plan, {**fields, "warnings": ()})
            self._known.enter(operation)
        except Exception:  # not even that is in it, and the log has told
            return
        operation.give_up(
            XendError(
                "internal",
                f"xend died amid the {called(plan.kind)} of {domain}, and this xend cannot go on with it",
                domain=domain,
                cause=repr(error),
                hint=f"xl list shows what is left of {domain}, xl destroy {domain} ends it",
            )
        )

    # --- what they share ----------------------------------------------------------------------------------

    def _made(
        self, operation_id: str, plan: Plan, key: str | None, started: float, locks: list[str]
    ) -> Operation:
        operation = Operation(operation_id, plan, key, started)
        operation.locks = locks
        operation.on_change = self._changed
        operation.log = self._log
        operation.may_cancel = lambda: not self._is_stopping
        return operation

    def _run(self, operation: Operation, body: Callable[[], Awaitable[None]]) -> None:
        """Have it run, from the next checkpoint on.

        Raises:
            XendError: cancelled: xend is ending.
        """
        assert self._nursery is not None
        try:
            self._nursery.start_soon(body)
        except RuntimeError as error:
            self._remove_record(operation.id)
            plan = operation.plan
            raise XendError(
                "cancelled",
                f"{called(plan.kind)} of {plan.domain} was not begun: xend is ending",
                domain=plan.domain,
            ) from error

    def _hold(self, operation: Operation) -> None:
        """It is known, and has its locks."""
        self._known.enter(operation)
        for lock in operation.locks:
            self._locks[lock] = operation

    def _changed(self, operation: Operation, what: str) -> None:
        """Record and tell it.

        Raises:
            XendError: internal: a step is not to begin that is not on record.
        """
        if what == "step":
            self._records.write(operation)
            self._record_late()
        elif what == "undoing":
            self._record(operation)
        elif what in ENDED:
            self._let_go(operation)
        self._tell(what, operation)
        if what in ("step", "undoing"):
            self._on_step(operation)

    def _let_go(self, operation: Operation) -> None:
        for lock in operation.locks:
            if self._locks.get(lock) is operation:
                del self._locks[lock]
        operation.ended_at = self._wall_clock()
        if not self._record(operation):
            # What is on disk says that it runs: another xend would undo what was done.
            self._remove_record(operation.id)
            self._unrecorded[operation.id] = operation
        self._known.ended(operation)

    def _record(self, operation: Operation) -> bool:
        """Whether it could be recorded."""
        try:
            self._records.write(operation)
        except XendError as error:
            self._log(f"operation {operation.id}: {error}")
            return False
        return True

    def _record_late(self) -> None:
        """The disk has room again, as it seems: the ends that could not be recorded, those still known."""
        for operation_id in list(self._unrecorded):
            operation = self._unrecorded[operation_id]
            if not self._record(operation):
                return
            del self._unrecorded[operation_id]
            if operation not in self._known:
                self._remove_record(operation_id)

    def _remove_record(self, operation_id: str) -> None:
        try:
            self._records.remove(operation_id)
        except OSError as error:
            self._log(f"operation {operation_id}: its record cannot be removed: {error.strerror}")

    def _tell(self, what: str, operation: Operation) -> None:
        """Whoever is told cannot keep an operation from going on."""
        try:
            self._publish(what, operation)
        except Exception as error:
            as_xend_error(error, f"telling of {operation.plan.kind} {operation.plan.domain}", self._log)

    def _new_id(self) -> str:
        """Rises with time, even if xend was restarted; all have the same length, so that they sort."""
        self._last = max(self._last + 1, int(self._wall_clock() * 1000))
        return f"{self._last:012x}"


def _domain_of(fields: dict[str, Any]) -> str | None:
    """The domain's name that a record has; None: it has none."""
    domain = fields.get("domain")
    return domain if isinstance(domain, str) and domain else None
