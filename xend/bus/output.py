"""What waits to be sent on one connection: answers, notifications and, if it comes to that, the last word."""

from collections import deque

import attrs
import trio

#: Notifications of one connection that wait unsent before it is cut off (docs/bus.md, "Events").
NOTIFICATIONS_MAX = 1000
#: The same in bytes: a console's output comes in larger pieces than events do.
NOTIFICATIONS_MAX_BYTES = 4 << 20
#: Who produces at leisure waits while so many bytes wait to be sent.
_ROOM_BYTES = 64 << 10
_BATCH_BYTES = 64 << 10


@attrs.frozen
class Message:
    """Attributes:
    is_answer: it ends a call when it is sent; otherwise it is a notification.
    """

    data: bytes
    is_answer: bool


class Output:
    """A queue whose sizes are known."""

    def __init__(self) -> None:
        self._queue: deque[Message] = deque()
        self._bytes = 0
        self._notifications = 0
        self._notification_bytes = 0
        self._filled = trio.lowlevel.ParkingLot()
        self._emptied = trio.lowlevel.ParkingLot()

    def is_empty(self) -> bool:
        """Whether all was handed out by `batch`."""
        return not self._queue

    def is_behind(self) -> bool:
        """Whether more notifications wait than a listener may leave unread."""
        return self._notifications >= NOTIFICATIONS_MAX or self._notification_bytes > NOTIFICATIONS_MAX_BYTES

    def put(self, data: bytes, *, is_answer: bool) -> None:
        """Queue a message."""
        self._queue.append(Message(data, is_answer))
        self._count(data, 1, is_answer)
        self._filled.unpark_all()

    def has_room(self) -> bool:
        """Whether little waits to be sent."""
        return self._bytes < _ROOM_BYTES

    async def room(self) -> None:
        """Wait until little waits to be sent."""
        while not self.has_room():
            await self._emptied.park()

    async def batch(self) -> tuple[bytes, int]:
        """What to send next, and how many answers are in it; waits for something to send."""
        while not self._queue:
            await self._filled.park()
        parts: list[bytes] = []
        size = answers = 0
        while self._queue and (not parts or size + len(self._queue[0].data) <= _BATCH_BYTES):
            message = self._queue.popleft()
            self._count(message.data, -1, message.is_answer)
            parts.append(message.data)
            size += len(message.data)
            answers += message.is_answer
        self._emptied.unpark_all()
        return b"".join(parts), answers

    def _count(self, data: bytes, sign: int, is_answer: bool) -> None:
        self._bytes += sign * len(data)
        if not is_answer:
            self._notifications += sign
            self._notification_bytes += sign * len(data)
