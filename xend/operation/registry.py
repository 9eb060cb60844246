"""All operations: started, one at a time for each domain, and recovered where a crash cut them off."""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import trio

from xend.errors import XendError
from xend.faults import as_xend_error
from xend.operation.facts import Facts
from xend.operation.kind import Effect, Kind
from xend.operation.known import KnownOperations
from xend.operation.locks import Lock
from xend.operation.record import Records
from xend.operation.recovery import Recovery, domain_of
from xend.operation.running import ENDED, Operation
from xend.operation.steps import Step

AnyKind = Kind[Any, Any]
#: What may take long, and what whoever destroys the domain ends with it.
_LONG = (Effect.ASKS, Effect.RESTARTS)


class OperationRegistry:
    """Starts operations, one at a time for each domain; recovers those that a crash cut off.

    Args:
        directory: of the records.
        kinds: the table of all kinds of operation.
        host: what the plans of these kinds are given besides the facts; called when a plan is made.
        publish: told of each change, as `publish(what, operation)`.
        on_step: called before each step takes place, for tests that kill xend there.

    Raises:
        Untrusted: somebody else could have made or changed the directory, or a record in it.
    """

    def __init__(
        self,
        directory: Path,
        kinds: Iterable[AnyKind],
        host: Callable[[], Any],
        publish: Callable[[str, Operation], object],
        log: Callable[[str], object],
        wall_clock: Callable[[], float] = time.time,
        on_step: Callable[[Operation], object] = lambda operation: None,
    ) -> None:
        self._kinds: Mapping[str, AnyKind] = {kind.name: kind for kind in kinds}
        self._host = host
        self._recovery = Recovery(self._kinds, host)
        self._records = Records(directory)
        self._publish = publish
        self._log = log
        self._wall_clock = wall_clock
        self._on_step = on_step
        self._known = KnownOperations(wall_clock, self._remove_record)
        self._locks: dict[Lock, Operation] = {}
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

    def holder(self, locks: Iterable[Lock]) -> Operation | None:
        """The operation that holds one of these locks."""
        return next((self._locks[lock] for lock in locks if lock in self._locks), None)

    def check_free(self, locks: Iterable[Lock]) -> None:
        """See that nobody holds these locks.

        Raises:
            XendError: busy, naming the operation that does.
        """
        holder = self.holder(locks)
        if holder is not None:
            name = holder.domain
            ends = f", or xl destroy {name} ends both" if holder.kind.effect in _LONG else ""
            raise XendError(
                "busy",
                f"{holder.kind.title} of {name} is running (operation {holder.id}: {holder.doing})",
                domain=name,
                hint=f"wait for it{ends}",
            )

    def kind_of(self, facts: Facts) -> AnyKind:
        """The row of the table that has these facts."""
        return self._kinds[facts.KIND]

    def locks_of(self, facts: Facts) -> list[Lock]:
        """What an operation with these facts holds."""
        return self.kind_of(facts).locks(facts)

    def steps_of(self, facts: Facts) -> Sequence[Step]:
        """The steps that an operation with these facts would take."""
        return self.kind_of(facts).plan(self._host(), facts)

    def start(self, facts: Facts, key: str | None = None) -> Operation:
        """Start an operation of the kind that has these facts; it holds its locks until it has ended.

        Args:
            key: the caller's idempotency key.

        Raises:
            XendError: busy; internal: it cannot be recorded; cancelled: xend is ending; what the plan of
                this kind raises.  Nothing has happened then.
        """
        kind = self.kind_of(facts)
        locks = kind.locks(facts)
        self.check_free(locks)
        steps = kind.plan(self._host(), facts)
        operation = Operation(self._new_id(), kind, facts, steps, key=key, started=self._wall_clock())
        operation.locks = locks
        self._adopt(operation)
        self._records.write(operation)
        self._run(operation, operation.run)
        # Nothing may fail from here on: what is entered and locked here, its end releases.
        self._hold(operation)
        self._publish_change("started", operation)
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
            except Exception as error:  # noqa: BLE001 - whatever stands in a record, xend starts
                self._cannot_recover(operation_id, fields or {}, error)
        self._known.forget_old()

    def _recover(self, operation_id: str, fields: dict[str, Any] | None) -> None:
        operation = self._recovery.operation(operation_id, fields)
        self._adopt(operation)
        if operation.ended.is_set():
            self._known.enter(operation)
            self._known.ended(operation)
            return
        self._run(operation, operation.take_up)
        self._hold(operation)
        how = f"{operation.kind.on_crash} it"
        self._log(f"{operation.kind.name} {operation.domain} was cut off at '{operation.doing}': {how}")

    def _cannot_recover(self, operation_id: str, fields: dict[str, Any], error: Exception) -> None:
        """It fails here, and is not tried again: what is left of its domain is for people to see to."""
        domain = domain_of(fields)
        of_whom = f" ({fields.get('kind')} of {domain})" if domain else ""
        reason = str(error) if isinstance(error, ValueError | XendError) else repr(error)
        hint = f"xl list shows what is left of {domain}, xl destroy {domain} ends it"
        self._log(
            f"operation {operation_id}{of_whom}: its record cannot be used ({reason}); dropped"
            + (f": {hint}" if domain else "")
        )
        self._remove_record(operation_id)
        operation = self._recovery.lost(operation_id, fields) if domain else None
        if operation is None:
            return
        self._adopt(operation)
        self._known.enter(operation)
        message = f"xend died amid the {operation.kind.title} of {domain}, and this xend cannot go on with it"
        operation.give_up(XendError("internal", message, domain=domain, cause=reason, hint=hint))

    # --- what they share ----------------------------------------------------------------------------------

    def _adopt(self, operation: Operation) -> None:
        """Its changes are recorded and published from now on; the ids of those to come are higher."""
        self._last = max(self._last, int(operation.id, 16))
        operation.on_change = self._changed
        operation.log = self._log
        operation.may_cancel = lambda: not self._is_stopping

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
            raise XendError(
                "cancelled",
                f"{operation.kind.title} of {operation.domain} was not begun: xend is ending",
                domain=operation.domain,
            ) from error

    def _hold(self, operation: Operation) -> None:
        """It is known, and has its locks."""
        self._known.enter(operation)
        for lock in operation.locks:
            self._locks[lock] = operation

    def _changed(self, operation: Operation, what: str) -> None:
        """Record and publish it.

        Raises:
            XendError: internal: a step is not to begin that is not on record.
        """
        if what == "step":
            self._records.write(operation)
            self._record_late()
        elif what == "undoing":
            self._record(operation)
        elif what in ENDED:
            self._release(operation)
        self._publish_change(what, operation)
        if what in ("step", "undoing"):
            self._on_step(operation)

    def _release(self, operation: Operation) -> None:
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

    def _publish_change(self, what: str, operation: Operation) -> None:
        """What a listener raises does not keep an operation from going on."""
        try:
            self._publish(what, operation)
        except Exception as error:  # noqa: BLE001 - a listener's fault is not the operation's
            as_xend_error(error, f"telling of {operation.kind.name} {operation.domain}", self._log)

    def _new_id(self) -> str:
        """Rises with time, even if xend was restarted; all have the same length, so that they sort."""
        self._last = max(self._last + 1, int(self._wall_clock() * 1000))
        return f"{self._last:012x}"
