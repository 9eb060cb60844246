"""Runs in dom0: looks at a screen over VNC's protocol, and says what it shows as JSON.

    python -m tests.xen.rfb PORT [COLOURS [FILE]]

It has "size": [width, height], and "colours": how many there are; it is looked at until there are COLOURS.
FILE gets the picture, for people (PPM).  (RFC 6143: 3.8.)
"""

import json
import socket
import struct
import sys
import time
from pathlib import Path
from typing import BinaryIO

#: What each answer may take, and the pause until it is looked again.
TIMEOUT_S, PAUSE_S = 60, 10
VERSION = b"RFB 003.008\n"
NO_PASSWORD, SHARED = b"\1", b"\1"
SET_ENCODINGS, UPDATE_REQUEST = 2, 3
RAW = 0
PIXEL_BYTES = 4


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
        assert bits == 8 * PIXEL_BYTES
        (length,) = self._numbers(">I")
        self.name = self._read(length)
        self._socket.sendall(struct.pack(">BxHi", SET_ENCODINGS, 1, RAW))

    def pixels(self) -> bytes:
        """All of them, line by line."""
        self._socket.sendall(struct.pack(">BBHHHH", UPDATE_REQUEST, 0, 0, 0, self.width, self.height))
        picture, missing = bytearray(self.width * self.height * PIXEL_BYTES), self.width * self.height
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
            begin = (line * self.width + left) * PIXEL_BYTES
            picture[begin : begin + width * PIXEL_BYTES] = self._read(width * PIXEL_BYTES)
        return width * height

    def _numbers(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self._read(struct.calcsize(form)))

    def _read(self, count: int) -> bytes:
        data = self._file.read(count)
        assert len(data) == count, "the server ended"
        return data


def look(port: int, file: str) -> tuple[list[int], int]:
    """The size of a screen, and how many colours it shows."""
    screen = Screen(port)
    pixels = screen.pixels()
    if file:
        write(file, screen, pixels)
    colours = set(memoryview(pixels).cast("I"))  # each look takes of the processor that the guest wants, too
    return [screen.width, screen.height], len(colours)


def write(file: str, screen: Screen, pixels: bytes) -> None:
    """The picture; qemu's pixels are blue, green, red, nothing."""
    picture = bytearray(screen.width * screen.height * 3)
    for place in range(3):
        picture[place::3] = pixels[2 - place :: PIXEL_BYTES]
    Path(file).write_bytes(b"P6 %d %d 255\n" % (screen.width, screen.height) + picture)


def main(port: str, wanted: str = "0", file: str = "") -> None:
    size, colours = look(int(port), file)
    while colours < int(wanted):
        time.sleep(PAUSE_S)
        size, colours = look(int(port), file)  # by another connection: its size may be another by now
    print(json.dumps({"size": size, "colours": colours}))


if __name__ == "__main__":
    main(*sys.argv[1:])
