"""The blocking client: plain calls that wait.  For one thread at a time; imports next to nothing."""

from __future__ import annotations

import time

from xenclient.store import operations
from xenclient.store.address import Address
from xenclient.store.blocking_link import BlockingLink, UnixSocket
from xenclient.store.errors import ClientError
from xenclient.store.link import TIMEOUT_SECONDS
from xenclient.store.transactions import Recording, randomness
from xenclient.store.watches import Queue
from xenstore.errors import XenstoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, Concatenate, ParamSpec, Self, TypeVar

    from xenclient.store.blocking_link import Transport
    from xenclient.store.core import Steps
    from xenclient.store.strings import Text
    from xenclient.store.watches import Event

    P = ParamSpec("P")
    T = TypeVar("T")


def _method(operation: Callable[P, Steps[T]]) -> Callable[Concatenate[_Tree, P], T]:
    """The operation as a method that waits for its result."""

    def method(self: _Tree, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._run(operation(*args, **kwargs))

    method.__name__ = method.__qualname__ = operation.__name__
    method.__doc__ = operation.__doc__
    method.__wrapped__ = operation  # type: ignore[attr-defined]  # so that help() shows the arguments
    return method


class _Tree:
    """What works on nodes, inside a transaction and outside."""

    def __init__(self, link: BlockingLink, seconds: float) -> None:
        self._link = link
        self._seconds = seconds

    def within(self, seconds: float) -> Self:
        """The same client or transaction with another deadline for each of its calls."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, _seconds=seconds)
        return other

    def _run(self, steps: Steps[T]) -> T:
        return self._link.run(steps, self._seconds)

    def together(self, *steps: Steps[Any]) -> list[Any]:
        """The results of several `operations`, done in this order: `c.together(operations.read("/a"), ...)`.

        One that is refused holds up none after it; the first refusal is raised in the end.  The trio client
        sends all before the first is answered.
        """
        results: list[Any] = []
        refusal: XenstoreError | None = None
        for each in steps:
            try:
                results.append(self._run(each))
            except XenstoreError as error:
                refusal = refusal or error
        if refusal is not None:
            raise refusal
        return results

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
        super().__init__(BlockingLink(address.where, reconnect, random, opener, clock, sleep), timeout)
        self._link.open(timeout)

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

        def attempt() -> T:
            with self.transaction() as transaction:
                return body(transaction)

        return self._link.retrying(attempt, self._seconds)

    def watch(self, path: Text, token: Text | None = None, depth: int | None = None) -> Watch:
        """For a with block, and to iterate over: the events of `path` and all below it; see Watch.

        Args:
            token: marks the events; by default one that no other watch of this client has.
            depth: how many levels below `path` count, 0 for none (xenstored 4.22 or newer).
        """
        return Watch(self._link, self._seconds, (path, token, depth))

    def reset_watches(self) -> None:
        """Remove all watches of this client (iterating them ends), and all its open transactions."""
        self._run(self._link.watches.reset())

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
    """A transaction, as a with block.

    The block's end commits.  When the server answers EAGAIN, what the block did is done again, with
    growing pauses, for as long as every answer stays the same; once one differs, EAGAIN is raised and
    nothing has happened: `Client.run_transaction` runs a function again instead.  An exception in the
    block rolls back.
    """

    def __init__(self, link: BlockingLink, seconds: float) -> None:
        super().__init__(link, seconds)
        self._recording = Recording(link.random)

    def __enter__(self) -> Self:
        self._link.run(self._recording.begin(), self._seconds)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            if exc is None:
                self._link.run(self._recording.commit(), self._seconds)
        finally:
            self._link.post(self._recording.abort())

    def _run(self, steps: Steps[T]) -> T:
        return self._link.run(self._recording.inside(steps), self._seconds)


class Watch:
    """A stream of events, as a with block that sets and removes the watch.

    Iterating waits for ever; `next` takes a deadline.  A reader that does not keep up (1,024 events)
    gets one event for the watched path in place of those it has not taken.
    """

    def __init__(
        self, link: BlockingLink, seconds: float, first: tuple[Text, Text | None, int | None]
    ) -> None:
        self._link = link
        self._seconds = seconds
        self._first = first
        self._queue = Queue()

    def __enter__(self) -> Self:
        self.add(*self._first)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def add(self, path: Text, token: Text | None = None, depth: int | None = None) -> None:
        """Watch another path too; its events come in the same stream."""
        self._link.run(self._link.watches.add(self._queue, path, token, depth), self._seconds)

    def remove(self, path: Text, token: Text | None = None) -> None:
        """Watch a path no longer."""
        self._link.run(self._link.watches.remove(self._queue, path, token), self._seconds)

    def next(self, seconds: float | None = None) -> Event:
        """The next event; without `seconds` waits for ever.

        Raises:
            DeadlineError: none came.
            ClientError: the watch was closed.
        """
        event = self._link.next_event(self._queue, seconds)
        if event is None:
            raise ClientError("this watch is closed")
        return event

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        event = self._link.next_event(self._queue, None)
        if event is None:
            raise StopIteration
        return event

    def close(self) -> None:
        """Remove all its watches; iterating ends."""
        for request in self._link.watches.close(self._queue):
            self._link.post(request)
