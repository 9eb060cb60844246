"""Files of saved domains that make no sense: each is read, or refused with one line that says where.

Whoever gives a file to `xl restore` may have it from anybody.
"""

import os
import random
import struct
from pathlib import Path

import pytest

from tests.chance import seeds
from xend.config.domain import parse
from xend.domain.saved_file import header_of, read, read_source
from xend.domain.source import Source
from xend.errors import XendError
from xend.simulator import saved
from xend.stream import header, records
from xend.stream.emulator import HEAD, QEMU, check_nodes, nodes_body
from xend.stream.features import lacking
from xend.stream.records import EMULATOR_CONTEXT, EMULATOR_STORE, record

#: Files of one seed; `make long` has 100,000 of them.
EACH = 1_000
#: Counts, lengths and types that are at an edge of something.
EDGES = (0, 1, 2, 3, 7, 8, 0xD, 0xFF, 0x1000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF8, 0xFFFFFFFF)
UUID = "11111111-2222-3333-4444-555555555555"
TEXT = f'name = "a"\nkernel = "/netbsd"\nmemory = 32\nuuid = "{UUID}"\nvif = [ "mac=00:16:3e:00:00:01" ]\n'
TYPES = ("pv", "pvh", "hvm")
#: What the device model of a machine left.
MACHINE = [
    record(EMULATOR_STORE, nodes_body({"physmap/f0/start_addr": "f0", "physmap/f0/name": "vga.vram"})),
    record(EMULATOR_CONTEXT, HEAD.pack(QEMU, 0) + b"QEVM and so on"),
]
STATE = {"memory_kib": 256, "word": "remembered", "features": ["avx", "avx512f", "nx"]}


def whole(type: str, *, is_ours: bool) -> tuple[bytes, list[int]]:
    """A file, and where its records begin, libxl's and libxc's."""
    text = f'{TEXT}type = "{type}"\n'
    source = Source(
        text=text, file="a", name=None, directory=None, extra=[], uuid=UUID, addresses={"vif": ["x"]}
    )
    parse(text, source="a")
    front = header_of(source, 32 * 1024, 4)
    if not is_ours:
        front = header.Header(front.config)
    behind = [*MACHINE, records.AFTER] if type == "hvm" else [records.AFTER]
    parts = [header.pack(front), records.BEFORE, *saved.stream(type, 256, STATE), *behind]
    places, at = [], 0
    for part in parts:
        places.append(at)
        at += len(part)
    return b"".join(parts), places


def flipped(chance: random.Random, data: bytearray, places: list[int]) -> None:
    for _ in range(chance.choice((1, 1, 2, 8))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def numbered(chance: random.Random, data: bytearray, places: list[int]) -> None:
    """A number at an edge, most often where a record's type or length is."""
    at = (
        chance.choice(places) + chance.choice((0, 4, 8, 12))
        if chance.random() < 0.8
        else 4 * chance.randrange(200)
    )
    if at + 4 <= len(data):
        data[at : at + 4] = struct.pack(chance.choice("<>") + "I", chance.choice(EDGES))


def cut(chance: random.Random, data: bytearray, places: list[int]) -> None:
    del data[chance.randrange(len(data)) :]


def without(chance: random.Random, data: bytearray, places: list[int]) -> None:
    begin = chance.choice(places)
    del data[begin : begin + 4 * chance.randrange(1, 200)]


def twice(chance: random.Random, data: bytearray, places: list[int]) -> None:
    """A record again, there or elsewhere."""
    number = chance.randrange(len(places) - 1)
    part = data[places[number] : places[number + 1]]
    at = chance.choice(places)
    data[at:at] = part


def garbled(chance: random.Random, data: bytearray, places: list[int]) -> None:
    at = chance.randrange(len(data))
    data[at : at + chance.randrange(64)] = chance.randbytes(chance.randrange(64))


DAMAGES = (flipped, numbered, numbered, cut, without, twice, garbled)


def refusal(path: Path, size: int, chance: random.Random) -> XendError | None:
    """Why a file is not read; None: it is, and what was found lies in it."""
    try:
        found = read(str(path), chance)
        read_source(str(path), chance)
    except XendError as error:
        return error
    assert 0 <= found.memory.pages <= size // 8
    assert found.after <= found.memory.begins <= found.memory.ends <= found.end <= size
    lacking(found.memory.leaves, [])
    if (emulator := found.emulator) is not None:
        check_nodes(emulator.nodes)
        assert found.memory.ends <= emulator.begins < emulator.begins + emulator.length <= found.end
    return None


def descriptors() -> int:
    """How many this process has open; 0 where that cannot be seen."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@pytest.mark.parametrize("seed", seeds(3, 100))
def test_whatever_stands_in_a_file(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    models = [whole(type, is_ours=is_ours) for type in TYPES for is_ours in (True, False)]
    path, refusals, before = tmp_path / "saved", 0, descriptors()
    for _ in range(EACH):
        model, places = chance.choice(models)
        data = bytearray(model)
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            if data:
                chance.choice(DAMAGES)(chance, data, places)
        path.write_bytes(data)
        error = refusal(path, len(data), chance)
        if error is not None:
            refusals += 1
            assert error.code in ("bad_request", "bad_config", "unsupported"), error
            assert len(error.message) < 2000
            assert error.message.isprintable(), error.message
    assert refusals > EACH // 3
    assert descriptors() == before


@pytest.mark.parametrize("type", TYPES)
def test_what_is_damaged_here_is_whole_before(type: str, tmp_path: Path) -> None:
    """Else everything above would be refused for one reason."""
    for is_ours in (True, False):
        path = tmp_path / "saved"
        path.write_bytes(whole(type, is_ours=is_ours)[0])
        assert read(str(path), random.Random(1)).source.config().name == "a"
