"""What is no migration stream is an error with its place; nothing breaks the reader."""

import random
import struct

import pytest

from tests.chance import seeds
from tests.unit.store.random_store import Populated
from tests.unit.store.streams import END, PREAMBLE, ROOT, connection, load, node, watch
from tests.unit.store.test_stream import state
from xenstore import records, stream
from xenstore.image import Client, Image, restore
from xenstore.store import Store
from xenstore.stream import StreamError
from xenstore.wire import pack

RING = connection(spec=b"\5\0\xf4\x7f\0\0\0\0", type=0)
SOCKET = connection()
SAME = watch(b"/a\0", b"t\0")
TRANSACTION = records.record(4, struct.pack("=II", 1, 7))

MALFORMED = {
    "nothing": (b"", "no stream"),
    "another file": (b"\x7fELF" + bytes(60), "begins with"),
    "a later version": (b"xenstore" + struct.pack(">II", 3, 0) + ROOT + END, "version 3"),
    "another byte order": (b"xenstore" + struct.pack(">II", 2, 1 - records.FLAGS) + ROOT + END, "byte order"),
    "no nodes": (PREAMBLE + END, "no nodes"),
    "no root": (PREAMBLE + node(b"/a") + END, "no node /"),
    "only special nodes": (PREAMBLE + node(b"@releaseDomain") + END, "no node /"),
    "a second root": (PREAMBLE + ROOT + ROOT + END, "second node /"),
    "a second node": (PREAMBLE + ROOT + node(b"/a") + node(b"/a") + END, "second node"),
    "no parent": (PREAMBLE + ROOT + node(b"/a/b") + END, "parent"),
    "no parent beside a longer name": (PREAMBLE + ROOT + node(b"/ab") + node(b"/a/b") + END, "parent"),
    "a relative path": (PREAMBLE + ROOT + node(b"a") + END, "not absolute"),
    "an unknown special node": (PREAMBLE + ROOT + node(b"@x") + END, "special"),
    "a bad path": (PREAMBLE + ROOT + node(b"/a//b") + END, "no valid path"),
    "a path without NUL": (PREAMBLE + ROOT + node(b"/a", b"xxxx", path_size=2) + END, "NUL"),
    "a path with a NUL inside": (PREAMBLE + ROOT + node(b"/a\0b") + END, "NUL"),
    "an endless path": (PREAMBLE + ROOT + node(b"/" + b"a" * 5000) + END, "NUL"),
    "no permissions": (PREAMBLE + ROOT + node(b"/a", perms=b"") + END, "permission"),
    "an unknown permission": (PREAMBLE + ROOT + node(b"/a", perms=b"x\0\0\0") + END, "permission"),
    "a value longer than its record": (PREAMBLE + ROOT + node(b"/a", value_size=999) + END, "there are"),
    "a transaction's node": (PREAMBLE + ROOT + node(b"/a", conn_id=1) + END, "open transaction"),
    "a connection of no kind": (PREAMBLE + connection(type=2) + ROOT + END, "type 2"),
    "a socket without descriptor": (PREAMBLE + connection(spec=b"\xff" * 8) + ROOT + END, "descriptor"),
    "two connections of one number": (PREAMBLE + SOCKET + connection(spec=bytes(8)) + ROOT + END, "second"),
    "two connections of one descriptor": (PREAMBLE + SOCKET + connection(2) + ROOT + END, "second"),
    "output that is no message": (PREAMBLE + connection(output=b"x" * 30) + ROOT + END, "messages"),
    "output shorter than what is left": (PREAMBLE + connection(output=b"x", left=2) + ROOT + END, "messages"),
    "an event that ends where it begins": (PREAMBLE + connection(output=pack(15)) + ROOT + END, "messages"),
    "a watch of nobody": (PREAMBLE + watch(b"/a\0", b"t\0") + ROOT + END, "not there before"),
    "a watch without NUL": (PREAMBLE + SOCKET + watch(b"/a", b"t\0") + ROOT + END, "NUL"),
    "a watch on no path": (PREAMBLE + SOCKET + watch(b"\0", b"t\0") + ROOT + END, "no such path"),
    "the same watch twice": (PREAMBLE + SOCKET + SAME * 2 + ROOT + END, "second watch"),
    "the same watch, once relative": (
        PREAMBLE + RING + watch(b"a\0", b"\0") + watch(b"/local/domain/5/a\0", b"\0") + ROOT + END,
        "second watch",
    ),
    "a transaction twice": (
        PREAMBLE + SOCKET + TRANSACTION * 2 + ROOT + END, "transaction 7"
    ),
    "quotas without names": (
        PREAMBLE + records.record(6, struct.pack("=HHII", 2, 0, 1, 1), b"nodes\0") + ROOT + END, "names"
    ),
    "a quota out of range": (
        PREAMBLE + records.record(6, struct.pack("=HHI", 1, 0, 2**32 - 1), b"nodes\0") + ROOT + END, "nodes"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_stream_is_refused(name: str) -> None:
    data, reason = MALFORMED[name]
    with pytest.raises(StreamError, match=reason):
        load(data)


def test_an_error_says_where() -> None:
    data = PREAMBLE + ROOT + node(b"/a/b") + END
    with pytest.raises(StreamError) as caught:
        load(data)
    assert (caught.value.offset, caught.value.type) == (len(PREAMBLE + ROOT), 5)
    assert "'/a', the parent, was not there before" in str(caught.value)


def test_unknown_records_are_left_out_with_a_note() -> None:
    notes: list[str] = []
    data = PREAMBLE + records.record(0x4711, b"?") * 2 + ROOT + END
    stream.read(data, Store(), notes.append)
    assert notes == ["records of the unknown type 0x4711 are left out"]


def test_too_much_input_for_the_format_is_said() -> None:
    image = Image(clients=(Client(9, state(input=bytes(70_000))),))
    with pytest.raises(ValueError, match="65535"):
        stream.head(image, 2)
    data = stream.head(image, 2, private=True) + ROOT + END
    assert load(data)[1].clients[0].session["input"] == bytes(70_000)


def attempt(data: bytes) -> bool:
    """Whether it is a stream; what it makes of the store must be consistent then."""
    store = Store()
    try:
        image = stream.read(data, store)
    except StreamError:
        return False
    for session in restore(image, store).values():
        session.feed(b"")
        session.take()
    for session in store.introduced.values():
        session.take()
    assert store.check() == []
    return True


@pytest.mark.slow
@pytest.mark.parametrize("private", [False, True])
def test_every_truncation_is_an_error(private: bool) -> None:
    before = Populated(7, requests=60)
    data = b"".join(stream.write(before.image(), before.world.store, private=private))
    for size in range(len(data)):
        assert not attempt(data[:size])
    assert attempt(data)


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(2, of=8))
def test_flipped_bits_are_an_error_or_a_store(seed: int) -> None:
    before = Populated(seed, requests=60)
    data = b"".join(stream.write(before.image(), before.world.store, private=seed % 2 == 0))
    chance = random.Random(seed)
    outcomes = set()
    for _ in range(600):
        flipped = bytearray(data)
        for _ in range(chance.choice([1, 1, 3])):
            flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        outcomes.add(attempt(bytes(flipped)))
    assert outcomes == {True, False}
