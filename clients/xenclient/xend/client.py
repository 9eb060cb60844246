"""What both clients share of `Client`, `Events` and `Console`: all but `with` and `for`."""

from __future__ import annotations

from xenclient.shells import described, method
from xenclient.xend import requests
from xenclient.xend.core import Request
from xenclient.xend.errors import DeadlineError
from xenclient.xend.link import Wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ParamSpec

    from xenclient.shells import Method
    from xenclient.xend.followers import ConsoleOutput, EventStream
    from xenclient.xend.link import Follower, Link

    P = ParamSpec("P")


def _method(function: Callable[P, Request]) -> Method[P, Any]:
    """The request as a method."""

    def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        return self._finish(self._ask(function(*args, **kwargs)))

    return described(call, function)  # type: ignore[no-any-return]


class ClientMethods:
    """Every call of docs/bus.md, on a connection that is made again when it is lost."""

    def __init__(self, new_link: Callable[[Follower | None], Link]) -> None:
        """`new_link(follower)` gives a link of the shell's kind that is not open yet."""
        self._new_link = new_link
        self._link = new_link(None)

    @method
    async def close(self) -> None:
        """Disconnect; operations go on."""
        await self._link.close()

    @method
    async def call(
        self, /, method: str, progress: Callable[[dict[str, Any]], object] | None = None, **params: Any
    ) -> Any:
        """The result of any method of docs/bus.md; parameters that are None are left out.

        progress: gets the operation's map at each of its events meanwhile.

        Raises:
            BusError: xend refused.
            ConnectionLost: xend went away, and the call may have been executed.
            DeadlineError: it took longer than the client's timeout, or than `deadline_s` allows.
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

    async def _ask(self, request: Request) -> Any:
        if request.progress is None:
            return await self._link.ask(request)
        from xenclient.xend.followers import Progress  # most commands of xl need none

        link = self._new_link(Progress(request.params["key"], request.progress))
        try:
            await link.open()
            return await link.ask(request)
        finally:
            await link.close()


class EventsMethods:
    """The event stream, on a connection of its own that is made again when it is lost."""

    def __init__(self, link: Link, stream: EventStream) -> None:
        self._link = link
        self._stream = stream

    @property
    def seq(self) -> int | None:
        """The number of the last event that was given; None before xend has answered."""
        return self._stream.seq

    @method
    async def next(self, seconds: float | None = None) -> dict[str, Any]:
        """The next event, as a map (docs/bus.md, "Events"); without `seconds` waits for ever.

        Raises:
            DeadlineError: none came within `seconds`.
            BusError: the stream ended; too_slow: it was not read fast enough.
        """
        await self._wait_for(self._stream.is_ready, seconds)
        return self._stream.next()

    @method
    async def close(self) -> None:
        """End it."""
        await self._link.close()

    async def _subscribe(self) -> None:
        try:
            await self._link.open()
            await self._wait_for(self._stream.is_subscribed, self._link.timeout)
        except BaseException:
            await self._link.close()
            raise

    async def _wait_for(self, is_done: Callable[[], bool], seconds: float | None) -> None:
        await self._link.within(seconds, Wait("an event"), lambda wait: self._link.wait_for(is_done, wait))


class ConsoleMethods:
    """A domain's console, on a connection of its own."""

    def __init__(self, link: Link, output: ConsoleOutput, domain: str | int, history: int) -> None:
        self._link = link
        self._output = output
        self._request = Request("console.attach", {"domain": domain, "history": history})
        self._number = -1
        #: The domain that was found.
        self.domid = -1

    @method
    async def read(self, seconds: float | None = None) -> bytes | None:
        """What the console brings, as soon as there is any; b"" once the domain is gone.

        None: nothing came within `seconds`; without `seconds` waits for ever.

        Raises:
            ConnectionLost: xend is gone.
            BusError: xend ended it; or, from a blocking client, it refused what was written.
        """
        try:
            await self._link.within(seconds, Wait("the console"), self._wait_for_output)
        except DeadlineError:
            # Something may have come all the same.
            if not self._output.is_ready() and not self._link.connection.lost:
                return None
        if not self._output.is_ready():
            raise self._link.lost_error()
        return self._output.read()

    @method
    async def close(self) -> None:
        """Leave the console."""
        await self._link.close()

    async def _attach(self) -> None:
        try:
            await self._link.open()
            answer = await self._link.ask(self._request)
        except BaseException:
            await self._link.close()
            raise
        self.domid, self._number = answer["domid"], answer["console"]

    async def _wait_for_output(self, wait: Any) -> None:
        await self._link.until(self._is_readable, wait)

    def _is_readable(self) -> bool:
        return self._output.is_ready()
