"""Directories of every size against a dictionary: small ones are arrays, larger ones hash tries.

The border is at sixteen names on the way up and eight on the way down; 300 and 5,000 names reach the second
and the third level of the trie.
"""

import random

import pytest

from tests.unit.store.client import Client, World
from xenstore import errors
from xenstore.wire import MessageType

SIZES = [*range(41), 300, 5000]


def fill(client: Client, names: list[bytes]) -> None:
    for name in names:
        client.write(b"/d/" + name, name)


def names_of(count: int) -> list[bytes]:
    return [b"n%d" % number for number in range(count)]


def check(client: Client, expected: dict[bytes, bytes]) -> None:
    """The directory lists these names in this order, and each has its value."""
    assert client.directory_in_parts(b"/d") == list(expected)
    for name, value in expected.items():
        assert client.read(b"/d/" + name) == value


@pytest.fixture(autouse=True)
def directory(dom0: Client) -> None:
    dom0.mkdir(b"/d")


@pytest.mark.parametrize("size", SIZES)
def test_a_directory_lists_its_names_in_creation_order(world: World, dom0: Client, size: int) -> None:
    names = names_of(size)
    random.Random(size).shuffle(names)
    fill(dom0, names)
    check(dom0, {name: name for name in names})
    with pytest.raises(errors.ENOENT):
        dom0.read(b"/d/missing")


@pytest.mark.parametrize("size", SIZES)
def test_names_go_in_any_order(dom0: Client, size: int) -> None:
    expected = {name: name for name in names_of(size)}
    fill(dom0, list(expected))
    for name in random.Random(size).sample(sorted(expected), size // 2):
        dom0.rm(b"/d/" + name)
        del expected[name]
    check(dom0, expected)
    for name in list(expected):
        dom0.rm(b"/d/" + name)
        with pytest.raises(errors.ENOENT):
            dom0.read(b"/d/" + name)
    assert dom0.directory(b"/d") == []


def test_a_name_made_again_is_listed_last(dom0: Client) -> None:
    fill(dom0, [b"a", b"b", b"c"])
    dom0.rm(b"/d/a")
    dom0.write(b"/d/b", b"again")
    dom0.write(b"/d/a")
    assert dom0.directory(b"/d") == [b"b", b"c", b"a"]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("pool", [10, 20, 60, 400])
def test_inserts_removes_and_snapshots_in_any_order(world: World, dom0: Client, pool: int, seed: int) -> None:
    """Up to four snapshots are open at a time, and each must go on showing what it showed at first."""
    chance = random.Random(seed)
    expected: dict[bytes, bytes] = {}
    snapshots: list[tuple[Client, int, dict[bytes, bytes]]] = []
    for step in range(600):
        name = b"%d" % chance.randrange(pool)
        if chance.random() < (0.6 if step % 200 < 100 else 0.35):
            expected[name] = b"%d" % step
            dom0.write(b"/d/" + name, expected[name])
        elif name in expected:
            dom0.rm(b"/d/" + name)
            del expected[name]
        if chance.random() < 0.05:
            client = world.connect()
            tx = client.start()
            client.read(b"/d", tx)
            snapshots.append((client, tx, dict(expected)))
        if len(snapshots) > 4:
            client, tx, seen = snapshots.pop(chance.randrange(len(snapshots)))
            check_snapshot(client, tx, seen)
            client.session.close()
    check(dom0, expected)
    for snapshot in snapshots:
        check_snapshot(*snapshot)


def check_snapshot(client: Client, tx: int, expected: dict[bytes, bytes]) -> None:
    assert client.directory(b"/d", tx) == list(expected)
    for name, value in expected.items():
        assert client.read(b"/d/" + name, tx) == value


@pytest.mark.parametrize("size", [8, 15, 16, 17, 40, 300])
def test_versions_part_at_every_size(world: World, dom0: Client, size: int) -> None:
    """Both sides of a snapshot add, change and remove; neither sees the other."""
    expected = {name: name for name in names_of(size)}
    fill(dom0, list(expected))
    other = world.connect()
    tx = other.start()
    other.read(b"/d", tx)
    inside = dict(expected)
    chance = random.Random(size)
    for number in range(3 * size):
        name = chance.choice(sorted(expected))
        dom0.rm(b"/d/" + name)
        del expected[name]
        dom0.write(b"/d/new%d" % number, b"")
        expected[b"new%d" % number] = b""
        name = chance.choice(sorted(inside))
        other.rm(b"/d/" + name, tx)
        del inside[name]
        other.write(b"/d/inner%d" % number, b"", tx)
        inside[b"inner%d" % number] = b""
    check_snapshot(other, tx, inside)
    check(dom0, expected)


def test_one_change_in_a_large_directory_leaves_a_snapshot_alone(world: World, dom0: Client) -> None:
    names = names_of(5000)
    fill(dom0, names)
    other = world.connect()
    tx = other.start()
    other.read(b"/d/n0", tx)
    for name in names[::7]:
        dom0.rm(b"/d/" + name)
    for name in names:
        assert other.read(b"/d/" + name, tx) == name
    assert dom0.directory_in_parts(b"/d") == [name for at, name in enumerate(names) if at % 7]


def test_a_listing_of_4096_bytes_fits_and_one_of_4097_does_not(dom0: Client) -> None:
    """XSA-72."""
    fill(dom0, [b"%015d" % number for number in range(256)])
    assert len(dom0.ask(MessageType.DIRECTORY, b"/d")) == 4096
    dom0.rm(b"/d/%015d" % 0)
    dom0.write(b"/d/%016d" % 0)
    with pytest.raises(errors.E2BIG):
        dom0.directory(b"/d")
    assert len(dom0.directory_in_parts(b"/d")) == 256


def test_parts_end_with_an_empty_name(dom0: Client) -> None:
    empty = dom0.ask(MessageType.DIRECTORY_PART, b"/d", b"0")
    assert empty.endswith(b"\0\0")
    assert empty.rstrip(b"\0").isdigit()
    fill(dom0, [b"a", b"bc"])
    generation = dom0.ask(MessageType.DIRECTORY_PART, b"/d", b"0").partition(b"\0")[0]
    for offset, names in [(b"0", b"a\0bc\0"), (b"2", b"bc\0"), (b"5", b""), (b"99", b""), (b"x", b"a\0bc\0")]:
        assert dom0.ask(MessageType.DIRECTORY_PART, b"/d", offset) == generation + b"\0" + names + b"\0"


def test_the_generation_changes_with_the_listing(dom0: Client) -> None:
    def generation() -> bytes:
        return dom0.ask(MessageType.DIRECTORY_PART, b"/d", b"0").partition(b"\0")[0]

    seen = [generation()]
    for change in (dom0.write, dom0.rm, dom0.mkdir):
        change(b"/d/x")
        seen.append(generation())
    assert len(set(seen)) == len(seen)
    dom0.write(b"/d/x", b"no change of the listing")
    assert generation() == seen[-1]
