"""Messages and what is none, byte by byte; each is fed whole and in single bytes, with the same outcome."""

import struct
from typing import Any

import msgpack
import pytest

from xend.bus.frames import MESSAGE_MAX_BYTES, NESTING_MAX, VALUES_MAX, FrameError, Splitter
from xend.bus.messages import Request, request_of

HELLO = Request(1, "hello", [])

#: bytes, the request they are (None: a notification)
GOOD: list[tuple[str, bytes, Request | None]] = [
    ("the shortest", b"\x94\x00\x01\xa5hello\x90", HELLO),
    ("an array with a length of 16 bits", b"\xdc\x00\x04\x00\x01\xa5hello\x90", HELLO),
    ("an array with a length of 32 bits", b"\xdd\x00\x00\x00\x04\x00\x01\xa5hello\x90", HELLO),
    ("a text with a length of 8 bits", b"\x94\x00\x01\xd9\x05hello\x90", HELLO),
    ("a text with a length of 16 bits", b"\x94\x00\x01\xda\x00\x05hello\x90", HELLO),
    ("a text with a length of 32 bits", b"\x94\x00\x01\xdb\x00\x00\x00\x05hello\x90", HELLO),
    ("an id of 8 bits", b"\x94\x00\xcc\x01\xa5hello\x90", HELLO),
    ("an id of 16 bits", b"\x94\x00\xcd\x00\x01\xa5hello\x90", HELLO),
    ("the greatest id", b"\x94\x00\xce\xff\xff\xff\xff\xa5hello\x90", Request(2**32 - 1, "hello", [])),
    ("an id of 64 bits that fits 32", b"\x94\x00\xcf\0\0\0\0\0\0\0\x01\xa5hello\x90", HELLO),
    ("a signed id", b"\x94\x00\xd0\x01\xa5hello\x90", HELLO),
    ("an id of zero", b"\x94\x00\x00\xa5hello\x90", Request(0, "hello", [])),
    ("empty parameters", b"\x94\x00\x01\xa5hello\x91\x80", Request(1, "hello", [{}])),
    ("a map of 16 bits", b"\x94\x00\x01\xa1m\x91\xde\x00\x01\xa1k\x02", Request(1, "m", [{"k": 2}])),
    ("a map of 32 bits", b"\x94\x00\x01\xa1m\x91\xdf\0\0\0\x01\xa1k\x02", Request(1, "m", [{"k": 2}])),
    ("nil and booleans", b"\x94\x00\x01\xa1m\x93\xc0\xc2\xc3", Request(1, "m", [None, False, True])),
    ("negative numbers", b"\x94\x00\x01\xa1m\x92\xff\xd1\xff\x00", Request(1, "m", [-1, -256])),
    ("longer numbers", b"\x94\x00\x01\xa1m\x92\xd2\xff\xff\xff\xff\xd3\xff\xff\xff\xff\xff\xff\xff\xff",
     Request(1, "m", [-1, -1])),
    ("floats", b"\x94\x00\x01\xa1m\x92\xca\x3f\x80\0\0\xcb\x3f\xf0\0\0\0\0\0\0", Request(1, "m", [1.0, 1.0])),
    ("bytes", b"\x94\x00\x01\xa1m\x93\xc4\x01\xff\xc5\0\x01\xfe\xc6\0\0\0\x01\xfd",
     Request(1, "m", [b"\xff", b"\xfe", b"\xfd"])),
    ("parameters that are no map: the method says so", b"\x94\x00\x01\xa1m\x91\x05", Request(1, "m", [5])),
    ("a notification", b"\x93\x02\xa1n\x90", None),
    ("a notification with a map", b"\x93\x02\xa1n\x91\x81\xa1k\xc0", None),
]  # fmt: skip

