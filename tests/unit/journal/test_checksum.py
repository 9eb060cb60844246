"""The checksum of frames is CRC-32C, whichever way it is computed."""

import random

import pytest

from xenstore._recorder import checksum_of


@pytest.mark.parametrize("by_tables", [False, True])
@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        # RFC 3720, B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_known_values(data: bytes, checksum: int, by_tables: bool) -> None:
    assert checksum_of(data, by_tables=by_tables) == checksum


def test_both_ways_agree_at_every_length_and_alignment() -> None:
    data = memoryview(random.Random(1).randbytes(200))
    for start in range(8):
        for end in range(start, len(data)):
            piece = data[start:end]
            assert checksum_of(piece) == checksum_of(piece, by_tables=True)
