"""The trio client: the same classes as `blocking`, for any number of tasks of one run.

    async with aio.Client() as client:
        await client.write("/tool/name", "value")

Cancelling a call leaves the connection in order: what its late answer leaves behind (a transaction, a
watch) is taken back.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

import trio

from xenclient.store import operations
from xenclient.store.address import Address
from xenclient.store.aio_link import TrioLink
from xenclient.store.errors import ClientError
from xenclient.store.link import TIMEOUT_SECONDS
from xenclient.store.transactions import Recording, randomness
from xenclient.store.watches import Queue

if TYPE_CHECKING:
    from types import TracebackType

    from xenclient.store.core import Steps
    from xenclient.store.strings import Text
    from xenclient.store.watches import Event

P = ParamSpec("P")
T = TypeVar("T")


def _method(
    operation: Callable[P, Steps[T]],
) -> Callable[Concatenate[_Tree, P], Coroutine[Any, Any, T]]:
    """The operation as a method to await."""

    async def method(self: _Tree, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(operation(*args, **kwargs))

    method.__name__ = method.__qualname__ = operation.__name__
    method.__doc__ = operation.__doc__
    method.__wrapped__ = operation  # type: ignore[attr-defined]  # so that help() shows the arguments
    return method


class _Tree:
    """What works on nodes, inside a transaction and outside."""

    def __init__(self, link: TrioLink, seconds: float) -> None:
        self._link = link
        self._seconds = seconds

    def within(self, seconds: float) -> Self:
        """The same client or transaction with another deadline for each of its calls."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, _seconds=seconds)
        return other

    async def _run(self, steps: Steps[T]) -> T:
        return await self._link.run(self._own(steps), self._seconds)

    async def together(self, *steps: Steps[Any]) -> list[Any]:
        """The results of several `operations`, done in this order: `c.together(operations.read("/a"), ...)`.

        One that is refused holds up none after it; the first refusal is raised in the end.  The trio client
        sends all before the first is answered.
        """
        return await self._link.run_together([self._own(each) for each in steps], self._seconds)

    def _own(self, steps: Steps[T]) -> Steps[T]:
        """An operation as it is done here."""
        return steps

    directory = _method(operations.directory)
    directory_part = _method(operations.directory_part)
    read = _method(operations.read)
    write = _method(operations.write)
    mkdir = _method(operations.mkdir)
    rm = _method(operations.rm)
    exists = _method(operations.exists)
    get_perms = _method(operations.get_perms)
    set_perms = _method(operations.set_perms)


class Client(_Tree):
    """A connection to the store, made again when it is lost: blocking.Client's contract."""

    def __init__(
        self,
        path: str | None = None,
        *,
        timeout: float = TIMEOUT_SECONDS,
        reconnect: float = TIMEOUT_SECONDS,
        connect: Callable[[], trio.abc.Stream] | None = None,
        random: Callable[[], float] = randomness,
    ) -> None:
        """To be entered once, with `async with`, which connects.

        Args:
            path: the socket, or the kernel's device; by default as `address.Address` says.
            timeout: seconds each call may take; see `within`.
            reconnect: seconds for which a lost server is tried.
            connect: makes the stream, in place of the socket.
        """
        address = Address(path)
        opener = connect or (lambda: _open_stream(address))
        super().__init__(TrioLink(address.where, reconnect, random, opener), timeout)
        self._nursery_manager = trio.open_nursery()

    async def __aenter__(self) -> Self:
        """Connects.

        Raises:
            ConnectError: there is no server.
        """
        await self._link.open(self._seconds)
        self._nursery = await self._nursery_manager.__aenter__()
        self._nursery.start_soon(self._link.keep)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._link.close()
        self._nursery.cancel_scope.cancel()
        # The nursery is not told of the block's exception: it would wrap it into a group.
        await self._nursery_manager.__aexit__(None, None, None)

    def transaction(self) -> Transaction:
        """For an async with block: commits at its end, rolls back if it raises; see Transaction."""
        return Transaction(self._link, self._seconds)

    async def run_transaction(self, body: Callable[[Transaction], Awaitable[T]]) -> T:
        """The result of `await body(transaction)`, run again from the start until its transaction commits.

        Raises:
            DeadlineError: conflicts lasted longer than this client's deadline.
            ConnectionLost: the server went away before it answered the commit, which may have happened.
        """

        async def attempt() -> T:
            async with self.transaction() as transaction:
                return await body(transaction)

        return await self._link.retrying(attempt, self._seconds)

    def watch(self, path: Text, token: Text | None = None, depth: int | None = None) -> Watch:
        """For an async with block, and to iterate over: the events of `path` and all below it; see Watch.

        Args:
            token: marks the events; by default one that no other watch of this client has.
            depth: how many levels below `path` count, 0 for none (xenstored 4.22 or newer).
        """
        return Watch(self._link, self._seconds, (path, token, depth))

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


class Transaction(_Tree):
    """A transaction, as an async with block: blocking.Transaction's contract."""

    def __init__(self, link: TrioLink, seconds: float) -> None:
        super().__init__(link, seconds)
        self._recording = Recording(link.random)

    async def __aenter__(self) -> Self:
        await self._link.run(self._recording.begin(), self._seconds)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            if exc is None:
                await self._link.run(self._recording.commit(), self._seconds)
        finally:
            self._link.post(self._recording.abort())

    def _own(self, steps: Steps[T]) -> Steps[T]:
        return self._recording.inside(steps)


class Watch:
    """A stream of events, as an async with block: blocking.Watch's contract."""

    def __init__(self, link: TrioLink, seconds: float, first: tuple[Text, Text | None, int | None]) -> None:
        self._link = link
        self._seconds = seconds
        self._first = first
        self._queue = Queue()
        self._readers = trio.lowlevel.ParkingLot()
        self._queue.wake = self._readers.unpark_all

    async def __aenter__(self) -> Self:
        await self.add(*self._first)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    async def add(self, path: Text, token: Text | None = None, depth: int | None = None) -> None:
        """Watch another path too; its events come in the same stream."""
        await self._link.run(self._link.watches.add(self._queue, path, token, depth), self._seconds)

    async def remove(self, path: Text, token: Text | None = None) -> None:
        """Watch a path no longer."""
        await self._link.run(self._link.watches.remove(self._queue, path, token), self._seconds)

    async def next(self, seconds: float | None = None) -> Event:
        """The next event; without `seconds` waits for ever.

        Raises:
            DeadlineError: none came.
            ClientError: the watch was closed.
        """
        event = await self._link.next_event(self._queue, self._readers, seconds)
        if event is None:
            raise ClientError("this watch is closed")
        return event

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self._link.next_event(self._queue, self._readers, None)
        if event is None:
            raise StopAsyncIteration
        return event

    def close(self) -> None:
        """Remove all its watches; iterating ends."""
        for request in self._link.watches.close(self._queue):
            self._link.post(request)


def _open_stream(address: Address) -> trio.SocketStream:
    sock = socket.socket(fileno=address.open().detach())
    return trio.SocketStream(trio.socket.from_stdlib_socket(sock))
