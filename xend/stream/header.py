"""What xl puts in front of a saved domain (tools/xl/xl.h, migration.md 1.1).

32 bytes    magic
4 u32       byte order 0x01020304, mandatory flags, optional flags, length of the data
data        u32 length of the configuration with its NUL, the configuration; what follows is not xl's
"""

import struct

import attrs

from xend.stream import StreamError
from xend.stream.reader import Reader

MAGIC = b"Xen saved domain, xl format\n \0 \r"
#: Mandatory flags: the configuration is libxl's JSON; libxl's stream is of version 2.
JSON, STREAM_V2 = 1, 2
#: More data than this no toolstack writes; xl itself takes any.
DATA_MAX = 4 << 20
_BYTE_ORDER = 0x01020304
_FIXED = struct.Struct("<4I")
_LENGTH = struct.Struct("<I")
_WHERE = "header"


@attrs.frozen
class Header:
    """The header of a saved domain.

    Attributes:
        config: without its NUL: libxl's JSON, or the text of an xl.cfg; None: there is none.
        is_json: it is JSON.
        own: what follows it, which xl passes over.
    """

    config: bytes | None
    is_json: bool = True
    own: bytes = b""


def pack(header: Header) -> bytes:
    """The header's bytes."""
    data = b""
    if header.config is not None:
        data = _LENGTH.pack(len(header.config) + 1) + header.config + b"\0" + header.own
    flags = STREAM_V2 | (JSON if header.is_json else 0)
    return MAGIC + _FIXED.pack(_BYTE_ORDER, flags, 0, len(data)) + data


def own_offset(header: Header) -> int:
    """Where in the file `own` begins."""
    return len(MAGIC) + _FIXED.size + _LENGTH.size + len(header.config or b"") + 1


def read(reader: Reader) -> Header:
    """The header at the beginning of a file.

    Raises:
        StreamError: it is none, or one that this xend does not read; OSError.
    """
    magic = reader.read(len(MAGIC), _WHERE)
    if magic != MAGIC:
        raise StreamError(0, _WHERE, _stranger(magic))
    at = reader.offset
    order, mandatory, _, length = _FIXED.unpack(reader.read(_FIXED.size, _WHERE))
    if order != _BYTE_ORDER:
        raise StreamError(at, _WHERE, f"the byte order is {order:#010x}, expected {_BYTE_ORDER:#010x}")
    if unknown := mandatory & ~(JSON | STREAM_V2):
        raise StreamError(at + 4, _WHERE, f"flags {unknown:#x} of a newer xl, expected 1 and 2 at most")
    if not mandatory & STREAM_V2:
        raise StreamError(at + 4, _WHERE, "it is of Xen 4.5 or older, whose format this xend does not read")
    if length > DATA_MAX:
        raise StreamError(at + 12, _WHERE, f"{length} bytes of data, expected {DATA_MAX} at most")
    begins = reader.offset
    return _split(reader.read(length, _WHERE), begins, bool(mandatory & JSON))


def _split(data: bytes, at: int, is_json: bool) -> Header:
    if not data:
        return Header(None, is_json)
    if len(data) < _LENGTH.size:
        raise StreamError(at, _WHERE, f"{len(data)} bytes of data, expected a configuration")
    (length,) = _LENGTH.unpack_from(data)
    end = _LENGTH.size + length
    if end > len(data):
        room = len(data) - _LENGTH.size
        raise StreamError(at, _WHERE, f"truncated: {room} of the {length} bytes of a configuration")
    config, _, _ = data[_LENGTH.size : end].partition(b"\0")
    return Header(config, is_json, data[end:])


def _stranger(magic: bytes) -> str:
    """What a file is that is none of xl's, where that can be told."""
    known = {
        b"libvirt-xml\n \0 \r": "libvirt's: virsh restore reads it",
        b"LinuxGuestRecord": "xm's, of Xen 4.1 or older, which nobody reads any more",
        b"LibxlFmt": "a migration stream without xl's header",
    }
    for beginning, what in known.items():
        if magic.startswith(beginning):
            return f"no file of xl save but one that is {what}"
    return "no saved domain: it does not begin as files of xl save do"
