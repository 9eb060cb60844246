"""Segments: the files of the log.  Never sparse when they are mapped, so that a full disk is an error.

A segment that an image has replaced is used again: what was in it stays behind the end of the log, where
it is never read (`_recorder`).
"""

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
#: The header, and the frame of size 0 that a log without frames has.
_BEGIN_BYTES = HEADER_BYTES + 24


class Place(NamedTuple):
    """A place in the log: byte `at` behind the header of a segment."""

    segment: int
    at: int


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
    """A segment that is being written: `buffer` takes frames.

    header: of one that is begun, in a file that has another name until then; None: it is gone on with.
    """

    def __init__(self, path: Path, header: Header | None = None) -> None:
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), SEGMENT_BYTES)
        if header is not None:
            fixed = _FIXED.pack(_MAGIC, *header[:4], header.boot.encode())
            self._map[:_BEGIN_BYTES] = (fixed + _CHECKSUM.pack(zlib.crc32(fixed))).ljust(_BEGIN_BYTES, b"\0")
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
