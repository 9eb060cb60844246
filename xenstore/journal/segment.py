"""Segments: the files of the log.  Full of zeros before they are mapped, so that a full disk is an error."""

import mmap
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

HEADER_BYTES = 4096
SEGMENT_BYTES = 4 << 20  # header and frames
_MAGIC = b"xendjnl1"
_FIXED = struct.Struct("<8sQQQ16s64s")  # magic, number, sequence, goes on, life, boot
_CHECKSUM = struct.Struct("<I")
_END_AT = 512  # where it says that the journal ends here, and why: a sign, a length and so many bytes
_END = struct.Struct("<32sI")
#: Zeros where there is no end; so far from them that a few damaged bytes neither make an end nor hide one.
_END_SIGN = b"\xff" * 32
_END_TEXT_MAX = 200
_ZEROS = bytes(256 << 10)


class Header(NamedTuple):
    """What a segment says of itself.

    Attributes:
        number: 1 for the first of a directory.
        sequence: of the last frame that ended before it.
        goes_on: it begins in the midst of a frame.
        life: 16 bytes that all segments and images of one journal share.
        boot: which start of the host this is (`journal.boot`).
        end: why nothing was recorded from some moment on, or None: nothing says so.
    """

    number: int
    sequence: int
    goes_on: bool
    life: bytes
    boot: str
    end: str | None = None


class Segment:
    """A segment that is being written: `buffer` takes frames."""

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), SEGMENT_BYTES)
        fixed = _FIXED.pack(_MAGIC, *header[:4], header.boot.encode())
        self._map[: len(fixed) + 4] = fixed + _CHECKSUM.pack(zlib.crc32(fixed))
        self.buffer = memoryview(self._map)[HEADER_BYTES:]


def end_segment(path: Path, why: str) -> None:
    """Say in a segment that what happened after its last frame is not recorded.

    Takes no room.  Raises OSError where the file cannot be written.
    """
    text = why.encode()[:_END_TEXT_MAX]
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.pwrite(fd, _END.pack(_END_SIGN, len(text)) + text, _END_AT)
    finally:
        os.close(fd)


def fill(fd: int, done: int) -> int:
    """Write more of a new segment's zeros; returns how many bytes there are now (SEGMENT_BYTES: all).

    Raises:
        OSError: there is no room for it.
    """
    return done + os.write(fd, _ZEROS[: min(len(_ZEROS), SEGMENT_BYTES - done)])


def read_header(data: memoryview) -> Header:
    """The header of a segment.

    Raises:
        ValueError: it is none, or damaged.
    """
    fixed = bytes(data[: _FIXED.size])
    if len(data) < HEADER_BYTES:
        raise ValueError("shorter than its header")
    if data[_FIXED.size : _FIXED.size + 4] != _CHECKSUM.pack(zlib.crc32(fixed)):
        raise ValueError("a damaged header")
    magic, number, sequence, goes_on, life, boot = _FIXED.unpack(fixed)
    if magic != _MAGIC:
        raise ValueError("of another program or version")
    return Header(number, sequence, bool(goes_on), life, boot.rstrip(b"\0").decode(), _read_end(data))


def _read_end(data: memoryview) -> str | None:
    """Why the journal ends, or None."""
    area = bytes(data[_END_AT : _END_AT + _END.size + _END_TEXT_MAX])
    sign, size = _END.unpack_from(area)
    if sign.count(0) > len(sign) // 2:
        return None
    return area[_END.size : _END.size + min(size, _END_TEXT_MAX)].rstrip(b"\0").decode(errors="replace")
