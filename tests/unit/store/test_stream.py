"""The migration stream: what is written byte for byte, and that it is read as it was."""

import random
import struct

import pytest

from tests.unit.store.client import Client, World
from tests.unit.store.random_store import Populated, nodes_of
from tests.unit.store.streams import END, PREAMBLE, load, node
from xenstore import errors, records, stream
from xenstore.hypervisor import Ring
from xenstore.image import Client as SocketClient
from xenstore.image import Domain, Image, capture, restore
from xenstore.wire import MessageType, pack


def all_records(data: bytes) -> list[tuple[int, bytes]]:
    """Type and padded body of each record."""
    at, found = 16, []
    while at < len(data):
        type, size = struct.unpack_from("=II", data, at)
        found.append((type, data[at + 8 : at + 8 + size]))
        at += 8 + size
    return found


def path_of(body: bytes) -> bytes:
    """The path in a node's record."""
    path_size, _, _, perm_count = struct.unpack_from("=HHHH", body, 8)
    start = 16 + 4 * perm_count
    return body[start : start + path_size - 1]


# --- bytes --------------------------------------------------------------------------------------------


def state(**differences: object) -> dict[str, object]:
    values: dict[str, object] = {
        "domid": 0, "privileged": True, "target": None, "features": 14, "input": b"", "output": b"",
        "message_left": 0, "sent_bytes": 0, "executed_bytes": 0,
        "watches": [], "last_tx_id": 0, "transactions": [],
    }  # fmt: skip
    return values | differences


RING = Ring(gfn=0x55, port=3, unique=0x1122334455667788)
GUEST = Domain(5, state(domid=5, privileged=False, target=6, features=2), RING, local_port=9)
BUSY = SocketClient(
    12, state(input=b"abc", output=b"left" + pack(16, b"EIO\0"), message_left=4, watches=[(b"x", b"t", -1)])
)
DEEP = SocketClient(
    13, state(watches=[(b"/x", b"tok", 3)], transactions=[0x77], last_tx_id=0x78, sent_bytes=9)
)

RECORDS = {
    "descriptors": (
        Image(socket_fd=4, event_fd=-1),
        1,
        [(1, b"\4\0\0\0\xff\xff\xff\xff")],
    ),
    "a ring, version 1": (
        Image(domains=(GUEST,)),
        1,
        [(2, b"\1\0\0\0" b"\0\0" b"\0\0" b"\5\0\6\0\x09\0\0\0" b"\0\0\0\0" b"\0\0\0\0")],
    ),
    "a ring with its domain's number, version 2": (
        Image(domains=(GUEST,)),
        2,
        [
            (2, b"\1\0\0\0" b"\0\0" b"\1\0" b"\5\0\6\0\x09\0\0\0" b"\0\0\0\0" b"\0\0\0\0"
                b"\x88\x77\x66\x55\x44\x33\x22\x11"),
        ],
    ),
    "a ring without target": (
        Image(domains=(GUEST._replace(session=state(domid=5)),)),
        1,
        [(2, b"\1\0\0\0" b"\0\0" b"\0\0" b"\5\0\xf4\x7f\x09\0\0\0" b"\0\0\0\0" b"\0\0\0\0")],
    ),
    "a socket with partial input, unsent output and a relative watch": (
        Image(clients=(BUSY,)),
        1,
        [
            (2, b"\1\0\0\0" b"\1\0" b"\0\0" b"\x0c\0\0\0\0\0\0\0" b"\3\0" b"\4\0" b"\x18\0\0\0" b"abc"
                b"left" b"\x10\0\0\0\0\0\0\0\0\0\0\0\4\0\0\0EIO\0" b"\0\0\0\0\0"),
            (3, b"\1\0\0\0" b"\2\0" b"\2\0" b"x\0t\0" b"\0\0\0\0"),
        ],
    ),
    "a watch with a depth, version 2": (
        Image(clients=(DEEP,)),
        2,
        [
            (2, b"\1\0\0\0" b"\1\0" b"\0\0" b"\x0d\0\0\0\0\0\0\0" b"\0\0\0\0" b"\0\0\0\0"),
            (8, b"\1\0\0\0" b"\3\0" b"\4\0" b"\3\0" b"\0\0" b"/x\0tok\0" b"\0\0\0\0\0"),
        ],
    ),
    "a watch with a depth, version 1": (
        Image(clients=(DEEP,)),
        1,
        [
            (2, b"\1\0\0\0" b"\1\0" b"\0\0" b"\x0d\0\0\0\0\0\0\0" b"\0\0\0\0" b"\0\0\0\0"),
            (3, b"\1\0\0\0" b"\3\0" b"\4\0" b"/x\0tok\0" b"\0"),
        ],
    ),
    "quotas and features": (
        Image(
            quotas={"nodes": 9, "soft-memory": 8},
            domain_quotas={0: {"nodes": 7}, 6: {}},
            features_ahead={6: 2},
        ),
        2,
        [
            (6, b"\2\0" b"\0\0" b"\x09\0\0\0\x08\0\0\0" b"nodes\0soft-memory\0" b"\0\0"),
            (7, b"\0\0" b"\1\0" b"\x0f\0\0\0" b"\7\0\0\0" b"nodes\0" b"\0\0\0\0\0\0"),
            (7, b"\6\0" b"\0\0" b"\2\0\0\0"),
        ],
    ),
}  # fmt: skip


