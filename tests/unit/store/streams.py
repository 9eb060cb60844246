"""Migration streams made by hand, record by record, as the document has them."""

import struct

from xenstore import records
from xenstore.image import Image
from xenstore.store import Store
from xenstore.stream import read

PREAMBLE = b"xenstore" + struct.pack(">II", 2, records.FLAGS)
END = struct.pack("=II", 0, 0)


def load(data: bytes) -> tuple[Store, Image]:
    """A fresh store with a stream's nodes, and the rest of what the stream holds."""
    store = Store()
    return store, read(data, store)


def node(
    path: bytes,
    value: bytes = b"",
    perms: bytes = b"n\0\0\0",
    *,
    conn_id: int = 0,
    path_size: int | None = None,
    value_size: int | None = None,
) -> bytes:
    """A node's record; the sizes are what it claims, the true ones unless given."""
    path_size = len(path) + 1 if path_size is None else path_size
    value_size = len(value) if value_size is None else value_size
    fixed = struct.pack("=IIHHHH", conn_id, 0, path_size, value_size, 0, len(perms) // 4)
    return records.record(5, fixed, perms, path, b"\0", value)


def connection(
    number: int = 1, spec: bytes = b"\5\0\0\0\0\0\0\0", type: int = 1, output: bytes = b"", left: int = 0
) -> bytes:
    """A connection's record: of descriptor 5 unless said otherwise."""
    return records.record(2, records.CONNECTION.pack(number, type, 0, spec, 0, left, len(output)), output)


def watch(path: bytes, token: bytes, number: int = 1) -> bytes:
    """A watch's record; path and token bring their NULs."""
    return records.record(3, struct.pack("=IHH", number, len(path), len(token)), path, token)


ROOT = node(b"/")
