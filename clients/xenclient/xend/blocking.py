"""The blocking client of xend: plain calls that wait.  For one thread at a time; imports next to nothing."""

from __future__ import annotations

from xenclient.shells import Blocking
from xenclient.xend.blocking_link import BlockingLink
from xenclient.xend.client import ClientMethods, ConsoleMethods, EventsMethods
from xenclient.xend.core import Request
from xenclient.xend.link import HISTORY_BYTES, TIMEOUT_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Self

    from xenclient.xend.core import Call
    from xenclient.xend.followers import ConsoleOutput, EventStream

#: Pieces of typed text that may wait for their answers.
_WRITES_MAX = 16


class Client(Blocking, ClientMethods):
    """A connection to xend, made again when it is lost.

    A call that was not answered then is sent again, once, if it only asks, or is an operation: xend knows it
    by its key and does it once.  Any other raises ConnectionLost.
    """

    def __init__(self, path: str | None = None, timeout: float = TIMEOUT_SECONDS) -> None:
        """Connects.

        Args:
            path: the socket; by default $XEND_SOCKET, else /var/run/xend/socket.  Where it may not be opened,
                the readers' socket beside it is, for calls that only ask.
            timeout: seconds a call may take that is no operation, and for which a lost xend is tried.

        Raises:
            ConnectError: there is no xend.
        """
        super().__init__(lambda follower: BlockingLink(path, timeout, follower))
        self._finish(self._link.open())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def events(
        self,
        since: int | None = None,
        kinds: Sequence[str] | None = None,
        watch: Sequence[str] | None = None,
        idle: Callable[[int], object] | None = None,
    ) -> Events:
        """The events after `since`, or from now on; see Events.

        Args:
            kinds: some of domain, device, operation, autostart, managed, store; by default all.
            watch: store paths whose changes are events too.
            idle: called before each wait for xend with the connection's descriptor, to wait until that is
                readable, and for other things meanwhile; what it raises ends the wait.

        Raises:
            BusError: too_slow: events after `since` are forgotten.
        """
        from xenclient.xend.followers import EventStream  # most commands of xl need none

        stream = EventStream(since, kinds, watch)
        return Events(BlockingLink(self._link.path, self._link.timeout, stream, idle), stream)

    def console(self, domain: str | int, history: int = HISTORY_BYTES) -> Console:
        """A domain's console, the last `history` bytes of its output first; see Console.

        Raises:
            BusError: there is no such domain, or it has no console.
        """
        from xenclient.xend.followers import ConsoleOutput

        output = ConsoleOutput()
        return Console(BlockingLink(self._link.path, self._link.timeout, output), output, domain, history)


class Events(Blocking, EventsMethods):
    """The event stream, on a connection of its own that is made again when it is lost; nothing is missed.

    Iterating waits for ever.

    Attributes:
        seq: of the last event that was given; `client.events(since=...)` goes on after it.
    """

    def __init__(self, link: BlockingLink, stream: EventStream) -> None:
        super().__init__(link, stream)
        self._finish(self._subscribe())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> dict[str, Any]:
        return self.next()


class Console(Blocking, ConsoleMethods):
    """A domain's console, on a connection of its own.

    For select(): call `read(0)` until it returns None, then wait for `fileno()`.

    Attributes:
        domid: the domain that was found.
    """

    def __init__(self, link: BlockingLink, output: ConsoleOutput, domain: str | int, history: int) -> None:
        super().__init__(link, output, domain, history)
        self._link: BlockingLink
        self._writes: list[Call] = []
        self._finish(self._attach())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def fileno(self) -> int:
        """The descriptor that is readable when xend has sent something.

        Raises:
            ConnectionLost: there is no connection any more.
        """
        return self._link.fileno()

    def write(self, data: bytes) -> None:
        """Type this.  Does not wait for the answer; what xend refuses is raised by a later call.

        Raises:
            ConnectionLost: xend is gone.
            BusError: it refused.
            DeadlineError: it does not take what is typed.
        """
        request = Request("console.write", {"console": self._number, "data": data})
        self._writes.append(self._link.connection.call(request))
        deadline = self._link.deadline(self._link.timeout, "the console to take what is typed")
        self._finish(self._link.flush(deadline))
        self._finish(self._link.until(self._may_write, deadline))
        self._check_writes()

    def _may_write(self) -> bool:
        self._check_writes()
        return len(self._writes) < _WRITES_MAX

    def _is_readable(self) -> bool:
        if not self._output.is_ready():
            self._check_writes()
        return self._output.is_ready()

    def _check_writes(self) -> None:
        """Drop the writes that xend has answered.

        Raises:
            ConnectionLost: one was not, and will not be.
            BusError: xend refused one.
        """
        done = [call for call in self._writes if call.done]
        self._writes = [call for call in self._writes if not call.done]
        for call in done:
            if call.lost:
                raise self._link.lost_error()
            call.result()
