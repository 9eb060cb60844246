"""What is done to bytes on their way into a log."""

import random
import time

import pytest

from xend.console.stamp import LineStamp, replace_escape

STAMP = time.strftime("[%Y-%m-%d %H:%M:%S] ", time.localtime(1e9)).encode()


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([b"a\n"], b"@a\n"),
        ([b"a\nb"], b"@a\n@b"),
        ([b"a", b"b\n", b"c"], b"@ab\n@c"),
        ([b"\n\n"], b"@\n@\n"),
        ([b"", b"a\r\n", b""], b"@a\r\n"),
        ([b"a\n", b"\nb\n"], b"@a\n@\n@b\n"),
    ],
)
def test_each_line_begins_with_the_time(pieces: list[bytes], expected: bytes) -> None:
    stamp = LineStamp(lambda: 1e9)
    assert b"".join(stamp(piece) for piece in pieces) == expected.replace(b"@", STAMP)


def test_it_does_not_matter_how_the_bytes_are_cut() -> None:
    rng = random.Random(1)
    data = bytes(rng.choice(b"ab\n") for _ in range(500))
    whole = LineStamp(lambda: 1e9)(data)
    stamp = LineStamp(lambda: 1e9)
    pieces, rest = [], data
    while rest:
        cut = rng.randrange(1, 9)
        pieces.append(stamp(rest[:cut]))
        rest = rest[cut:]
    assert b"".join(pieces) == whole


def test_escapes_become_dots() -> None:
    assert replace_escape(b"\x1b[31mred\x1b[0m") == b".[31mred.[0m"