@pytest.mark.skipif(records.FLAGS != 0, reason="the table is little endian")
@pytest.mark.parametrize("name", RECORDS)
def test_records_byte_for_byte(name: str) -> None:
    image, version, expected = RECORDS[name]
    data = stream.head(image, version) + stream.tail(image, version)
    assert data[:16] == b"xenstore" + struct.pack(">II", version, 0)
    found = all_records(data)
    assert found[-1] == (0, b"")
    always = {(1, b"\xff\xff\xff\xff\xff\xff\xff\xff"), (6, b"\0\0\0\0\0\0\0\0"), (0, b"")}
    assert [record for record in found if record not in always] == expected


@pytest.mark.skipif(records.FLAGS != 0, reason="the bytes are little endian")
def test_a_node_byte_for_byte(world: World, dom0: Client) -> None:
    world.guest(5)
    dom0.write(b"/tool/x", b"value")
    dom0.set_perms(b"/tool/x", b"b5", b"r3")
    writer = stream.NodeWriter(world.store)
    data = writer.next(1 << 20)
    assert (
        b"\5\0\0\0" b"\x28\0\0\0"
        b"\0\0\0\0" b"\0\0\0\0" b"\x08\0" b"\5\0" b"\0\0" b"\2\0" b"b\0\5\0" b"r\1\3\0"
        b"/tool/x\0" b"value" b"\0\0\0"
    ) in data  # fmt: skip
    assert writer.next(1 << 20) == b""


def test_nodes_come_parents_first_in_creation_order(world: World, dom0: Client) -> None:
    for name in (b"z", b"a", b"m"):
        dom0.write(b"/d/" + name + b"/below")
    data = b"".join(stream.write(capture(world.store), world.store, 1))
    paths = [path_of(body) for type, body in all_records(data) if type == 5]
    assert paths[:3] == [b"/", b"/tool", b"/tool/xenstored"]
    assert paths[3:] == [
        b"/d", b"/d/z", b"/d/z/below", b"/d/a", b"/d/a/below", b"/d/m", b"/d/m/below",
        b"@introduceDomain", b"@releaseDomain",
    ]  # fmt: skip


# --- there and back -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_a_private_stream_is_the_whole_store(seed: int) -> None:
    before = Populated(seed)
    image = before.image()
    store, after = load(b"".join(stream.write(image, before.world.store, private=True)))
    assert after == image
    clients = restore(after, store)
    assert store.check() == []
    assert nodes_of(store) == nodes_of(before.world.store)
    ports = {domain.domid: domain.local_port for domain in image.domains}
    again = capture(store, clients.items(), local_ports=ports, socket_fd=5, event_fd=6)
    assert again._replace(generation=0) == image._replace(generation=0)
    assert again.generation > image.generation
    for account in before.world.store.accounts:
        now, then = store.usage(account.domid), account.usage()
        # Entries of dead domains, which count until a node is written again, are gone for good.
        assert now.pop("memory") <= then.pop("memory")
        assert now == then


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("seed", range(20))
def test_a_stream_for_others_has_what_the_format_has(seed: int, version: int) -> None:
    before = Populated(seed)
    image = before.image()
    data = b"".join(stream.write(image, before.world.store, version))
    assert all(type < 0x58450000 and type != 4 for type, _ in all_records(data))
    store, after = load(data)
    restore(after, store)
    assert store.check() == []
    assert nodes_of(store) == nodes_of(before.world.store)
    for domain, original in zip(after.domains, image.domains, strict=True):
        kept = {"domid", "privileged", "target", "input", "output", "message_left"} | (
            {"watches", "features"} if version == 2 else set()
        )
        assert {name: domain.session[name] for name in kept} == {
            name: original.session[name] for name in kept
        }
        assert [watch[:2] for watch in domain.session["watches"]] == [
            watch[:2] for watch in original.session["watches"]
        ]
        assert domain.local_port == original.local_port
        assert not domain.has_positions
    if version == 2:
        assert (after.quotas, after.domain_quotas) == (image.quotas, image.domain_quotas)
        assert after.features_ahead == image.features_ahead


