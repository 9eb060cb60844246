"""The files that a qcow2 image consists of, opened as its header and theirs name them, for a device model
that opens none by its name.

A name in a header is one for the directory of the image that has it, as qemu takes it, unless it is absolute.
Whoever made the image wrote the header: a chain that is not plain is not followed.  The format of what lies
below has to stand there, as qemu would guess one that does not, and it is raw or qcow2 again.

Source: qemu's description of qcow2's format; path_combine and path_has_protocol of its block layer.
"""

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import attrs

from xend.disk.backing import CAREFULLY, CHAIN_MAX, NAME_MAX_BYTES, QCOW, QCOW_ELSEWHERE, is_file_name

__all__ = ["QCOW2", "RAW", "Below", "Header", "Link", "Unfit", "follow", "header_of", "lies_on_others"]

QCOW2, RAW = "qcow2", "raw"
#: All that is read of a file: qemu-img writes what is wanted into the first kilobyte.
_READ_BYTES = 1 << 16
#: Magic, version, offset and size of the name, bits of a cluster's size, size of the disk.
_HEAD = struct.Struct(">4sIQIIQ")
_VERSIONS = (2, 3)
#: Where the extensions begin: with version 2 always; with 3 that stands here, the features before it.
_BEGIN_OF_2, _FEATURES_OF_3, _LENGTH_OF_3, _BEGIN_MIN_OF_3 = 72, 72, 100, 104
_EXTENSION = struct.Struct(">II")
_END, _FORMAT_OF_BELOW = 0, 0xE2792ACA
_FORMAT_MAX_BYTES = 15
#: A disk of more bytes is none of qemu's.
_SIZE_LIMIT = 1 << 63


class Unfit(Exception):
    """A header names what is not followed; the message says what, for people."""


@attrs.frozen
class Below:
    """What an image lies on: its name as the header has it, and its format."""

    name: str
    format: str


@attrs.frozen
class Header:
    """Of an image: the size of the disk in bytes, and what it lies on, if anything."""

    size: int
    below: Below | None


@attrs.frozen
class Link:
    """One file of a chain.

    Attributes:
        fd: of it; the one who asked closes it.
        format: QCOW2 or RAW.
        size: of the disk, in bytes; of a raw one 0, as nobody asks for it.
    """

    fd: int
    format: str
    is_device: bool
    size: int


def lies_on_others(path: str) -> bool:
    """Whether an image is one of qcow2 that lies on others, which can all be opened."""
    with ExitStack() as held, suppress(OSError, Unfit):
        return len(follow(path, os.O_RDONLY, held)) > 1
    return False


def follow(path: str, flags: int, held: ExitStack) -> list[Link]:
    """The files of an image of qcow2, that itself first; all others are opened for reading only.

    flags: how the image itself is opened.
    held: closes them.

    Raises:
        OSError, Unfit.
    """
    found: list[Link] = []
    seen: set[tuple[int, int]] = set()
    kind = QCOW2
    while True:
        fd = os.open(path, flags | CAREFULLY)
        held.callback(os.close, fd)
        status = os.fstat(fd)
        is_device = stat.S_ISBLK(status.st_mode)
        if not is_device and not stat.S_ISREG(status.st_mode):
            raise Unfit(f"{path} is no file and no block device")
        if (status.st_dev, status.st_ino) in seen or len(seen) > CHAIN_MAX:
            raise Unfit(f"{path} lies on itself, or on too many others")
        seen.add((status.st_dev, status.st_ino))
        header = header_of(os.pread(fd, _READ_BYTES, 0)) if kind == QCOW2 else Header(0, None)
        found.append(Link(fd, kind, is_device, header.size))
        if header.below is None:
            return found
        path, flags = os.path.join(os.path.dirname(path), header.below.name), os.O_RDONLY
        kind = header.below.format


def header_of(data: bytes) -> Header:
    """What the beginning of an image of qcow2 says.

    Raises:
        Unfit: it is none, or lies on what is not followed.
    """
    try:
        magic, version, offset, length, bits, size = _HEAD.unpack_from(data)
        if magic != QCOW or version not in _VERSIONS or size >= _SIZE_LIMIT:
            raise Unfit("it is no image of qcow2")
        begin = _BEGIN_OF_2 if version == _VERSIONS[0] else _begin_of_3(data)
        if not offset:
            return Header(size, None)
        if not 0 < length <= NAME_MAX_BYTES or not begin <= offset <= len(data) - length or bits > 21:
            raise Unfit("the name of what it lies on is not at its place")
        form = next(
            (form for number, form in _extensions(data, begin, offset) if number == _FORMAT_OF_BELOW), b""
        )
    except struct.error:
        raise Unfit("its header is cut off") from None
    return Header(size, Below(_name(data[offset : offset + length]), _format(form)))


def _begin_of_3(data: bytes) -> int:
    (features,) = struct.unpack_from(">Q", data, _FEATURES_OF_3)
    (begin,) = struct.unpack_from(">I", data, _LENGTH_OF_3)
    if features & QCOW_ELSEWHERE:
        raise Unfit("it has its data in another file")
    if begin < _BEGIN_MIN_OF_3:
        raise Unfit("its header is too short")
    return int(begin)


def _extensions(data: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Number and content of each, up to what follows them."""
    while at + _EXTENSION.size <= end:
        number, length = _EXTENSION.unpack_from(data, at)
        at += _EXTENSION.size
        if number == _END:
            return
        if length > end - at:
            raise Unfit("one of its header's extensions is cut off")
        yield number, data[at : at + length]
        at += length + -length % 8


def _name(name: bytes) -> str:
    text = os.fsdecode(name)
    if not is_file_name(text):
        raise Unfit(f"what it lies on, {text!r}, is no file's name")
    return text


def _format(form: bytes) -> str:
    if len(form) <= _FORMAT_MAX_BYTES and form in (QCOW2.encode(), RAW.encode()):
        return form.decode()
    raise Unfit("it does not say that what it lies on is qcow2 or raw")
