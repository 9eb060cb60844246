"""What a saved domain's file has of its device model, behind its memory (migration.md 1.1).

EMULATOR_XENSTORE_DATA {u32 emulator, u32 index, key NUL value NUL ...}: nodes of the store, if there are any;
EMULATOR_CONTEXT {u32 emulator, u32 index, bytes}: its own state, which a device model alone reads.
"""

import re
import struct
from collections.abc import Mapping

import attrs

from xend.stream import StreamError
from xend.stream.reader import Reader

#: The emulator of upstream's qemu; the traditional one (1) is Xen's no longer since 4.21.
QEMU = 2
HEAD = struct.Struct("<II")
#: The state of a device model is no longer than this, and has one byte at least.
STATE_MAX_BYTES = 64 << 20
NODES_MAX_BYTES = 1 << 16
#: Where video memory lies, which qemu wrote for hypervisors of before 4.10: all that anybody has there.
_NODE = re.compile(r"physmap/[0-9a-f]{1,16}/(start_addr|size|name)")
_NUMBER = re.compile(r"[0-9a-f]{1,16}")
_NAME = re.compile(r"[A-Za-z0-9:/._@-]{1,64}")


@attrs.frozen
class Emulator:
    """A device model's part of a file.

    Attributes:
        nodes: below its own place in the store.
        begins, length: where its state lies in the file.
    """

    nodes: Mapping[str, str] = attrs.field(factory=dict)
    begins: int = 0
    length: int = 0


def read_nodes(reader: Reader, length: int, where: str) -> dict[str, str]:
    """The nodes of a record's body, from where the reader is.

    Raises:
        StreamError: they are not such as a device model has; OSError.
    """
    at = reader.offset
    if length > NODES_MAX_BYTES:
        raise StreamError(at, where, f"{length} bytes, expected {NODES_MAX_BYTES} at most")
    _check_head(reader, length, where)
    data = reader.read(length - HEAD.size, where)
    if data and not data.endswith(b"\0"):
        raise StreamError(at, where, "the last node has no end")
    words = data.decode("latin-1").split("\0")[:-1]
    if len(words) % 2:
        raise StreamError(at, where, "a node without a value")
    pairs = list(zip(words[::2], words[1::2], strict=True))
    nodes = dict(pairs)
    if len(nodes) < len(pairs):
        raise StreamError(at, where, "a node that is there twice")
    try:
        check_nodes(nodes)
    except ValueError as error:
        raise StreamError(at, where, str(error)) from error
    return nodes


def read_state(reader: Reader, length: int, where: str) -> tuple[int, int]:
    """Where the state of a record's body lies, which is passed over: (offset, length).

    Raises:
        StreamError: it is longer than any, or none; OSError.
    """
    at = reader.offset
    if not HEAD.size < length <= HEAD.size + STATE_MAX_BYTES:
        raise StreamError(at, where, f"{length} bytes, expected 9 to {HEAD.size + STATE_MAX_BYTES}")
    _check_head(reader, length, where)
    begins = reader.offset
    reader.skip(length - HEAD.size, where)
    return begins, length - HEAD.size


def check_nodes(nodes: Mapping[str, str]) -> None:
    """See that nodes are such as a device model has, below its own place.

    Raises:
        ValueError: which one is not.
    """
    for name, value in nodes.items():
        if not _NODE.fullmatch(name):
            raise ValueError(f"the node {name[:80]!a}, expected physmap/.../start_addr, size or name")
        if not (_NAME if name.endswith("/name") else _NUMBER).fullmatch(value):
            raise ValueError(f"the node {name} is {value[:80]!a}")


def nodes_body(nodes: Mapping[str, str]) -> bytes:
    """The body of the record that has them."""
    pairs = "".join(f"{name}\0{value}\0" for name, value in nodes.items())
    return HEAD.pack(QEMU, 0) + pairs.encode("latin-1")


def _check_head(reader: Reader, length: int, where: str) -> None:
    at = reader.offset
    if length < HEAD.size:
        raise StreamError(at, where, f"{length} bytes, expected {HEAD.size} at least")
    emulator, index = HEAD.unpack(reader.read(HEAD.size, where))
    if emulator != QEMU:
        raise StreamError(at, where, f"of emulator {emulator}, expected {QEMU}, which is qemu")
    if index:
        raise StreamError(at + 4, where, f"of emulator number {index} of its domain, expected 0")
