"""The trio client of xend: many tasks may call at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self

import trio

from xenclient.xend import requests
from xenclient.xend.aio_link import TrioLink, connect_socket
from xenclient.xend.core import Request
from xenclient.xend.errors import ClientError, ConnectionLost, DeadlineError
from xenclient.xend.followers import HISTORY_BYTES, ConsoleOutput, EventStream, Progress
from xenclient.xend.link import TIMEOUT_SECONDS, Follower

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from xenclient.xend.aio_link import Connect

P = ParamSpec("P")


def _method(function: Callable[P, Request]) -> Callable[Concatenate[Client, P], Coroutine[Any, Any, Any]]:
    """The request as a method that waits for its answer."""

    async def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        return await self._ask(function(*args, **kwargs))

    method.__name__ = method.__qualname__ = function.__name__
    method.__doc__ = function.__doc__
    method.__wrapped__ = function  # type: ignore[attr-defined]  # so that help() shows the arguments
    return method


class Client:
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
        self._path = path
        self._timeout = timeout
        self._connect = connect
        self._link = self._new_link()

    async def __aenter__(self) -> Self:
        """Connects.

        Raises:
            ConnectError: there is no xend.
        """
        await self._link.open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Disconnect; operations go on."""
        await self._link.close()

    async def call(
        self, method: str, progress: Callable[[dict[str, Any]], object] | None = None, **params: Any
    ) -> Any:
        """The result of any method of docs/bus.md; parameters that are None are left out.

        progress: gets the operation's map at each of its events meanwhile.

        Raises:
            BusError: xend refused.
        """
        return await self._ask(Request(method, params, progress))

    hello = _method(requests.hello)
    host_info = _method(requests.host_info)
    dmesg = _method(requests.dmesg)
    domains = _method(requests.domains)
    domain_config = _method(requests.domain_config)
    create = _method(requests.create)
    unpause = _method(requests.unpause)
    pause = _method(requests.pause)
    destroy = _method(requests.destroy)
    shutdown = _method(requests.shutdown)
    reboot = _method(requests.reboot)
    rename = _method(requests.rename)
    set_memory = _method(requests.set_memory)
    sysrq = _method(requests.sysrq)
    devices = _method(requests.devices)
    device_explain = _method(requests.device_explain)
    device_attach = _method(requests.device_attach)
    device_detach = _method(requests.device_detach)
    device_insert = _method(requests.device_insert)
    device_eject = _method(requests.device_eject)
    autostart = _method(requests.autostart)
    autostop = _method(requests.autostop)
    operations = _method(requests.operations)
    operation = _method(requests.operation)
    operation_wait = _method(requests.operation_wait)
    operation_cancel = _method(requests.operation_cancel)

    def events(
        self,
        since: int | None = None,
        kinds: Sequence[str] | None = None,
        watch: Sequence[str] | None = None,
    ) -> Events:
        """The events after `since`, or from now on; see Events.

        Args:
            kinds: some of domain, device, operation, autostart, store; by default all.
            watch: store paths whose changes are events too.
        """
        stream = EventStream(since, kinds, watch)
        return Events(self._new_link(stream), stream)

    def console(self, domain: str | int, history: int = HISTORY_BYTES) -> Console:
        """A domain's console, the last `history` bytes of its output first; see Console."""
        output = ConsoleOutput()
        return Console(self._new_link(output), output, domain, history)

    def _new_link(self, follower: Follower | None = None) -> TrioLink:
        return TrioLink(self._path, self._timeout, self._connect, follower)

    async def _ask(self, request: Request) -> Any:
        if request.progress is None:
            return await self._link.ask(request)
        link = self._new_link(Progress(request.params["key"], request.progress))
        try:
            await link.open()
            return await link.ask(request)
        finally:
            await link.close()


class Events:
    """The event stream, on a connection of its own that is made again when it is lost; nothing is missed.

    Subscribes as `async with client.events() as events`, which raises BusError (too_slow) where events after
    `since` are forgotten.  Iterating waits for ever.

    Attributes:
        seq: of the last event that was given; `client.events(since=...)` goes on after it.
    """

    def __init__(self, link: TrioLink, stream: EventStream) -> None:
        self._link = link
        self._stream = stream

    async def __aenter__(self) -> Self:
        try:
            await self._link.open()
            await self._wait(self._stream.is_subscribed, self._link.timeout)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[str, Any]:
        return await self.next()

    @property
    def seq(self) -> int | None:
        return self._stream.seq

    async def next(self, seconds: float | None = None) -> dict[str, Any]:
        """The next event; without `seconds` waits for ever.

        Raises:
            DeadlineError: none came.
            BusError: the stream ended; too_slow: it was not read fast enough.
        """
        await self._wait(self._stream.is_ready, seconds)
        return self._stream.next()

    async def close(self) -> None:
        """End it."""
        await self._link.close()

    async def _wait(self, is_done: Callable[[], bool], seconds: float | None) -> None:
        link = self._link
        with trio.move_on_after(math.inf if seconds is None else seconds):
            await trio.lowlevel.checkpoint()
            while not is_done():
                link.check_refusal(link.connection)
                await link.connect_again()
                await link.flush()
                await link.until(is_done)
            return
        assert seconds is not None
        raise DeadlineError("an event", seconds, link.where)


class Console:
    """A domain's console, on a connection of its own: `async with client.console(domain) as console`.

    Attributes:
        domid: the domain that was found.
    """

    def __init__(self, link: TrioLink, output: ConsoleOutput, domain: str | int, history: int) -> None:
        self._link = link
        self._output = output
        self._request = Request("console.attach", {"domain": domain, "history": history})
        self._number = -1
        self.domid = -1

    async def __aenter__(self) -> Self:
        try:
            await self._link.open()
            answer = await self._link.ask(self._request)
        except BaseException:
            await self.close()
            raise
        self.domid, self._number = answer["domid"], answer["console"]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def read(self, seconds: float | None = None) -> bytes | None:
        """What the console brings, as soon as there is any; b"" once the domain is gone.

        None: nothing came within `seconds`.  Without `seconds` waits for ever.

        Raises:
            ConnectionLost: xend is gone.
            BusError: xend ended it.
        """
        with trio.move_on_after(math.inf if seconds is None else seconds):
            await self._link.until(self._output.is_ready)
        if self._output.is_ready():
            return self._output.read()
        if self._link.connection.lost:
            raise self._lost()
        return None

    async def write(self, data: bytes) -> None:
        """Type this.

        Raises:
            ConnectionLost: xend is gone.
            BusError: it refused.
        """
        if self._link.connection.lost:
            raise self._lost()
        await self._link.ask(Request("console.write", {"console": self._number, "data": data}))

    async def close(self) -> None:
        """Leave the console."""
        await self._link.close()

    def _lost(self) -> ClientError:
        connection = self._link.connection
        return connection.refusal or ConnectionLost(f"{connection.lost} ({self._link.where})")
