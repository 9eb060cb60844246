"""The blocking client of xend: plain calls that wait.  For one thread at a time; imports next to nothing."""

from __future__ import annotations

from xenclient.xend import requests
from xenclient.xend.blocking_link import BlockingLink
from xenclient.xend.core import Request
from xenclient.xend.errors import ClientError, ConnectionLost, DeadlineError
from xenclient.xend.followers import HISTORY_BYTES, ConsoleOutput, EventStream, Progress
from xenclient.xend.link import TIMEOUT_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Concatenate, ParamSpec, Self

    from xenclient.xend.core import Call

    P = ParamSpec("P")

#: Pieces of typed text that may wait for their answers.
_WRITES_MAX = 16


def _method(function: Callable[P, Request]) -> Callable[Concatenate[Client, P], Any]:
    """The request as a method that waits for its answer."""

    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        return self._ask(function(*args, **kwargs))

    method.__name__ = method.__qualname__ = function.__name__
    method.__doc__ = function.__doc__
    method.__wrapped__ = function  # type: ignore[attr-defined]  # so that help() shows the arguments
    return method


class Client:
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
        self._timeout = timeout
        self._link = BlockingLink(path, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect; operations go on."""
        self._link.close()

    def call(
        self, method: str, progress: Callable[[dict[str, Any]], object] | None = None, **params: Any
    ) -> Any:
        """The result of any method of docs/bus.md; parameters that are None are left out.

        progress: gets the operation's map at each of its events meanwhile.

        Raises:
            BusError: xend refused.
        """
        return self._ask(Request(method, params, progress))

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
        idle: Callable[[int], object] | None = None,
    ) -> Events:
        """The events after `since`, or from now on; see Events.

        Args:
            kinds: some of domain, device, operation, autostart, store; by default all.
            watch: store paths whose changes are events too.
            idle: called before each wait for xend with the connection's descriptor, to wait until that is
                readable, and for other things meanwhile; what it raises ends the wait.

        Raises:
            BusError: too_slow: events after `since` are forgotten.
        """
        return Events(self._link.path, self._timeout, EventStream(since, kinds, watch), idle)

    def console(self, domain: str | int, history: int = HISTORY_BYTES) -> Console:
        """A domain's console, the last `history` bytes of its output first; see Console."""
        return Console(self._link.path, self._timeout, domain, history)

    def _ask(self, request: Request) -> Any:
        if request.progress is None:
            return self._link.ask(request)
        link = BlockingLink(self._link.path, self._timeout, Progress(request.params["key"], request.progress))
        try:
            return link.ask(request)
        finally:
            link.close()


class Events:
    """The event stream, on a connection of its own that is made again when it is lost; nothing is missed.

    Iterating waits for ever.

    Attributes:
        seq: of the last event that was given; `client.events(since=...)` goes on after it.
    """

    def __init__(
        self,
        path: str,
        timeout: float,
        stream: EventStream,
        idle: Callable[[int], object] | None = None,
    ) -> None:
        self._stream = stream
        self._idle = idle
        self._link = BlockingLink(path, timeout, stream)
        try:
            self._wait(stream.is_subscribed, timeout)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> dict[str, Any]:
        return self.next()

    @property
    def seq(self) -> int | None:
        return self._stream.seq

    def next(self, seconds: float | None = None) -> dict[str, Any]:
        """The next event; without `seconds` waits for ever.

        Raises:
            DeadlineError: none came.
            BusError: the stream ended; too_slow: it was not read fast enough.
        """
        self._wait(self._stream.is_ready, seconds)
        return self._stream.next()

    def close(self) -> None:
        """End it."""
        self._link.close()

    def _wait(self, is_done: Callable[[], bool], seconds: float | None) -> None:
        link = self._link
        deadline = link.deadline(seconds)
        while not is_done():
            link.check_refusal(link.connection)
            link.connect_again(deadline)
            link.flush(deadline.left("an event"))
            if self._idle is not None and link.socket is not None:
                self._idle(link.socket.fileno())
            link.pump(deadline.left("an event"))


class Console:
    """A domain's console, on a connection of its own.

    For select(): call `read(0)` until it returns None, then wait for `fileno()`.
    """

    def __init__(self, path: str, timeout: float, domain: str | int, history: int) -> None:
        self._output = ConsoleOutput()
        self._timeout = timeout
        self._link = BlockingLink(path, timeout, self._output)
        self._writes: list[Call] = []
        try:
            request = Request("console.attach", {"domain": domain, "history": history})
            answer = self._link.ask(request)
        except BaseException:
            self.close()
            raise
        #: The domain that was found.
        self.domid: int = answer["domid"]
        self._number = answer["console"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def fileno(self) -> int:
        """The descriptor that is readable when xend has sent something.

        Raises:
            ConnectionLost: there is no connection any more.
        """
        if self._link.socket is None:
            raise self._lost()
        return self._link.socket.fileno()

    def read(self, seconds: float | None = None) -> bytes | None:
        """What the console brings, as soon as there is any; b"" once the domain is gone.

        None: nothing came within `seconds`; 0 takes what is there.  Without `seconds` waits for ever.

        Raises:
            ConnectionLost: xend is gone.
            BusError: xend ended it; or refused what was written.
        """
        deadline = self._link.deadline(seconds)
        left = seconds
        while not self._output.is_ready():
            self._answers()
            if self._link.connection.lost:
                raise self._lost()
            self._link.pump(left)
            if self._output.is_ready():
                break
            try:
                left = deadline.left("the console")
            except DeadlineError:
                return None
        return self._output.read()

    def write(self, data: bytes) -> None:
        """Type this.  Does not wait for the answer; what xend refuses is raised by a later call.

        Raises:
            ConnectionLost: xend is gone.
            BusError: it refused.
        """
        request = Request("console.write", {"console": self._number, "data": data})
        self._writes.append(self._link.connection.call(request))
        deadline = self._link.deadline(self._timeout)
        self._link.flush(deadline.left("the console to take what is typed"))
        self._answers()
        while len(self._writes) >= _WRITES_MAX:
            self._link.pump(deadline.left("the console to take what is typed"))
            self._answers()

    def close(self) -> None:
        """Leave the console."""
        self._link.close()

    def _answers(self) -> None:
        done = [call for call in self._writes if call.done]
        self._writes = [call for call in self._writes if not call.done]
        for call in done:
            if call.lost:
                raise self._lost()
            call.result()

    def _lost(self) -> ClientError:
        connection = self._link.connection
        return connection.refusal or ConnectionLost(f"{connection.lost} ({self._link.where})")