#: bytes, a part of the text that says what is wrong
BAD: list[tuple[str, bytes, str]] = [
    ("a number", b"\x07", "none begins with byte 0x07"),
    ("nil", b"\xc0", "none begins with byte 0xc0"),
    ("a map", b"\x81\x00\x01", "none begins with byte 0x81"),
    ("a text", b"\xa3abc", "none begins with byte 0xa3"),
    ("HTTP", b"GET / HTTP/1.1\r\n", "none begins with byte 0x47"),
    ("the byte that is nothing", b"\xc1", "none begins with byte 0xc1"),
    ("the byte that is nothing, inside", b"\x94\x00\xc1", "begins no value (0xc1)"),
    ("a fixed extension", b"\x94\x00\x01\xa1m\x91\xd4\x01\x00", "an extension type"),
    ("an extension with a length", b"\x94\x00\x01\xa1m\x91\xc7\x01\x01\x00", "an extension type"),
    ("a timestamp", b"\x94\x00\x01\xa1m\x91\xd6\xff\0\0\0\0", "an extension type"),
    ("an empty array", b"\x90", "a message is [0, id, method, [params]] or"),
    ("an array too short", b"\x93\x00\x01\xa5hello", "a message is [0, id, method, [params]] or"),
    ("an array too long", b"\x95\x00\x01\xa5hello\x90\x90", "a message is [0, id, method, [params]] or"),
    ("an unknown kind", b"\x94\x03\x01\xa5hello\x90", "a message is [0, id, method, [params]] or"),
    ("a kind that is no number", b"\x94\xc2\x01\xa5hello\x90", "a message is [0, id, method, [params]] or"),
    ("a kind that is a float", b"\x94\xca\0\0\0\0\x01\xa1m\x90", "a message is [0, id, method, [params]] or"),
    ("an answer", b"\x94\x01\x01\xc0\xc0", "an answer, and nothing was asked"),
    ("a negative id", b"\x94\x00\xff\xa5hello\x90", "its id a number of 32 bits"),
    ("an id of 33 bits", b"\x94\x00\xcf\0\0\0\x01\0\0\0\0\xa5hello\x90", "its id a number of 32 bits"),
    ("an id that is a text", b"\x94\x00\xa11\xa5hello\x90", "its id a number of 32 bits"),
    ("an id that is true", b"\x94\x00\xc3\xa5hello\x90", "its id a number of 32 bits"),
    ("a method that is bytes", b"\x94\x00\x01\xc4\x05hello\x90", "a request is [0, id, method, [params]]"),
    ("a method that is a number", b"\x94\x00\x01\x05\x90", "a request is [0, id, method, [params]]"),
    ("parameters with no array", b"\x94\x00\x01\xa5hello\x80", "a request is [0, id, method, [params]]"),
    ("a notification of a number", b"\x93\x02\x05\x90", "a notification is [2, method, [params]]"),
    ("a notification without array", b"\x93\x02\xa1n\x80", "a notification is [2, method, [params]]"),
    ("a text that is not UTF-8", b"\x94\x00\x01\xa2\xc3\x28\x90", "a text that is not UTF-8"),
    ("a text with half a surrogate", b"\x94\x00\x01\xa3\xed\xa0\x80\x90", "a text that is not UTF-8"),
    ("a key that is a number", b"\x94\x00\x01\xa1m\x91\x81\x01\x02", "a key that is no text"),
    ("a key that is an array", b"\x94\x00\x01\xa1m\x91\x81\x90\x02", "a key that is no text"),
    ("nesting one too deep", b"\x94\x00\x01\xa1m" + b"\x91" * NESTING_MAX, "nested deeper than 32"),
    ("nesting in maps", b"\x94\x00\x01\xa1m\x91" + b"\x81\xa1k" * NESTING_MAX, "nested deeper than 32"),
    ("nesting that says it is empty", b"\x94\x00\x01\xa1m" + b"\x91" * (NESTING_MAX - 1) + b"\x90", "deeper"),
    ("an array of 2**32 values", b"\x94\x00\x01\xa1m\xdd\xff\xff\xff\xff", f"more than {VALUES_MAX} values"),
    ("a map of 2**32 pairs", b"\x94\x00\x01\xa1m\x91\xdf\xff\xff\xff\xff", f"more than {VALUES_MAX} values"),
    ("one value too many", b"\x94\x00\x01\xa1m\xdd" + struct.pack(">I", VALUES_MAX - 4), "more than 65536"),
    ("an outer array of 2**16", b"\xdc\xff\xff" + b"\x90" * 5 + b"\xdc\xff\xff", "more than 65536 values"),
    ("a text of 4 GiB", b"\x94\x00\x01\xdb\xff\xff\xff\xff", f"more than {MESSAGE_MAX_BYTES} bytes"),
    ("bytes of 4 GiB", b"\x94\x00\x01\xa1m\x91\xc6\xff\xff\xff\xff", f"more than {MESSAGE_MAX_BYTES} bytes"),
]  # fmt: skip


