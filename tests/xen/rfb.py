"""Runs in dom0: looks at a screen over VNC's protocol, and says what it shows as JSON.

    python -m tests.xen.rfb PORT [COLOURS]

It has "size": [width, height], and "colours": how many there are; it is looked at until there are COLOURS.
(RFC 6143: 3.8.)
"""

import json
import socket
import struct
import sys
import time
from typing import BinaryIO

#: What each answer may take, and the pause until it is looked again.
TIMEOUT_S, PAUSE_S = 60, 2
VERSION = b"RFB 003.008\n"
NO_PASSWORD, SHARED = b"\1", b"\1"
SET_ENCODINGS, UPDATE_REQUEST = 2, 3
RAW = 0


class Screen:
    """A connection to a server that asks for no password."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self._file: BinaryIO = self._socket.makefile("rb")
        assert self._read(12) == VERSION
        self._socket.sendall(VERSION)
        (kinds,) = self._read(1)
        assert NO_PASSWORD in self._read(kinds)
        self._socket.sendall(NO_PASSWORD)
        assert self._numbers(">I") == (0,)
        self._socket.sendall(SHARED)
        self.width, self.height, bits = self._numbers(">HHB15x")
        self.pixel_bytes = bits // 8
        (length,) = self._numbers(">I")
        self.name = self._read(length)
        self._socket.sendall(struct.pack(">BxHi", SET_ENCODINGS, 1, RAW))

    def pixels(self) -> bytes:
        """All of them, line by line."""
        self._socket.sendall(struct.pack(">BBHHHH", UPDATE_REQUEST, 0, 0, 0, self.width, self.height))
        picture, missing = bytearray(self.width * self.height * self.pixel_bytes), self.width * self.height
        while missing > 0:
            kind, rectangles = self._numbers(">BxH")
            assert kind == 0, f"message {kind} of the server"
            for _ in range(rectangles):
                missing -= self._take_rectangle(picture)
        return bytes(picture)

    def _take_rectangle(self, picture: bytearray) -> int:
        """How many pixels it had."""
        left, top, width, height, encoding = self._numbers(">HHHHi")
        assert encoding == RAW
        for line in range(top, top + height):
            begin = (line * self.width + left) * self.pixel_bytes
            picture[begin : begin + width * self.pixel_bytes] = self._read(width * self.pixel_bytes)
        return width * height

    def _numbers(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self._read(struct.calcsize(form)))

    def _read(self, count: int) -> bytes:
        data = self._file.read(count)
        assert len(data) == count, "the server ended"
        return data


def look(port: int) -> tuple[list[int], int]:
    """The size of a screen, and how many colours it shows."""
    screen = Screen(port)
    pixels, step = memoryview(screen.pixels()), screen.pixel_bytes
    colours = {bytes(pixels[at : at + step]) for at in range(0, len(pixels), step)}
    return [screen.width, screen.height], len(colours)


def main(port: str, wanted: str = "0") -> None:
    size, colours = look(int(port))
    while colours < int(wanted):
        time.sleep(PAUSE_S)
        size, colours = look(int(port))  # by another connection: its size may be another by now
    print(json.dumps({"size": size, "colours": colours}))


if __name__ == "__main__":
    main(*sys.argv[1:])
