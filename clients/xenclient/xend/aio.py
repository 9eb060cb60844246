"""The trio client of xend: many tasks may call at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from xenclient.shells import Awaited
from xenclient.xend.aio_link import TrioLink, connect_socket
from xenclient.xend.client import ClientMethods, ConsoleMethods, EventsMethods
from xenclient.xend.core import Request
from xenclient.xend.followers import ConsoleOutput, EventStream
from xenclient.xend.link import HISTORY_BYTES, TIMEOUT_SECONDS

if TYPE_CHECKING:
    from xenclient.xend.aio_link import Connect


class Client(Awaited, ClientMethods):
    """A connection to xend, made again when it is lost; connects as `async with Client() as client`.

    A call that was not answered then is sent again, once, if it only asks, or is an operation: xend knows it
    by its key and does it once.  Any other raises ConnectionLost.
    """

    def __init__(
        self, path: str | None = None, timeout: float = TIMEOUT_SECONDS, *, connect: Connect = connect_socket
    ) -> None:
        """
        Args:
            path: the socket; by default $XEND_SOCKET, else /var/run/xend/socket.  Where it may not be opened,
                the readers' socket beside it is, for calls that only ask.
            timeout: seconds a call may take that is no operation, and for which a lost xend is tried.
            connect: opens a stream to a path, in place of the socket.
        """
        super().__init__(lambda follower: TrioLink(path, timeout, connect, follower))

    async def __aenter__(self) -> Self:
        """Connects.

        Raises:
            ConnectError: there is no xend.
        """
        await self._link.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def events(
        self,
        since: int | None = None,
        kinds: Sequence[str] | None = None,
        watch: Sequence[str] | None = None,
    ) -> Events:
        """The events after `since`, or from now on; see Events.

        Args:
            kinds: some of domain, device, operation, autostart, managed, store; by default all.
            watch: store paths whose changes are events too.
        """
        stream = EventStream(since, kinds, watch)
        return Events(self._new_link(stream), stream)

    def console(self, domain: str | int, history: int = HISTORY_BYTES) -> Console:
        """A domain's console, the last `history` bytes of its output first; see Console."""
        output = ConsoleOutput()
        return Console(self._new_link(output), output, domain, history)


class Events(Awaited, EventsMethods):
    """The event stream, on a connection of its own that is made again when it is lost; nothing is missed.

    Subscribes as `async with client.events() as events`, which raises BusError (too_slow) where events after
    `since` are forgotten.  Iterating waits for ever.

    Attributes:
        seq: of the last event that was given; `client.events(since=...)` goes on after it.
    """

    async def __aenter__(self) -> Self:
        await self._subscribe()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[str, Any]:
        return await self.next()


class Console(Awaited, ConsoleMethods):
    """A domain's console, on a connection of its own: `async with client.console(domain) as console`.

    Attributes:
        domid: the domain that was found.
    """

    async def __aenter__(self) -> Self:
        """Attaches.

        Raises:
            BusError: there is no such domain, or it has no console.
        """
        await self._attach()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def write(self, data: bytes) -> None:
        """Type this.

        Raises:
            ConnectionLost: xend is gone.
            BusError: it refused.
        """
        if self._link.connection.lost:
            raise self._link.lost_error()
        await self._link.ask(Request("console.write", {"console": self._number, "data": data}))
