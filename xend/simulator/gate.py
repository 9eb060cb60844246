"""What a paused domain's vCPUs stand still at."""

import trio


class Gate:
    """Shut at first."""

    def __init__(self) -> None:
        self._opened = trio.Event()

    @property
    def is_open(self) -> bool:
        """Whether `passed` returns at once."""
        return self._opened.is_set()

    def open(self) -> None:
        """Let everybody through."""
        self._opened.set()

    def shut(self) -> None:
        """Hold whoever comes from now on."""
        if self._opened.is_set():
            self._opened = trio.Event()

    async def passed(self) -> None:
        """Returns while it is open; no checkpoint then."""
        while not self._opened.is_set():
            await self._opened.wait()
