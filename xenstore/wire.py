"""Framing and constants of the xenstore wire protocol.

A message is a 16-byte header of four unsigned 32-bit integers in host byte order (type, request id,
transaction id, payload length) and a payload of at most 4096 bytes.
Source: xenstore-protocol.md 1 and 2; xen/include/public/io/xs_wire.h.
"""

import struct

HEADER = struct.Struct("=IIII")
HEADER_SIZE = HEADER.size
PAYLOAD_MAX = 4096
ABSOLUTE_PATH_MAX = 3072
RELATIVE_PATH_MAX = 2048

DOMID_FIRST_RESERVED = 0x7FF0
DOMID_SELF = 0x7FF0
DOMID_ANY = 0x7FF5


class MessageType:
    """The number in a message's `type` field (enum xsd_sockmsg_type).

    Plain integers: importing `enum` would add a third to the start-up time of each command line.
    """

    CONTROL = 0
    DIRECTORY = 1
    READ = 2
    GET_PERMS = 3
    WATCH = 4
    UNWATCH = 5
    TRANSACTION_START = 6
    TRANSACTION_END = 7
    INTRODUCE = 8
    RELEASE = 9
    GET_DOMAIN_PATH = 10
    WRITE = 11
    MKDIR = 12
    RM = 13
    SET_PERMS = 14
    WATCH_EVENT = 15
    ERROR = 16
    IS_DOMAIN_INTRODUCED = 17
    RESUME = 18
    SET_TARGET = 19
    RESET_WATCHES = 21
    DIRECTORY_PART = 22
    GET_FEATURE = 23
    SET_FEATURE = 24
    GET_QUOTA = 25
    SET_QUOTA = 26


#: The name of each message type by its number.
TYPE_NAMES: dict[int, str] = {number: name for name, number in vars(MessageType).items() if name.isupper()}


class Feature:
    """Bits of a connection's feature mask (XENSTORE_SERVER_FEATURE_* in xs_wire.h)."""

    RECONNECTION = 1
    ERROR = 2
    WATCH_DEPTH = 4
    DOMID_ANY = 8


def pack(type: int, payload: bytes = b"", *, req_id: int = 0, tx_id: int = 0) -> bytes:
    """One message, header and payload.

    Raises:
        ValueError: the payload is longer than PAYLOAD_MAX.
    """
    if len(payload) > PAYLOAD_MAX:
        raise ValueError(f"payload of {len(payload)} bytes; a xenstore message holds at most {PAYLOAD_MAX}")
    return HEADER.pack(type, req_id, tx_id, len(payload)) + payload
