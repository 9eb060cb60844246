"""The trio client: the same classes as `blocking`, for any number of tasks of one run.

    async with aio.Client() as client:
        await client.write("/tool/name", "value")

Cancelling a call leaves the connection in order: what its late answer leaves behind (a transaction, a
watch) is taken back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Self, TypeVar

import trio

from xenclient.shells import Awaited
from xenclient.store.address import Address
from xenclient.store.aio_link import TrioLink, open_stream
from xenclient.store.client import ClientMethods, TransactionMethods, WatchMethods
from xenclient.store.errors import WatchClosed
from xenclient.store.link import TIMEOUT_SECONDS
from xenclient.store.pauses import randomness

if TYPE_CHECKING:
    from types import TracebackType

    from xenclient.store.strings import Text
    from xenclient.store.watches import Event

T = TypeVar("T")


class Client(Awaited, ClientMethods):
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
        opener = connect or (lambda: open_stream(address))
        self._link: TrioLink
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


class Transaction(Awaited, TransactionMethods):
    """A transaction, as an async with block: blocking.Transaction's contract."""

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._end(exc)


class Watch(Awaited, WatchMethods):
    """A stream of events, as an async with block: blocking.Watch's contract."""

    async def __aenter__(self) -> Self:
        await self.add(*self._first)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        try:
            return await self.next()
        except WatchClosed:
            raise StopAsyncIteration from None
