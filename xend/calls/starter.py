"""What all calls that are operations do: start one, or find it again, and answer as asked."""

from collections.abc import Awaitable, Callable, Container, Sequence
from typing import Any
from weakref import WeakValueDictionary

import trio

from xend.operation.facts import Facts
from xend.operation.kind import Effect
from xend.operation.locks import Lock
from xend.operation.registry import OperationRegistry
from xend.operation.running import Operation

#: Finds out the facts of a call's operation; or finds an operation that does the same already.
Preparation = Callable[[], Awaitable[Facts | Operation]]


class OperationStarter:
    """Starts operations for calls."""

    def __init__(self, operations: OperationRegistry) -> None:
        self.operations = operations
        self._turns: WeakValueDictionary[Lock, trio.Lock] = WeakValueDictionary()

    def step_names(self, facts: Facts) -> list[str]:
        """What an operation with these facts would do, for people: the answer of a dry run."""
        return [step.name for step in self.operations.steps_of(facts)]

    async def wait_for_end(self, locks: Sequence[Lock], effects: Container[Effect]) -> None:
        """Wait for operations with such an effect that hold one of these locks."""
        while (holder := self.operations.holder(locks)) is not None and holder.kind.effect in effects:
            await holder.ended.wait()

    async def take_from_others(self, locks: Sequence[Lock]) -> Operation | None:
        """Cancel what holds one of these locks, and wait until nothing does.

        Operations that destroy the domain are not cancelled; returns one that has done so as the last.
        """
        last = None
        while (holder := self.operations.holder(locks)) is not None:
            is_destroying = holder.kind.effect is Effect.DESTROYS
            if not is_destroying:
                holder.cancel()
            await holder.ended.wait()
            last = holder if is_destroying and holder.error is None else None
        return last

    async def run(
        self,
        prepare: Preparation,
        key: str | None = None,
        wait_for: str | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """The operation's result; with wait_for "accepted" its id, with dry_run the names of its steps.

        Raises:
            XendError: why it was not started, or failed.
        """
        operation = self.operations.with_key(key)
        if operation is None:
            prepared = await prepare()
            if isinstance(prepared, Operation):
                return await self._answer(prepared, wait_for)
            if dry_run:
                return {"steps": self.step_names(prepared)}
            # Somebody may have come with the same key while the facts were found out.
            operation = self.operations.with_key(key) or self.operations.start(prepared, key)
        return await self._answer(operation, wait_for)

    async def run_in_turn(self, locks: Sequence[Lock], prepare: Preparation, **how: Any) -> dict[str, Any]:
        """The same for kinds that are queued: after those on the same domain that came before.

        A dry run waits for none.
        """
        if how.get("dry_run"):
            return await self.run(prepare, **how)
        wait_for = how.pop("wait_for", None)
        turn = self._turns.setdefault(locks[0], trio.Lock())
        async with turn:
            while (holder := self.operations.holder(locks)) and holder.kind.is_queued:
                await holder.ended.wait()
            accepted = await self.run(prepare, **how, wait_for="accepted")
        if wait_for == "accepted" or "operation" not in accepted:
            return accepted
        return await result_of(self.operations.find(accepted["operation"]))

    async def _answer(self, operation: Operation, wait_for: str | None) -> dict[str, Any]:
        if wait_for == "accepted":
            return operation.result()
        return await result_of(operation)


async def result_of(operation: Operation) -> dict[str, Any]:
    """What an operation's call is answered with, once it has ended; cancelled with its caller's deadline.

    Raises:
        XendError: why it failed.
    """
    try:
        return await operation.outcome()
    except trio.Cancelled:
        operation.cancel()
        with trio.CancelScope(shield=True):
            await operation.settled()
        raise
