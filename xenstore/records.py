"""Layouts of the records in Xen's migration stream, and of ours in it.

Source: live-update.md 2 (tools/xenstored/xenstore_state.h in Xen).  A record is its type and the
number of bytes that follow, then those, padded to a multiple of 8.  Fields are in this machine's byte
order: a stream never leaves its host.
"""

import struct
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from xenstore._stream import NODE, NUMBERED_NODE, StreamError
from xenstore.limits import QUOTA_INDEX
from xenstore.wire import DOMID_FIRST_RESERVED

#: Versions of the format that can be written and read.
VERSIONS = (1, 2)

IDENT = b"xenstore"
#: Identification, version, flags; big endian.
PREAMBLE = struct.Struct(">8sII")
BIG_ENDIAN = 1
FLAGS = BIG_ENDIAN if sys.byteorder == "big" else 0

#: Type and length.
HEADER = struct.Struct("=II")

END = 0
GLOBAL_DATA = 1
CONNECTION_DATA = 2
WATCH_DATA = 3
TRANSACTION_DATA = 4
NODE_DATA = NODE
GLOBAL_QUOTA_DATA = 6
DOMAIN_DATA = 7
WATCH_DATA_EXTENDED = 8
#: What Xen's format does not have; other programs skip types they do not know.
OUR_STORE = 0x58450001
OUR_SESSION = 0x58450002
OUR_NODE = NUMBERED_NODE
OUR_ACCOUNTS = 0x58450004

#: The listening socket's and the event channels' descriptors.
GLOBAL = struct.Struct("=ii")
#: Connection, type, fields, what the type says, bytes of input, of the message begun, of output.
CONNECTION = struct.Struct("=IHH8sHHI")
RING_TYPE = 0
SOCKET_TYPE = 1
HAS_UNIQUE = 1
UNIQUE = struct.Struct("=Q")
#: Domid, target, local port.
RING_SPEC = struct.Struct("=HHI")
SOCKET_SPEC = struct.Struct("=i4x")
NO_TARGET = 0x7FF4
INPUT_MAX = 0xFFFF
#: Connection, bytes of path and token with their NULs.
WATCH = struct.Struct("=IHH")
#: The same, depth, padding.
WATCH_EXTENDED = struct.Struct("=IHHHH")
ANY_DEPTH = 0xFFFF
#: Connection, transaction.
TRANSACTION = struct.Struct("=II")
#: How many quotas bind domains by default, and how many the whole store.
GLOBAL_QUOTA = struct.Struct("=HH")
#: Domid, number of quotas, features.
DOMAIN = struct.Struct("=HHI")

#: Generation, number of features ahead, of reported shutdowns; those follow.
STORE = struct.Struct("=QII")
#: Domid, features.
AHEAD = struct.Struct("=II")
REPORTED = struct.Struct("=I")
#: Domid, padding, identity.
IDENTITY = struct.Struct("=I4xQ")
#: Connection, last transaction, features, error, remote port, size of the input beyond INPUT_MAX; positions
#: in the input and output streams, gfn; that input follows.
SESSION = struct.Struct("=IIIIIIQQQ")


def record(type: int, *parts: bytes) -> bytes:
    """One record of these parts."""
    body = b"".join(parts)
    body += bytes(-len(body) % 8)
    return HEADER.pack(type, len(body)) + body


def quotas(values: Mapping[str, int]) -> bytes:
    """Values and names."""
    return struct.pack(f"={len(values)}I", *values.values()) + b"".join(
        name.encode() + b"\0" for name in values
    )


class Reader:
    """The fields of one record's body, taken from the left.

    Raises:
        StreamError: from every method, where the record is shorter than it says.
    """

    def __init__(self, offset: int, type: int, body: memoryview) -> None:
        self._offset = offset
        self._type = type
        self._body = body

    def error(self, problem: str) -> StreamError:
        """To be raised where the record is not what it should be."""
        return StreamError(self._offset, self._type, problem)

    def take(self, layout: struct.Struct) -> tuple[Any, ...]:
        """The next fields."""
        return layout.unpack(self.raw(layout.size))

    def domid(self, domid: int) -> int:
        """The same; an error where no domain has that id."""
        if domid >= DOMID_FIRST_RESERVED:
            raise self.error(f"{domid} is no domain's id")
        return domid

    def raw(self, size: int) -> bytes:
        """The next so many bytes."""
        if len(self._body) < size:
            raise self.error(f"{size} more bytes are expected, there are {len(self._body)}")
        taken, self._body = self._body[:size], self._body[size:]
        return bytes(taken)

    def all(self, layout: struct.Struct) -> Iterable[tuple[Any, ...]]:
        """All that is left, in as many groups of these fields."""
        while self._body:
            yield self.take(layout)

    def string(self, size: int) -> bytes:
        """The next string, of so many bytes with its NUL, which is left out."""
        text = self.raw(size)
        if text.find(b"\0") != size - 1:
            raise self.error(f"a string of {size} bytes with its NUL is expected, not {text[:80]!r}")
        return text[:-1]

    def quotas(self, count: int) -> dict[str, int]:
        """So many values and their names; names this store does not have are left out."""
        values = struct.unpack(f"={count}I", self.raw(4 * count))
        found = {}
        for value, name in zip(values, self._names(count), strict=True):
            if name in QUOTA_INDEX:
                if value == 0xFFFFFFFF:
                    raise self.error(f"quota {name}: {value} is not in 0 .. 4294967294")
                found[name] = value
        return found

    def _names(self, count: int) -> Iterable[str]:
        names = bytes(self._body).split(b"\0")
        if len(names) <= count or b"" in names[:count]:
            raise self.error(f"{count} names of quotas are expected")
        return (name.decode("ascii", "replace") for name in names[:count])


def next_record(stream: memoryview, at: int) -> tuple[int, memoryview, int]:
    """Type and body of the record at an offset, and where the next one begins.

    Raises:
        StreamError: there is no whole record.
    """
    left = len(stream) - at - HEADER.size
    if left < 0:
        raise StreamError(at, None, "the stream ends here, without an END record")
    type, size = HEADER.unpack_from(stream, at)
    padded = size + -size % 8
    if left < padded:
        raise StreamError(at, type, f"{padded} bytes are announced, {left} follow")
    body = at + HEADER.size
    return type, stream[body : body + size], body + padded
