"""The operations that are known: those that run, and those that ended a while ago."""

from collections.abc import Callable

from sortedcontainers import SortedDict

from xend.errors import XendError
from xend.operation.running import Operation

#: How long an operation that ended is remembered from its end on, in seconds, and how many of them at most.
REMEMBERED_SECONDS = 600.0
REMEMBERED_MAX = 2_000


class KnownOperations:
    """By id and by key; whoever asks, those are forgotten first whose time is over.

    on_forget: called with the id of each that is forgotten.
    """

    def __init__(self, wall_clock: Callable[[], float], on_forget: Callable[[str], object]) -> None:
        self._wall_clock = wall_clock
        self._on_forget = on_forget
        self._by_id: SortedDict[str, Operation] = SortedDict()
        self._by_key: dict[str, Operation] = {}
        #: Those that have ended, in the order of their ends.
        self._ended: dict[str, Operation] = {}

    def all(self) -> list[Operation]:
        """In the order in which they began."""
        self.forget_old()
        return list(self._by_id.values())

    def find(self, operation_id: str) -> Operation:
        """One by its id.

        Raises:
            XendError: no_such_operation.
        """
        self.forget_old()
        try:
            return self._by_id[operation_id]
        except KeyError:
            raise XendError("no_such_operation", f"operation {operation_id} does not exist") from None

    def with_key(self, key: str | None) -> Operation | None:
        """The operation that was started with this key last."""
        self.forget_old()
        return None if key is None else self._by_key.get(key)

    def __contains__(self, operation: Operation) -> bool:
        return self._by_id.get(operation.id) is operation

    def enter(self, operation: Operation) -> None:
        """Know one more."""
        self._by_id[operation.id] = operation
        if operation.key is not None:
            self._by_key[operation.key] = operation

    def ended(self, operation: Operation) -> None:
        """One has ended: its time begins."""
        self._ended[operation.id] = operation
        self.forget_old()

    def forget_old(self) -> None:
        """Those whose time is over, and the oldest of too many."""
        horizon = self._wall_clock() - REMEMBERED_SECONDS
        while self._ended:
            operation = next(iter(self._ended.values()))
            is_old = operation.ended_at is None or operation.ended_at <= horizon
            if not is_old and len(self._ended) <= REMEMBERED_MAX:
                return
            self._forget(operation)

    def _forget(self, operation: Operation) -> None:
        del self._ended[operation.id]
        self._by_id.pop(operation.id, None)
        if operation.key is not None and self._by_key.get(operation.key) is operation:
            del self._by_key[operation.key]
        self._on_forget(operation.id)
