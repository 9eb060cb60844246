"""The checksum of a saved domain: as xxHash has it, in whatever pieces bytes come."""

import random
import shutil
import subprocess

import pytest

from tests.peers.daemons import lacking
from xend._sum import STATE_BYTES, Sum

SIZES = (0, 1, 3, 4, 7, 8, 12, 31, 32, 33, 63, 64, 65, 4096, 10_000)


def of(*pieces: bytes) -> Sum:
    checksum = Sum()
    for piece in pieces:
        checksum.add(piece)
    return checksum


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"", 0xEF46DB3751D8E999),
        (b"a", 0xD24EC4F1A98C6E5B),
        (b"abc", 0x44BC2CF5AD770999),
        (b"Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1),
    ],
)
def test_known_values(data: bytes, value: int) -> None:
    assert of(data).value == value


@pytest.mark.parametrize("size", SIZES)
def test_as_xxhsum(size: int) -> None:
    if not shutil.which("xxhsum"):
        lacking("not installed: xxhsum (Debian: xxhash)")
    data = random.Random(size).randbytes(size)
    said = subprocess.run(["xxhsum", "-H1"], input=data, stdout=subprocess.PIPE, check=True).stdout
    assert f"{of(data).value:016x}" == said.decode().split()[0]
    assert of(data).length == size


def test_in_pieces_and_by_several() -> None:
    chance = random.Random(1)
    data = chance.randbytes(30_000)
    for _ in range(100):
        checksum, rest = Sum(), data
        while rest:
            size = chance.choice(SIZES)
            checksum.add(rest[:size])
            rest = rest[size:]
            if chance.random() < 0.5:
                checksum = Sum(checksum.state)
        assert checksum.value == of(data).value


@pytest.mark.parametrize("state", [b"", bytes(STATE_BYTES - 1), bytes(STATE_BYTES + 1)])
def test_no_state(state: bytes) -> None:
    with pytest.raises(ValueError, match=f"expected {STATE_BYTES}"):
        Sum(state)
