"""Event channels made of datagram sockets: a datagram, whatever it holds, is a notification."""

import errno
import os
import socket
from contextlib import suppress
from pathlib import Path

import trio

#: What a full queue answers: Linux, the BSDs.
_FULL = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS)
_NOBODY = (errno.ENOENT, errno.ECONNREFUSED, errno.ECONNRESET)
#: How many notifications are taken at once.
_BATCH = 64
#: How soon what a full queue refused is sent again, in seconds.
RETRY_SECONDS = 0.01


class Channel:
    """One end of an event channel: the socket `own`, bound anew here, notifies the socket `peer`."""

    def __init__(self, own: Path, peer: Path) -> None:
        self._peer = os.fspath(peer)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            own.unlink(missing_ok=True)
            self._socket.bind(os.fspath(own))
        except OSError:
            self._socket.close()
            raise

    async def wait(self) -> None:
        """Returns once the peer has notified since the last call.

        Raises:
            trio.ClosedResourceError: this end was closed.
        """
        if self._socket.fileno() >= 0:
            await trio.lowlevel.wait_readable(self._socket)
        if self._socket.fileno() < 0:  # perhaps between the notification and this task's turn
            await trio.lowlevel.checkpoint()
            raise trio.ClosedResourceError
        with suppress(BlockingIOError):
            for _ in range(_BATCH):
                self._socket.recv(1)

    def notify(self) -> None:
        """Notify the peer: nothing happens where there is none, or one that has notifications enough."""
        if self._socket.fileno() >= 0:
            _send(self._socket, b"\0", self._peer)

    def close(self) -> None:
        """Who waits is told."""
        if self._socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self._socket)
            self._socket.close()


class Doorbell:
    """Fires ports of the store's; what its full queue refused is fired again soon, by `retry`."""

    def __init__(self, store: Path) -> None:
        self._store = os.fspath(store)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._refused: dict[int, None] = {}
        self._wanted = trio.Event()

    def fire(self, port: int) -> bool:
        """Returns whether there is a store."""
        outcome = _send(self._socket, port.to_bytes(4, "little"), self._store)
        if outcome in _FULL:
            self._refused[port] = None
            self._wanted.set()
        return outcome not in _NOBODY

    async def retry(self) -> None:
        """Until cancelled."""
        while True:
            await self._wanted.wait()
            await trio.sleep(RETRY_SECONDS)
            self._wanted = trio.Event()
            refused, self._refused = self._refused, {}
            for port in refused:
                self.fire(port)

    def close(self) -> None:
        self._socket.close()


def _send(own: socket.socket, datagram: bytes, peer: str) -> int:
    """0, or why the datagram went nowhere: one of _FULL or _NOBODY."""
    try:
        own.sendto(datagram, peer)
    except OSError as error:
        if error.errno in _FULL or error.errno in _NOBODY:
            return error.errno
        raise
    return 0
