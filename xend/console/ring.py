"""A guest's console page: two rings of bytes, with indices that a hostile guest may set as it likes.

Source: toolstack.md 5; xen/include/public/io/console.h (struct xencons_interface).
"""

from typing import cast

from xenstore._ring import Consumer, Page, Producer

__all__ = ["IN_SIZE", "OUT_SIZE", "ConsolePage"]

IN_SIZE = 1024  # bytes on their way to the guest
OUT_SIZE = 2048  # bytes from the guest
_IN, _OUT = 0, 1024
_IN_CONS, _IN_PROD, _OUT_CONS, _OUT_PROD = 3072, 3076, 3080, 3084
_CONNECTION = 3088  # one byte, since Xen 4.20: 0 means that somebody serves the console


class ConsolePage:
    """Dom0's side of the page.  Goes on where the indices stand, so that a living ring can change hands.

    An index that cannot be (more bytes between the two than the ring holds) marks the console as broken, for
    good: nothing is read or written any more.

    Attributes:
        fault: why the console is broken, one line; None as long as it is not.
    """

    def __init__(self, buffer: object) -> None:
        """`buffer` is the mapped page, 4096 writable bytes (else ValueError)."""
        self.fault: str | None = None
        self._take(Page(buffer))
        with memoryview(cast(bytearray, buffer)).cast("B") as page:
            page[_CONNECTION] = 0

    def read(self, limit: int = OUT_SIZE) -> bytes:
        """Take what the guest wrote, at most `limit` bytes, never more than one ring holds; b"": nothing."""
        if self.fault is not None:
            return b""
        data = self._out.read(min(limit, OUT_SIZE))
        if data is None:
            self._broken("out_prod", self._page.load(_OUT_PROD), "out_cons", self._out.position)
            return b""
        return data

    def write(self, data: bytes) -> int:
        """Give the guest as many of these bytes as its ring has room for; returns how many."""
        if self.fault is not None:
            return 0
        count = self._in.write(data)
        if count is None:
            self._broken("in_cons", self._page.load(_IN_CONS), "in_prod", self._in.position)
            return 0
        return count

    def close(self) -> None:
        """Let go of the buffer, so that it can be unmapped; nothing is read or written from then on."""
        self._take(Page(bytearray(4096)))

    def _take(self, page: Page) -> None:
        self._page = page
        self._in = Producer(page, _IN, IN_SIZE, _IN_PROD, _IN_CONS)
        self._out = Consumer(page, _OUT, OUT_SIZE, _OUT_PROD, _OUT_CONS)

    def _broken(self, theirs: str, value: int, ours: str, position: int) -> None:
        self.fault = f"the guest set {theirs} to {value}, which cannot be with {ours} at {position}"
