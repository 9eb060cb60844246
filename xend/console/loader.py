"""The console of a domain whose boot loader runs: a program of dom0 speaks there, before the guest does."""

from collections.abc import Callable

import trio

from xend.console.backlog import Backlog
from xend.console.shown import Shown
from xend.console.terminal import Terminal

__all__ = ["LoaderConsole"]

INPUT_BYTES = 4096  # typed and not yet taken by the program; the oldest is lost


class LoaderConsole(Shown):
    """Shows what a boot loader says, and keeps what is typed until it takes it.

    It stays after the program's end until the guest's own console takes its place, with those who look at it.
    """

    def __init__(self, title: str, terminal: Terminal | None, log_line: Callable[[str], object]) -> None:
        super().__init__(title, terminal, log_line)
        self._input = Backlog(INPUT_BYTES)

    async def run(self) -> None:
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._serve_terminal)
                    await trio.sleep_forever()
        finally:
            self._input.close()
            self._close_all()

    def move(self) -> None:
        pass

    def show(self, data: bytes) -> None:
        """The program said this."""
        if not self.ended.is_set():
            self._show(data)

    async def typed(self) -> bytes:
        """What was typed for the program; waits for it; b"": the console ended."""
        await self._input.wait()
        data = self._input.first(INPUT_BYTES)
        self._input.drop(len(data))
        return data

    async def send(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self._input.add(data)

    async def _typed(self, data: bytes) -> None:
        self._input.add(data)
