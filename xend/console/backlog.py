"""Bytes for somebody who may be slow: bounded, the newest are kept."""

import trio

__all__ = ["Backlog"]


class Backlog:
    """At most `limit` bytes in order; the oldest make room for new ones.

    Attributes:
        lost: how many bytes had to make room since somebody last set this to 0.
        closed: nothing more will be added.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.lost = 0
        self.closed = False
        self._data = bytearray()
        self._waiting = trio.lowlevel.ParkingLot()

    def __len__(self) -> int:
        return len(self._data)

    @property
    def room(self) -> int:
        """Bytes that can be added before others are lost."""
        return self.limit - len(self._data)

    def add(self, data: bytes) -> None:
        """Append; never waits."""
        self._data += data
        excess = len(self._data) - self.limit
        if excess > 0:
            del self._data[:excess]  # cheap: a bytearray moves its start, not its bytes
            self.lost += excess
        if self._data:
            self._waiting.unpark_all()

    def close(self) -> None:
        """Wake who waits; what is left can still be taken."""
        self.closed = True
        self._waiting.unpark_all()

    async def wait(self) -> None:
        """Returns once there is something, or never will be."""
        await trio.lowlevel.checkpoint()
        while not self._data and not self.closed:
            await self._waiting.park()

    def first(self, count: int) -> bytes:
        """The oldest bytes, at most `count`; they stay."""
        return bytes(self._data[:count])

    def last(self, count: int) -> bytes:
        """The newest bytes, at most `count`; they stay."""
        return bytes(self._data[-count:]) if count > 0 else b""

    def drop(self, count: int) -> None:
        """Remove the oldest bytes: somebody has them."""
        del self._data[:count]
