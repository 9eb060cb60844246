"""Bytes a client might send: valid requests, and what becomes of them on a bad day.

Every path in them lies below /fuzz, or below the client's own home, until a flipped bit moves it.
"""

import random
from collections.abc import Callable, Iterator

from xenstore.wire import HEADER, HEADER_SIZE, PAYLOAD_MAX, MessageType, pack

PATHS = [
    *[b"/fuzz", b"/fuzz/a", b"/fuzz/a/b", b"/fuzz/b", b"a", b"a/b", b"b", b"a/b/c/d/e"],
    *[b"a/" * 500 + b"a", b"n" * 2000],
]
WATCHED = [*PATHS, b"@introduceDomain", b"@releaseDomain", b"@releaseDomain/1", b"@nothing"]
LENGTHS = [0, 1, 15, 16, PAYLOAD_MAX - 1, PAYLOAD_MAX, PAYLOAD_MAX + 1, 0x40000000, 0x7FFFFFFF, 0xFFFFFFFF]


def valid_request(chance: random.Random) -> bytes:
    """One well-formed request of any type but CONTROL, of which a store without a daemon knows nothing."""
    type = chance.choice(TYPES)
    path = chance.choice(PATHS)
    match type:
        case MessageType.WRITE:
            payload = path + b"\0" + chance.randbytes(chance.choice([0, 1, 10, 100, 1500]))
        case MessageType.SET_PERMS:
            payload = path + b"\0" + chance.choice([b"n1\0", b"n0\0r1\0", b"b0\0b1\0n2\0", b"r1\0b32757\0"])
        case MessageType.WATCH | MessageType.UNWATCH:
            payload = (
                chance.choice(WATCHED)
                + b"\0"
                + chance.choice([b"t\0", b"\0", b"t\x002\0", b"t" * 1000 + b"\0"])
            )
        case MessageType.TRANSACTION_START | MessageType.RESET_WATCHES:
            payload = b"\0"
        case MessageType.TRANSACTION_END:
            payload = chance.choice([b"T\0", b"T\0", b"F\0"])
        case MessageType.DIRECTORY_PART:
            payload = path + b"\0" + chance.choice([b"0\0", b"7\0"])
        case MessageType.GET_DOMAIN_PATH | MessageType.IS_DOMAIN_INTRODUCED | MessageType.RESUME:
            payload = chance.choice([b"1\0", b"2\0", b"7\0"])
        case MessageType.GET_FEATURE | MessageType.GET_QUOTA:
            payload = b""
        case _:
            payload = path + b"\0"
    tx_id = chance.choice([0, 0, 0, 0, 1, 2, 3, 4]) if type != MessageType.TRANSACTION_START else 0
    return pack(type, payload[:PAYLOAD_MAX], req_id=chance.getrandbits(32), tx_id=tx_id)


TYPES = [
    *[MessageType.WRITE] * 4,
    *[MessageType.TRANSACTION_START, MessageType.TRANSACTION_END] * 3,
    *[MessageType.READ, MessageType.DIRECTORY, MessageType.MKDIR, MessageType.RM, MessageType.WATCH] * 2,
    *[MessageType.GET_PERMS, MessageType.SET_PERMS, MessageType.UNWATCH, MessageType.DIRECTORY_PART],
    *[MessageType.RESET_WATCHES, MessageType.GET_DOMAIN_PATH, MessageType.IS_DOMAIN_INTRODUCED],
    *[MessageType.RESUME, MessageType.GET_FEATURE, MessageType.GET_QUOTA],
]


# --- what can happen to it ----------------------------------------------------------------------------


def flip_bits(chance: random.Random, data: bytearray) -> None:
    for _ in range(chance.choice([1, 1, 2, 8])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def truncate(chance: random.Random, data: bytearray) -> None:
    del data[chance.randrange(len(data)) :]


def insert(chance: random.Random, data: bytearray) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.randbytes(chance.choice([1, 2, 16, 300]))


def cut_out(chance: random.Random, data: bytearray) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.choice([1, 2, 16])]


def splice(chance: random.Random, data: bytearray) -> None:
    other = valid_request(chance)
    data[chance.randrange(len(data)) :] = other[chance.randrange(len(other)) :]


def lie_about_length(chance: random.Random, data: bytearray) -> None:
    if len(data) >= HEADER_SIZE:
        type, req_id, tx_id, _ = HEADER.unpack_from(data)
        HEADER.pack_into(data, 0, type, req_id, tx_id, chance.choice(LENGTHS))


def change_type(chance: random.Random, data: bytearray) -> None:
    data[: min(4, len(data))] = chance.choice([*range(30), 65535, 0xFFFFFFFF]).to_bytes(4, "little")


def replace_nuls(chance: random.Random, data: bytearray) -> None:
    data[HEADER_SIZE:] = data[HEADER_SIZE:].replace(b"\0", chance.choice([b"/", b"\0\0", b"\xff", b""]))


def leave(chance: random.Random, data: bytearray) -> None:
    pass


MISHAPS: list[Callable[[random.Random, bytearray], None]] = [
    *[flip_bits, truncate, insert, cut_out, splice, lie_about_length, change_type, replace_nuls],
    *[leave] * 40,
]


def inputs(chance: random.Random) -> Iterator[bytes]:
    """Inputs without end, each of one to three requests of which some were mutilated; never empty."""
    while True:
        data = bytearray()
        for _ in range(chance.choice([1, 1, 2, 3])):
            request = bytearray(valid_request(chance))
            chance.choice(MISHAPS)(chance, request)
            data += request
        if chance.random() < 0.005:
            data = bytearray(chance.randbytes(chance.choice([1, 20, 5000])))
        if data:
            yield bytes(data)


def in_pieces(chance: random.Random, data: bytes) -> Iterator[bytes]:
    """The same bytes as they might arrive."""
    at = 0
    while at < len(data):
        size = chance.choice([1, 7, 16, 64, len(data)])
        yield data[at : at + size]
        at += size
