"""Cutting a stream of MessagePack into messages, within bounds that hold before anything is built.

msgpack's own limits count what one container declares, not what a whole message does: a megabyte of empty
maps makes sixty of objects, and nested headers reserve room for elements that never come.  So the headers
are walked first, as they arrive, and a message is decoded when it is whole and known to be small.
"""

from typing import Any

import msgpack

#: Bytes of one message; docs/bus.md, "Messages".
MESSAGE_MAX_BYTES = 1 << 20
#: Arrays and maps within each other, the message's own array being the first.
NESTING_MAX = 32
#: Values of one message, counted with keys: each costs some fifty times its byte once it is decoded.
VALUES_MAX = 1 << 16

# What follows a first byte: the value's size where that byte tells, or how many bytes of length follow it.
_SIZE = bytearray(256)
_LENGTH_BYTES = bytearray(256)
#: How many values belong to one unit of length: of arrays 1, of maps 2, of strings none.
_ELEMENTS = bytearray(256)
_REFUSED = {
    0xC1: "a byte that begins no value (0xc1)",
    **dict.fromkeys([0xC7, 0xC8, 0xC9, *range(0xD4, 0xD9)], "an extension type"),
}


def _fill_tables() -> None:
    for first in [*range(0x80), 0xC0, 0xC2, 0xC3, *range(0xE0, 0x100)]:
        _SIZE[first] = 1
    for first in range(0xA0, 0xC0):
        _SIZE[first] = 1 + (first & 0x1F)
    for first, size in zip(range(0xCA, 0xD4), (5, 9, 2, 3, 5, 9, 2, 3, 5, 9), strict=True):
        _SIZE[first] = size
    for first, width in [(0xC4, 1), (0xC5, 2), (0xC6, 4), (0xD9, 1), (0xDA, 2), (0xDB, 4)]:
        _LENGTH_BYTES[first] = width
    for first, width, elements in [(0xDC, 2, 1), (0xDD, 4, 1), (0xDE, 2, 2), (0xDF, 4, 2)]:
        _LENGTH_BYTES[first] = width
        _ELEMENTS[first] = elements
    for first in range(0x80, 0x90):
        _ELEMENTS[first] = 2
    for first in range(0x90, 0xA0):
        _ELEMENTS[first] = 1


_fill_tables()


class FrameError(Exception):
    """These bytes are no message; nothing after them can be understood.  The text says why."""


class Splitter:
    """Bytes in, decoded arrays out."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._begin()

    @property
    def waiting_bytes(self) -> int:
        """How many bytes were fed and not yet given out as messages."""
        return len(self._buffer)

    def feed(self, data: bytes | bytearray) -> None:
        """Take bytes as they came; the caller bounds `waiting_bytes`."""
        self._buffer += data

    def next(self) -> list[Any] | None:
        """The next whole message; None while there is none.

        Raises:
            FrameError: there never will be one.
        """
        if not self._walk():
            return None
        data = bytes(self._buffer[: self._at])
        del self._buffer[: self._at]
        self._begin()
        try:
            message: list[Any] = msgpack.unpackb(data)
        except ValueError as error:
            raise FrameError(f"a text that is not UTF-8, or a key that is no text ({error})") from None
        return message

    def _begin(self) -> None:
        #: Where the next value begins; beyond the buffer's end inside a string that has not come whole.
        self._at = 0
        #: How many values are missing, for each open array or map; outermost first.
        self._missing = [1]
        #: Values of this message, those declared and not yet come included.
        self._values = 1

    def _walk(self) -> bool:
        """Go on from header to header; True at the end of a whole message."""
        missing, buffer = self._missing, self._buffer
        while missing:
            if not missing[-1]:
                missing.pop()
            elif not self._step(buffer):
                return False
        return self._at <= len(buffer)

    def _step(self, buffer: bytearray) -> bool:
        """Pass one value's header, and its body if it has no elements; False: its bytes have not come."""
        at = self._at
        if at >= len(buffer):
            return False
        first = buffer[at]
        if at == 0 and first & 0xF0 != 0x90 and first not in (0xDC, 0xDD):
            raise FrameError(f"a message is an array, and none begins with byte 0x{first:02x}")
        if first in _REFUSED:
            raise FrameError(f"{_REFUSED[first]} in a message")
        if size := _SIZE[first]:
            self._missing[-1] -= 1
            self._pass(size)
            return True
        return self._step_long(buffer, first)

    def _step_long(self, buffer: bytearray, first: int) -> bool:
        """The same for a value that is a container, or whose length stands in further bytes."""
        width = _LENGTH_BYTES[first]
        body = self._at + 1 + width
        if body > len(buffer):
            return False
        length = int.from_bytes(buffer[self._at + 1 : body]) if width else first & 0x0F
        self._missing[-1] -= 1
        elements = _ELEMENTS[first]
        if elements:
            self._open(length * elements)
            self._pass(1 + width)
        else:
            self._pass(1 + width + length)
        return True

    def _open(self, values: int) -> None:
        self._values += values
        if self._values > VALUES_MAX:
            raise FrameError(f"a message of more than {VALUES_MAX} values")
        # Those that are full are still there: a last element is within its container all the same.
        if len(self._missing) > NESTING_MAX:
            raise FrameError(f"arrays and maps nested deeper than {NESTING_MAX}")
        self._missing.append(values)

    def _pass(self, size: int) -> None:
        self._at += size
        if self._at > MESSAGE_MAX_BYTES:
            raise FrameError(f"a message of more than {MESSAGE_MAX_BYTES} bytes")