def outcome(data: bytes, piece: int) -> Any:
    """What the first message is, fed in pieces; None too where there is none."""
    splitter = Splitter()
    for at in range(0, len(data), piece):
        splitter.feed(data[at : at + piece])
        try:
            message = splitter.next()
            if message is not None:
                assert at + piece >= len(data), "found before its end"
                return request_of(message)
        except FrameError as error:
            return str(error)
    return "no message yet"


@pytest.mark.parametrize("piece", [1, 1 << 20])
@pytest.mark.parametrize(("data", "request_"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
def test_messages(data: bytes, request_: Request | None, piece: int) -> None:
    assert outcome(data, piece) == request_


@pytest.mark.parametrize("piece", [1, 1 << 20])
@pytest.mark.parametrize(("data", "text"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_is_no_message(data: bytes, text: str, piece: int) -> None:
    found = outcome(data, piece)
    assert isinstance(found, str)
    assert text in found
    assert "\n" not in found


@pytest.mark.parametrize("data", [row[1] for row in GOOD], ids=[row[0] for row in GOOD])
def test_a_message_cut_short_is_awaited(data: bytes) -> None:
    for size in range(len(data)):
        assert outcome(data[:size], 1 << 20) == "no message yet"


def test_messages_that_come_together_are_told_apart() -> None:
    splitter = Splitter()
    splitter.feed(b"".join(row[1] for row in GOOD) + b"\x94\x00")
    found = []
    while (message := splitter.next()) is not None:
        found.append(request_of(message))
    assert found == [row[2] for row in GOOD]
    assert splitter.waiting_bytes == 2


def test_bounds_are_exact() -> None:
    head = len(msgpack.packb([0, 1, "m", [b"x" * 65536]])) - 65536
    longest = msgpack.packb([0, 1, "m", [b"x" * (MESSAGE_MAX_BYTES - head)]])
    assert len(longest) == MESSAGE_MAX_BYTES
    assert isinstance(outcome(longest, 1 << 21), Request)
    longer = msgpack.packb([0, 1, "m", [b"x" * (MESSAGE_MAX_BYTES - head + 1)]])
    assert "more than 1048576 bytes" in outcome(longer, 1 << 21)
    # The message, its four values and those of the array inside it.
    assert isinstance(outcome(msgpack.packb([0, 1, "m", [None] * (VALUES_MAX - 5)]), 1 << 21), Request)
    assert "65536 values" in outcome(msgpack.packb([0, 1, "m", [None] * (VALUES_MAX - 4)]), 1 << 21)
    deepest: list[Any] = []
    for _ in range(NESTING_MAX - 2):
        deepest = [deepest]
    assert isinstance(outcome(msgpack.packb([0, 1, "m", deepest]), 1 << 21), Request)
    assert "deeper than 32" in outcome(msgpack.packb([0, 1, "m", [deepest]]), 1 << 21)


def test_what_is_too_large_is_refused_before_it_has_come() -> None:
    splitter = Splitter()
    splitter.feed(b"\x94\x00\x01\xdb\x7f\xff\xff\xff")
    with pytest.raises(FrameError):
        splitter.next()
