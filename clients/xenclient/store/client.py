"""What both clients share of `Client`, `Transaction` and `Watch`: all but `with` and `for`."""

from __future__ import annotations

from xenclient.shells import described, method
from xenclient.store import operations
from xenclient.store.errors import WatchClosed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, ParamSpec, Self, TypeVar

    from xenclient.shells import Method
    from xenclient.store.core import Steps
    from xenclient.store.link import Link
    from xenclient.store.strings import Text
    from xenclient.store.watches import Event, Queue

    P = ParamSpec("P")
    T = TypeVar("T")


def _method(operation: Callable[P, Steps[T]]) -> Method[P, T]:
    """The operation as a method."""

    def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        return self._finish(self._run(operation(*args, **kwargs)))

    return described(call, operation)  # type: ignore[no-any-return]


class Nodes:
    """What works on nodes, inside a transaction and outside."""

    def __init__(self, link: Link, seconds: float) -> None:
        self._link = link
        self._seconds = seconds

    def within(self, seconds: float) -> Self:
        """The same client or transaction with another deadline for each of its calls."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, _seconds=seconds)
        return other

    @method
    async def together(self, *steps: Steps[Any]) -> list[Any]:
        """The results of several `operations`, done in this order: `c.together(operations.read("/a"), ...)`.

        One that is refused holds up none after it; the first refusal is raised in the end.  The trio client
        sends all before the first is answered.
        """
        return await self._link.run_together([self._own(each) for each in steps], self._seconds)

    directory = _method(operations.directory)
    directory_part = _method(operations.directory_part)
    read = _method(operations.read)
    write = _method(operations.write)
    mkdir = _method(operations.mkdir)
    rm = _method(operations.rm)
    exists = _method(operations.exists)
    get_perms = _method(operations.get_perms)
    set_perms = _method(operations.set_perms)

    def _run(self, steps: Steps[T]) -> Coroutine[Any, Any, T]:
        return self._link.run(self._own(steps), self._seconds)

    def _own(self, steps: Steps[T]) -> Steps[T]:
        """An operation as it is done here."""
        return steps


class ClientMethods(Nodes):
    """What a client has besides: what is of no single node, or never in a transaction."""

    @method
    async def reset_watches(self) -> None:
        """Remove all watches of this client (iterating them ends), and all its open transactions."""
        await self._run(self._link.watches.reset())

    introduce = _method(operations.introduce)
    release = _method(operations.release)
    resume = _method(operations.resume)
    set_target = _method(operations.set_target)
    is_domain_introduced = _method(operations.is_domain_introduced)
    get_domain_path = _method(operations.get_domain_path)
    get_feature = _method(operations.get_feature)
    set_feature = _method(operations.set_feature)
    quota_names = _method(operations.quota_names)
    get_quota = _method(operations.get_quota)
    set_quota = _method(operations.set_quota)
    control = _method(operations.control)


class TransactionMethods(Nodes):
    """A transaction; the block that it is begins and ends it."""

    def __init__(self, link: Link, seconds: float) -> None:
        from xenclient.store.transactions import Recording  # many a short program needs none

        super().__init__(link, seconds)
        self._recording = Recording(link.random)

    async def _begin(self) -> None:
        await self._link.run(self._recording.begin(), self._seconds)

    async def _end(self, exc: BaseException | None) -> None:
        """Commit, unless the block raised this."""
        try:
            if exc is None:
                await self._link.run(self._recording.commit(), self._seconds)
        finally:
            self._link.post(self._recording.abort())

    def _own(self, steps: Steps[T]) -> Steps[T]:
        return self._recording.inside(steps)


class WatchMethods:
    """A stream of events; the block that it is sets the first watch and closes it."""

    def __init__(self, link: Link, seconds: float, first: tuple[Text, Text | None, int | None]) -> None:
        self._link = link
        self._seconds = seconds
        self._first = first
        self._queue: Queue = link.new_queue()

    @method
    async def add(self, path: Text, token: Text | None = None, depth: int | None = None) -> None:
        """Watch another path too; its events come in the same stream.  Arguments: see `Client.watch`.

        Raises:
            EEXIST: this client has a watch of the same path and token already.
            WatchClosed: the watch was closed.
        """
        await self._link.run(self._link.watches.add(self._queue, path, token, depth), self._seconds)

    @method
    async def remove(self, path: Text, token: Text | None = None) -> None:
        """Watch a path no longer; with `token`, end only the watch that has it.

        Raises:
            ENOENT: it is not watched.
        """
        await self._link.run(self._link.watches.remove(self._queue, path, token), self._seconds)

    @method
    async def next(self, seconds: float | None = None) -> Event:
        """The next event; without `seconds` waits for ever.

        Raises:
            DeadlineError: none came within `seconds`.
            WatchClosed: the watch was closed.
            ConnectionLost: xenstored is gone and did not come back in time.
        """
        event = await self._link.next_event(self._queue, seconds)
        if event is None:
            raise WatchClosed("this watch is closed")
        return event

    def close(self) -> None:
        """Remove all its watches; iterating ends."""
        for request in self._link.watches.close(self._queue):
            self._link.post(request)