def test_the_nodes_are_those_of_the_moment_the_writer_was_made(world: World, dom0: Client) -> None:
    for i in range(200):
        dom0.write(b"/d/%d/x" % i, b"before")
    expected = nodes_of(world.store)
    writer = stream.NodeWriter(world.store)
    found = b""
    while piece := writer.next(300):
        found += piece
        dom0.write(b"/d/%d/x" % (len(found) % 300), b"after")
        if len(found) % 5 == 0:
            dom0.rm(b"/d/%d" % (len(found) % 300)) if dom0.directory(b"/d") else None
            break
    while piece := writer.next(300):
        found += piece
    assert found == expected


def test_slices_have_about_the_size_asked_for(world: World, dom0: Client) -> None:
    for i in range(500):
        dom0.write(b"/d/%d" % i, b"v" * 100)
    writer = stream.NodeWriter(world.store, numbered=True)
    sizes = [len(piece) for piece in iter(lambda: writer.next(2000), b"")]
    assert len(sizes) > 20
    assert all(2000 <= size < 2300 for size in sizes[:-1])


def test_a_directory_too_large_to_sort_keeps_its_order(world: World, dom0: Client) -> None:
    names = [b"%d" % i for i in range(3000)]
    random.Random(1).shuffle(names)
    for name in names:
        dom0.write(b"/d/" + name)
    store, _ = load(b"".join(stream.write(capture(world.store), world.store, private=True)))
    client = Client(store.connect())
    assert client.directory_in_parts(b"/d") == names
    client.write(b"/d/new")
    assert client.directory_in_parts(b"/d") == [*names, b"new"]


def test_no_listing_has_a_generation_that_it_had_before(world: World, dom0: Client) -> None:
    dom0.write(b"/d/x")
    before, _, _ = dom0.ask(MessageType.DIRECTORY_PART, b"/d", b"0").partition(b"\0")
    store, _ = load(b"".join(stream.write(capture(world.store), world.store, private=True)))
    after, _, _ = Client(store.connect()).ask(MessageType.DIRECTORY_PART, b"/d", b"0").partition(b"\0")
    assert int(after) > int(before)


def test_entries_of_dead_domains_do_not_come_back(world: World, dom0: Client) -> None:
    world.guest(5)
    dom0.write(b"/x")
    dom0.set_perms(b"/x", b"n0", b"r5")
    world.die(5)
    store, image = load(b"".join(stream.write(capture(world.store), world.store, private=True)))
    restore(image, store)
    assert Client(store.connect()).get_perms(b"/x") == [b"n0"]
    with pytest.raises(errors.EACCES):
        Client(store.connect_domain(5)).read(b"/x")


def test_nodes_may_come_in_any_order_with_parents_first() -> None:
    paths = [b"/", b"/a", b"/b", b"/a/x", b"/b/y", b"/a/x/deep", b"/ab", b"/a/z", b"@releaseDomain"]
    data = PREAMBLE + b"".join(node(path, path) for path in paths) + END
    store, image = load(data)
    restore(image, store)
    assert store.check() == []
    client = Client(store.connect())
    assert [client.read(path) for path in paths[:-1]] == paths[:-1]
    assert client.directory(b"/a") == [b"x", b"z"]
    assert client.directory(b"/") == [b"a", b"b", b"ab"]


def test_a_restored_session_goes_on(world: World, dom0: Client) -> None:
    guest = world.guest(5)
    guest.watch_only(b"data", b"token")
    tx = guest.start()
    guest.session.feed(pack(MessageType.WRITE, b"data/x\0v")[:18])
    store, image = load(b"".join(stream.write(capture(world.store), world.store, private=True)))
    restore(image, store)
    moved = store.session_of(5)
    assert moved is not None
    moved.feed(pack(MessageType.WRITE, b"data/x\0v")[18:])
    client = Client(moved)
    assert [message.payload for message in client.take()] == [b"data/x\0token\0", b"OK\0"]
    with pytest.raises(errors.EAGAIN):
        client.end(tx)


def test_a_domain_whose_ring_is_ignored_stays_ignored(world: World) -> None:
    world.guest(5)
    world.store.ignore(5, 2)
    image = capture(world.store)
    store, after = load(b"".join(stream.write(image, world.store, private=True)))
    restore(after, store)
    session = store.session_of(5)
    assert (after.domains[0].error, store.ignored) == (2, {5: 2})
    assert session is not None
    assert session.closed
