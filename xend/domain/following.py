"""Follows somebody else who reads or writes a file: how far that is, and the checksum of what lies behind.

Whoever does so has the same open file, and so the same place in it.
"""

import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs
import trio

from xend._sum import Sum
from xend.errors import XendError
from xend.operation.steps import Work
from xenstore.daemon.groups import alone

#: How often it is looked.
LOOK_SECONDS = 0.5
#: So much is taken at a time; what is as long is taken in a thread.
PIECE_BYTES = 4 << 20
#: So much is read at a time: memory for more is new to the process each time, and each page of it costs a
#: fault, which takes a paravirtual dom0 longer than the checksum of the page.
READ_BYTES = 64 << 10
_T = TypeVar("_T")


@attrs.define
class Follower:
    """Of a file, from a place on.

    Attributes:
        begins: that place.
        total_kib: of the domain's memory, about as long as the file becomes.
        checksum: of what was followed.
    """

    fd: int
    begins: int
    total_kib: int
    checksum: Sum = attrs.field(factory=Sum)

    @property
    def place(self) -> int:
        """As far as it has followed."""
        return self.begins + self.checksum.length

    async def beside(self, work: Work, do: Callable[[], Awaitable[_T]]) -> _T:
        """What `do` returns; its progress is told meanwhile."""
        began = trio.current_time()
        with alone(XendError, OSError):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._follow, work, began)
                result = await do()
                nursery.cancel_scope.cancel()
        self._tell(work, began)
        return result

    async def catch_up(self, end: int) -> None:
        """Follow up to a place, by reading what the other one did not add to the checksum.

        Raises:
            OSError: the file cannot be read, or has become shorter.
        """
        while self.place < end:
            count = min(PIECE_BYTES, end - self.place)
            if count < PIECE_BYTES:
                self._take(count)
            else:
                await trio.to_thread.run_sync(self._take, count)

    async def _follow(self, work: Work, began: float) -> None:
        while True:
            await trio.sleep(LOOK_SECONDS)
            self._tell(work, began)

    def _tell(self, work: Work, began: float) -> None:
        done_kib = (os.lseek(self.fd, 0, os.SEEK_CUR) - self.begins) // 1024
        work.moved(min(done_kib, self.total_kib), self.total_kib, trio.current_time() - began)

    def _take(self, count: int) -> None:
        end = self.place + count
        while self.place < end:
            data = os.pread(self.fd, min(READ_BYTES, end - self.place), self.place)
            if not data:
                raise OSError(0, "the file has become shorter")
            self.checksum.add(data)
