"""A pty in memory, with somebody at its slave's side or nobody."""

import errno

import trio

from xend.console.pty import Pty


class FakePty(Pty):
    """Has room for `capacity` bytes that nobody read.

    Attributes:
        closed: `close` was called.
        failure: raised by what is done from now on (see `fail`).
    """

    def __init__(self, name: str, capacity: int = 4096) -> None:
        self.name = name
        self.capacity = capacity
        self.closed = False
        self.failure: OSError | None = None
        self._shown = bytearray()
        self._typed = bytearray()
        self._changed = trio.lowlevel.ParkingLot()

    def type(self, data: bytes) -> None:
        """Somebody types."""
        self._typed += data
        self._changed.unpark_all()

    def read(self, limit: int = 1 << 20) -> bytes:
        """Somebody reads what is shown, and makes room."""
        data = bytes(self._shown[:limit])
        del self._shown[:limit]
        self._changed.unpark_all()
        return data

    def fail(self) -> None:
        """The pty is gone."""
        self.failure = OSError(errno.EIO, "Input/output error")
        self._changed.unpark_all()

    async def receive(self, limit: int) -> bytes:
        await trio.lowlevel.checkpoint()
        while not self._typed and self.failure is None:
            await self._changed.park()
        self._check()
        data = bytes(self._typed[:limit])
        del self._typed[:limit]
        return data

    async def wait_room(self) -> None:
        await trio.lowlevel.checkpoint()
        while len(self._shown) >= self.capacity and self.failure is None:
            await self._changed.park()

    def write(self, data: bytes) -> int:
        assert not self.closed
        self._check()
        data = data[: self.capacity - len(self._shown)]
        self._shown += data
        return len(data)

    def unread(self) -> int:
        return len(self._shown)

    def close(self) -> None:
        self.closed = True

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure
