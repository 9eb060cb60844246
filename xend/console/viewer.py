"""Somebody who looks at a console, over the bus."""

from collections.abc import Awaitable, Callable

from xend.console.backlog import Backlog

__all__ = ["BACKLOG_BYTES", "Viewer"]

BACKLOG_BYTES = 64 * 1024
_CHUNK_BYTES = 16 * 1024


class Viewer:
    """One of any number; a slow one loses the oldest bytes, a mark in their place, and holds up nobody."""

    def __init__(
        self,
        history: bytes,
        send: Callable[[bytes], Awaitable[None]],
        leave: Callable[["Viewer"], object],
    ) -> None:
        self._backlog = Backlog(BACKLOG_BYTES)
        self._backlog.add(history)
        self._send = send
        self._leave = leave

    async def receive(self) -> bytes:
        """What the console showed since, at least one byte; b"": it ended, or this viewer was closed."""
        await self._backlog.wait()
        data = self._backlog.first(_CHUNK_BYTES)
        self._backlog.drop(len(data))
        if lost := self._backlog.lost:
            self._backlog.lost = 0
            return b"\r\n[xend: %d bytes are missing here]\r\n" % lost + data
        return data

    async def send(self, data: bytes) -> None:
        """Type: returns once all is on its way to the guest; waits as long as the guest does not read.

        Raises:
            XendError: guest_died, device_failed.
        """
        await self._send(data)

    def close(self) -> None:
        """Look no more; `receive` returns b"" after what it has."""
        self._leave(self)
        self._backlog.close()

    def move_to(self, send: Callable[[bytes], Awaitable[None]], leave: Callable[["Viewer"], object]) -> None:
        """For another console of the same domain: it shows that one from now on."""
        self._send, self._leave = send, leave

    def put(self, data: bytes) -> None:
        """For the console: show this."""
        self._backlog.add(data)
