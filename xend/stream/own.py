"""What xend puts behind a saved domain's configuration, where xl reads nothing: its own source, a checksum.

8 bytes   magic
u32       version
u64       checksum (XXH64) of all that follows the header; u64: how many bytes that are; 0, 0: not sealed
u32       length of a map in MessagePack
"""

import struct
from collections.abc import Mapping
from typing import Any

import attrs

from xend.packing import pack as packed
from xend.packing import unpack
from xend.stream import StreamError

_MAGIC = b"XENDSAVE"
VERSION = 2
_FIXED = struct.Struct("<8sIQQI")
_SEAL = struct.Struct("<QQ")
#: Of the seal, from the beginning of this data.
SEAL_AT = 12
_WHERE = "header, xend's own data"


@attrs.frozen(kw_only=True)
class Own:
    """Xend's own data.

    Attributes:
        fields: what the domain was made of, and what else xend knew of it.
        checksum: of what follows the header.
        length: of that, in bytes; 0: the file was never finished.
    """

    fields: Mapping[str, Any]
    checksum: int = 0
    length: int = 0


def pack(own: Own) -> bytes:
    """Its bytes."""
    data = packed(dict(own.fields))
    return _FIXED.pack(_MAGIC, VERSION, own.checksum, own.length, len(data)) + data


def seal(checksum: int, length: int) -> bytes:
    """What stands at SEAL_AT once all is written."""
    return _SEAL.pack(checksum, length)


def read(data: bytes, offset: int) -> Own | None:
    """Xend's own data, of what follows a configuration; None: it is another's, or of a newer xend.

    offset: where in the file it stands.

    Raises:
        StreamError: it is xend's, and damaged.
    """
    if not data.startswith(_MAGIC):
        return None
    if len(data) < _FIXED.size:
        raise StreamError(offset, _WHERE, f"{len(data)} bytes, expected {_FIXED.size} at least")
    _, version, checksum, length, size = _FIXED.unpack_from(data)
    if version != VERSION:
        return None
    if size > len(data) - _FIXED.size:
        raise StreamError(offset, _WHERE, f"{len(data) - _FIXED.size} bytes, expected {size}")
    try:
        fields = unpack(data[_FIXED.size : _FIXED.size + size])
    except ValueError as error:
        raise StreamError(offset, _WHERE, str(error)) from error
    if not isinstance(fields, dict) or not all(isinstance(key, str) for key in fields):
        raise StreamError(offset, _WHERE, "no map of fields")
    return Own(fields=fields, checksum=checksum, length=length)
