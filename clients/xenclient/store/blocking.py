"""The blocking client: plain calls that wait.  For one thread at a time; imports next to nothing."""

from __future__ import annotations

import time

from xenclient.shells import Blocking
from xenclient.store.address import Address
from xenclient.store.blocking_link import BlockingLink, UnixSocket
from xenclient.store.client import ClientMethods, TransactionMethods, WatchMethods
from xenclient.store.errors import WatchClosed
from xenclient.store.link import TIMEOUT_SECONDS
from xenclient.store.pauses import randomness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self, TypeVar

    from xenclient.store.blocking_link import Transport
    from xenclient.store.strings import Text
    from xenclient.store.watches import Event

    T = TypeVar("T")


class Client(Blocking, ClientMethods):
    """A connection to the store, made again when it is lost.

    A lost server is tried, with growing pauses, until the deadline of the call or of `reconnect`.  Then:

    - Every watch is set again and delivers its first event again: what changed meanwhile has no other.
    - A request that was not answered is repeated if that ends where once ends: all that only read, write,
      mkdir, rm, set_perms, set_target, set_quota.  It is as if the call had come so much later: what
      somebody else did to the node in between is undone, and events come twice.  Any other that may have
      been executed raises ConnectionLost.
    - Open transactions are gone: their next request raises EAGAIN, after which run_transaction runs its
      function again.  When only the answer to the commit is missing, it is ConnectionLost, unless the
      transaction had changed nothing.
    """

    def __init__(
        self,
        path: str | None = None,
        *,
        timeout: float = TIMEOUT_SECONDS,
        reconnect: float = TIMEOUT_SECONDS,
        connect: Callable[[], Transport] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        random: Callable[[], float] = randomness,
    ) -> None:
        """Connects.

        Args:
            path: the socket, or the kernel's device; by default as `address.Address` says.
            timeout: seconds each call may take; see `within`.
            reconnect: seconds for which a lost server is tried.
            connect: makes the transport, in place of the socket.

        Raises:
            ConnectError: there is no server.
        """
        address = Address(path)
        opener = connect or (lambda: UnixSocket(address.open()))
        self._link: BlockingLink
        super().__init__(BlockingLink(address.where, reconnect, random, opener, clock, sleep), timeout)
        self._finish(self._link.open(timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect; the server drops this client's watches and open transactions."""
        self._link.close()

    def transaction(self) -> Transaction:
        """For a with block: commits at its end, rolls back if it raises; see Transaction."""
        return Transaction(self._link, self._seconds)

    def run_transaction(self, body: Callable[[Transaction], T]) -> T:
        """The result of `body(transaction)`, run again from the start until its transaction commits.

        Raises:
            DeadlineError: conflicts lasted longer than this client's deadline.
            ConnectionLost: the server went away before it answered the commit, which may have happened.
        """

        async def attempt() -> T:
            with self.transaction() as transaction:
                return body(transaction)

        return self._finish(self._link.retrying(attempt, self._seconds))

    def watch(self, path: Text, token: Text | None = None, depth: int | None = None) -> Watch:
        """For a with block, and to iterate over: the events of `path` and all below it; see Watch.

        Args:
            token: marks the events; by default one that no other watch of this client has.
            depth: how many levels below `path` count, 0 for none (xenstored 4.22 or newer).
        """
        return Watch(self._link, self._seconds, (path, token, depth))


class Transaction(Blocking, TransactionMethods):
    """A transaction, as a with block.

    The block's end commits.  When the server answers EAGAIN, what the block did is done again, with
    growing pauses, for as long as every answer stays the same; once one differs, EAGAIN is raised and
    nothing has happened: `Client.run_transaction` runs a function again instead.  An exception in the
    block rolls back.
    """

    def __enter__(self) -> Self:
        self._finish(self._begin())
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._finish(self._end(exc))


class Watch(Blocking, WatchMethods):
    """A stream of events, as a with block that sets and removes the watch.

    Iterating waits for ever; `next` takes a deadline.  A reader that does not keep up (1,024 events)
    gets one event for the watched path in place of those it has not taken.
    """

    def __enter__(self) -> Self:
        self.add(*self._first)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        try:
            return self.next()
        except WatchClosed:
            raise StopIteration from None
