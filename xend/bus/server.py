"""Serving the bus: connections come, are checked and are served; none of them can hurt another."""

import errno
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import trio

from xend.bus.connection import Connection
from xend.bus.listeners import Listener
from xend.bus.messages import NO_CALL, refusal
from xend.bus.methods import Method, Methods
from xend.bus.peer import Peer
from xend.bus.request_loop import LAST_WORD_SECONDS, RequestLoop
from xend.errors import XendError
from xend.faults import as_xend_error

#: Connections of one socket at a time; who comes then waits until another goes.
CONNECTIONS_MAX = 512
#: The system's reasons to accept nothing just now, all of which pass.
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS)
_NO_ROOM_SECONDS = 0.1


class Server:
    """The bus.

    Args:
        methods: what can be called.
        log: takes a line, or lines with a traceback.
        operations: where calls run that do not end with their callers.
    """

    def __init__(
        self, methods: Iterable[Method], log: Callable[[str], object], operations: trio.Nursery
    ) -> None:
        self._methods = Methods(methods)
        self._log = log
        self._operations = operations

    async def serve_all(self, listener: Listener) -> None:
        """Serve all who connect to a listener, for ever."""
        slots = trio.Semaphore(CONNECTIONS_MAX)
        async with trio.open_nursery() as nursery:
            while True:
                await slots.acquire()
                stream = await self._accepted(listener)
                nursery.start_soon(self._serve, listener, stream, slots)

    async def converse(
        self, stream: trio.abc.Stream, access: str = "operate", peer: Peer | None = None
    ) -> None:
        """Serve one client on any stream, until it goes; raises nothing."""
        connection = Connection(access, peer, self._log)
        try:
            await RequestLoop(stream, connection, self._methods, self._log, self._operations).run()
        except Exception as error:  # noqa: BLE001 - one client's fault is not the others'
            as_xend_error(error, f"connection of {peer or 'a client'}", self._log)

    async def _accepted(self, listener: Listener) -> trio.SocketStream:
        while True:
            try:
                return await listener.socket.accept()
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                self._log(f"{listener.path}: no connection can be accepted now: {error.strerror}")
                await trio.sleep(_NO_ROOM_SECONDS)

    async def _serve(self, listener: Listener, stream: trio.SocketStream, slots: trio.Semaphore) -> None:
        try:
            peer = await listener.peer(stream)
        except Exception as error:  # noqa: BLE001 - one client's fault is not the others'
            refused = as_xend_error(error, listener.path, self._log)
            self._log(f"refused: {refused}")
            await _refuse(stream, refused)
        else:
            await self.converse(stream, listener.access, peer)
        finally:
            slots.release()


async def serve(
    listeners: Sequence[Listener],
    methods: Iterable[Method],
    log: Callable[[str], object],
    *,
    task_status: trio.TaskStatus[Server] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the bus on these listeners until cancelled; calls that are running then are cancelled too."""
    async with trio.open_nursery() as nursery:
        server = Server(methods, log, nursery)
        for listener in listeners:
            nursery.start_soon(server.serve_all, listener)
        task_status.started(server)
        # With no listener there is nothing else to keep it open.
        await trio.sleep_forever()


async def _refuse(stream: trio.SocketStream, error: XendError) -> None:
    async with stream:
        with trio.move_on_after(LAST_WORD_SECONDS), suppress(trio.BrokenResourceError):
            await stream.send_all(refusal(NO_CALL, error.as_map()))
