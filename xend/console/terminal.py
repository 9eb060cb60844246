"""A console's bytes on their way to and from its pty."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from xend.console.backlog import Backlog
from xend.console.pty import Pty
from xenstore.daemon.groups import first_error

__all__ = ["LINGER_SECONDS", "Terminal"]

_CHUNK_BYTES = 4096
#: How long a reader may take for a domain's last words: closing a pty throws away what nobody read.
LINGER_SECONDS = 1.0
#: How often it is looked whether all was read: while something is, and where nobody reads.
_LOOK_SECONDS, _LOOK_MAX_SECONDS = 0.02, 0.1


class Terminal:
    """Shows bytes on a pty and takes what is typed there.

    Nothing waits for a reader: of what does not fit the pty, the newest `limit` bytes are kept.
    """

    def __init__(self, pty: Pty, limit: int) -> None:
        self.pty = pty
        self.backlog = Backlog(limit)
        self.lost: OSError | None = None  # why the pty works no more

    def show(self, data: bytes) -> None:
        """Never waits."""
        if self.lost is None:
            self.backlog.add(data)

    async def run(self, typed: Callable[[bytes], Awaitable[None]], shown: Callable[[], None]) -> None:
        """Until the pty fails, see `lost`.

        Args:
            typed: is awaited with what was typed.
            shown: is called when there is more room in the backlog.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._show, shown)
                nursery.start_soon(self._take, typed)
        except* OSError as errors:
            error = first_error(errors)
            assert isinstance(error, OSError)
            self.lost = error
            self.backlog.drop(len(self.backlog))

    async def linger(self) -> None:
        """Give a reader the time to read the rest; where nobody does, it is looked at less and less often."""
        pause_s = _LOOK_SECONDS
        with trio.move_on_after(LINGER_SECONDS), suppress(OSError):
            while self.lost is None:
                if self._write():
                    pause_s = _LOOK_SECONDS
                await trio.sleep(pause_s)  # bytes need a moment from one side to the other
                pause_s = min(2 * pause_s, _LOOK_MAX_SECONDS)
                if not self.backlog and not self.pty.unread():
                    return

    async def _show(self, shown: Callable[[], None]) -> None:
        while True:
            await self.backlog.wait()
            await self.pty.wait_room()
            self._write()
            shown()

    def _write(self) -> int:
        """How many bytes the pty took."""
        data = self.backlog.first(_CHUNK_BYTES)
        taken = self.pty.write(data) if data else 0
        self.backlog.drop(taken)
        return taken

    async def _take(self, typed: Callable[[bytes], Awaitable[None]]) -> None:
        while True:
            await typed(await self.pty.receive(_CHUNK_BYTES))
