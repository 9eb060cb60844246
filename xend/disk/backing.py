"""What an image lies on: the files that qemu reads beside it, by its header and theirs.

Source: qemu's docs of qcow2 and QED, and the header of qcow; formats that have no such header lie on nothing.
Only images are looked into: raw bytes are a guest's, who could write a header there.
"""

import os
import struct
from contextlib import suppress
from typing import BinaryIO, Final

__all__ = [
    "CAREFULLY",
    "CHAIN_MAX",
    "FORMATS",
    "NAME_MAX_BYTES",
    "QCOW",
    "QCOW_ELSEWHERE",
    "backing_of",
    "is_file_name",
    "needs_more",
]

#: Of images whose header may name a file.
FORMATS: Final = ("qcow", "qcow2", "qed")
#: How many images may lie on each other, and how long a name may be, as qemu has it.
CHAIN_MAX = 32
NAME_MAX_BYTES = 1023
#: How what may be anything is opened.
CAREFULLY: Final = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
QCOW: Final = b"QFI\xfb"
_HEADER_BYTES = 80
_QED = b"QED\0"
#: Of version 3: the last byte of the features that must be known, and its bit for a file with the data.
_QCOW3 = QCOW + b"\0\0\0\3"
_QCOW_FEATURES, QCOW_ELSEWHERE = 79, 4
_QED_HAS_BACKING = 1
#: In front of what is no path: json:..., nbd://...
_PROTOCOL_END = ":"


def backing_of(path: str) -> list[str]:
    """The files below an image, the next one first; what cannot be read lies on nothing that is known."""
    found: list[str] = []
    while len(found) < CHAIN_MAX:
        named = None
        with suppress(OSError, struct.error):
            named = _named(path)
        if named is None:
            break
        path = os.path.join(os.path.dirname(path), named)
        found.append(path)
    return found


def needs_more(path: str) -> bool:
    """Whether the header of an image has qemu open something besides, whatever that is."""
    with suppress(OSError, struct.error), _opened(path) as file:
        header = file.read(_HEADER_BYTES)
        if header.startswith(_QCOW3) and header[_QCOW_FEATURES:] and header[_QCOW_FEATURES] & QCOW_ELSEWHERE:
            return True
        place = _place(header)
        return place is not None and place[0] != 0
    return False


def _opened(path: str) -> BinaryIO:
    return open(os.open(path, os.O_RDONLY | CAREFULLY), "rb")


def _named(path: str) -> str | None:
    """What the header of a file names; None: nothing, or nothing that is a file."""
    with _opened(path) as file:
        header = file.read(_HEADER_BYTES)
        place = _place(header)
        if place is None:
            return None
        offset, size = place
        if not offset or not 0 < size <= NAME_MAX_BYTES:
            return None
        file.seek(offset)
        name = os.fsdecode(file.read(size))
    return name if is_file_name(name) else None


def is_file_name(name: str) -> bool:
    """Whether what a header names can be a file."""
    return bool(name) and "\0" not in name and _PROTOCOL_END not in name.partition("/")[0]


def _place(header: bytes) -> tuple[int, int] | None:
    """Offset and size of the name.  Raises: struct.error: the header is not whole."""
    if header.startswith(QCOW):
        offset, size = struct.unpack_from(">QI", header, 8)
        return offset, size
    if header.startswith(_QED):
        (features,) = struct.unpack_from("<Q", header, 16)
        offset, size = struct.unpack_from("<II", header, 56)
        return (offset, size) if features & _QED_HAS_BACKING else None
    return None
