"""The guest's end of its console ring (xen/include/public/io/console.h)."""

import trio

from xend.simulator.channel import Channel
from xend.simulator.gate import Gate
from xenstore._ring import Consumer, Page, Producer

_IN, _IN_SIZE, _OUT, _OUT_SIZE = 0, 1024, 1024, 2048
_IN_CONS, _IN_PROD, _OUT_CONS, _OUT_PROD = range(3072, 3088, 4)

#: How much output waits for room in the ring, in bytes; what comes on top of it is lost.
PENDING_MAX = 16 * 1024
#: How often the ring is looked at without a notification, in seconds.
LOOK_SECONDS = 20.0


class Console:
    """What the kernel prints goes out as the ring has room; nobody who prints ever waits."""

    def __init__(self, page: object, channel: Channel, gate: Gate) -> None:
        shared = Page(page)
        self._input = Consumer(shared, _IN, _IN_SIZE, _IN_PROD, _IN_CONS)
        self._output = Producer(shared, _OUT, _OUT_SIZE, _OUT_PROD, _OUT_CONS)
        self._channel = channel
        self._gate = gate
        self._pending = bytearray()

    def write(self, text: str) -> None:
        """Put text out, or keep it until there is room, or lose it."""
        self._pending += text.encode("utf-8", "surrogateescape")[: PENDING_MAX - len(self._pending)]
        if self._flush():
            self._channel.notify()

    def print(self, line: str) -> None:
        """Put a line out."""
        self.write(line + "\r\n")

    async def drained(self) -> None:
        """Returns once all output is in the ring."""
        while self._pending:
            await self._wait()
            if self._flush():
                self._channel.notify()

    async def read(self) -> bytes:
        """What was typed, waited for; output goes on meanwhile."""
        while True:
            typed = self._input.read() or b""
            if self._flush() or typed:
                self._channel.notify()
            if typed:
                return typed
            await self._wait()

    async def _wait(self) -> None:
        with trio.move_on_after(LOOK_SECONDS):
            await self._channel.wait()
        await self._gate.passed()

    def _flush(self) -> bool:
        """Give what fits; returns whether anything was given."""
        if not self._pending:
            return False
        count = self._output.write(bytes(self._pending)) or 0
        del self._pending[:count]
        return count > 0
