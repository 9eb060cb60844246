"""What a kernel has yet to look at: watch events, each kept once."""

import trio


class Inbox:
    """Events by (path, token), in the order of their first coming.

    Who takes one looks at the store as it is now, so what came twice needs one look; the number of paths
    bounds the size.
    """

    def __init__(self) -> None:
        self._events: dict[tuple[str, str], None] = {}
        self._came = trio.Event()

    def put(self, path: str, token: str) -> None:
        """Keep an event."""
        self._events[path, token] = None
        self._came.set()

    async def take(self) -> tuple[str, str]:
        """The oldest event, (path, token), waited for."""
        while not self._events:
            self._came = trio.Event()
            await self._came.wait()
        first = next(iter(self._events))
        del self._events[first]
        return first
