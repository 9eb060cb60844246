"""What all calls that are operations do: start one, or find it again, and answer as asked."""

from collections.abc import Awaitable, Callable, Container
from typing import Any
from weakref import WeakValueDictionary

import trio

from xend.operation.registry import Operations
from xend.operation.running import Operation
from xend.operation.steps import Plan

#: Makes the plan of a call, and names the locks it needs; or finds an operation that does the same already.
Planning = Callable[[], Awaitable[tuple[Plan, list[str]] | Operation]]


class Operating:
    """Starts operations for calls."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._turns: WeakValueDictionary[str, trio.Lock] = WeakValueDictionary()

    def check_free(self, locks: list[str]) -> None:
        """See that no operation holds one of these locks.

        Raises:
            XendError: busy.
        """
        self._operations.check_free(locks)

    async def wait_for_end(self, locks: list[str], kinds: Container[str]) -> None:
        """Wait for operations of these kinds that hold one of these locks."""
        while (holder := self._operations.holder(locks)) is not None and holder.plan.kind in kinds:
            await holder.ended.wait()

    async def take_from_others(self, locks: list[str], kinds: Container[str]) -> Operation | None:
        """Cancel what holds one of these locks, and wait until nothing does.

        Operations of these kinds are not cancelled; returns one that has done its work as the last.
        """
        last = None
        while (holder := self._operations.holder(locks)) is not None:
            if holder.plan.kind not in kinds:
                holder.cancel()
            await holder.ended.wait()
            last = holder if holder.plan.kind in kinds and holder.error is None else None
        return last

    def holder(self, locks: list[str]) -> Operation | None:
        """The operation that holds one of these locks."""
        return self._operations.holder(locks)

    def kind(self, operation_id: str) -> str:
        """Of a known operation."""
        return self._operations.find(operation_id).plan.kind

    def is_held(self, locks: list[str], kinds: Container[str] | None = None) -> bool:
        """Whether an operation (of these kinds) holds one of these locks."""
        holder = self.holder(locks)
        return holder is not None and (kinds is None or holder.plan.kind in kinds)

    async def operate(
        self,
        plan: Planning,
        key: str | None = None,
        wait_for: str | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """The operation's result; with wait_for "accepted" its id, with dry_run the names of its steps.

        Raises:
            XendError: why it was not started, or failed.
        """
        operation = self._operations.with_key(key)
        if operation is None:
            planned = await plan()
            if isinstance(planned, Operation):
                return await self._answer(planned, wait_for)
            made, locks = planned
            if dry_run:
                return {"steps": [step.name for step in made.steps]}
            # Somebody may have come with the same key while the plan was made.
            operation = self._operations.with_key(key) or self._operations.start(made, locks, key)
        return await self._answer(operation, wait_for)

    async def _answer(self, operation: Operation, wait_for: str | None) -> dict[str, Any]:
        if wait_for == "accepted":
            return operation.result()
        return await ended(operation)

    async def operate_in_turn(self, locks: list[str], plan: Planning, **how: Any) -> dict[str, Any]:
        """The same, after those on devices of the same domain that came before; a dry run waits for none."""
        if how.get("dry_run"):
            return await self.operate(plan, **how)
        wait_for = how.pop("wait_for", None)
        turn = self._turns.setdefault(locks[0], trio.Lock())
        async with turn:
            while (holder := self._operations.holder(locks)) and holder.plan.kind.startswith("device."):
                await holder.ended.wait()
            accepted = await self.operate(plan, **how, wait_for="accepted")
        if wait_for == "accepted" or "operation" not in accepted:
            return accepted
        return await ended(self._operations.find(accepted["operation"]))


async def ended(operation: Operation) -> dict[str, Any]:
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
