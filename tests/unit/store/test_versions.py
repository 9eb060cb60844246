"""Versions of the tree share what they have in common, and what no version holds is freed in slices."""

import sys

import pytest

from tests.unit.store.client import Client, World
from xenstore import errors


def look(client: Client, tx: int = 0) -> list[object]:
    """Everything there is to see of the nodes that `turn_over` changes."""
    paths = [b"/", b"/a", b"/a/b", b"/a/b/c", b"/tool"]
    seen: list[object] = [client.get_perms(b"@introduceDomain", tx)]
    for path in paths:
        try:
            seen += [client.read(path, tx), client.directory(path, tx), client.get_perms(path, tx)]
        except errors.ENOENT:
            seen.append(None)
    return seen


def turn_over(client: Client, mark: bytes, tx: int = 0) -> None:
    """Change every node there is."""
    client.write(b"/", mark, tx)
    client.write(b"/a", mark, tx)
    client.rm(b"/a/b", tx)
    client.write(b"/a/b/new", mark, tx)
    client.set_perms(b"/a", b"r0", tx=tx)
    client.rm(b"/tool", tx)
    client.write(b"/" + mark, b"", tx)
    client.set_perms(b"@introduceDomain", b"r0", tx=tx)


@pytest.fixture(autouse=True)
def content(dom0: Client) -> None:
    dom0.write(b"/a/b/c", b"old")


def test_a_snapshot_sees_nothing_of_later_changes(world: World, dom0: Client) -> None:
    other = world.connect()
    tx = other.start()
    before = look(other, tx)
    turn_over(dom0, b"live")
    assert look(other, tx) == before
    assert look(dom0) != before
    other.end(tx)


def test_the_store_sees_nothing_of_a_transaction(world: World, dom0: Client) -> None:
    before = look(dom0)
    other = world.connect()
    tx = other.start()
    turn_over(other, b"private", tx)
    assert look(dom0) == before
    inside = look(other, tx)
    other.end(tx)
    assert look(dom0) == inside


def test_a_transaction_given_up_leaves_nothing(world: World, dom0: Client) -> None:
    before, usage = look(dom0), world.store.usage(0)
    tx = dom0.start()
    turn_over(dom0, b"private", tx)
    dom0.end(tx, commit=False)
    assert look(dom0) == before
    assert world.store.usage(0) == usage


def test_many_versions_at_once(world: World, dom0: Client) -> None:
    snapshots = []
    for number in range(50):
        dom0.write(b"/a/b/c", b"%d" % number)
        dom0.write(b"/a/%d" % number)
        client = world.connect()
        tx = client.start()
        snapshots.append((client, tx, look(client, tx), number))
    turn_over(dom0, b"live")
    for client, tx, seen, number in snapshots[::2]:
        assert look(client, tx) == seen
        client.end(tx)
        assert number % 2 == 0
    for client, tx, seen, number in reversed(snapshots[1::2]):
        assert client.read(b"/a/b/c", tx) == b"%d" % number
        assert look(client, tx) == seen


def test_a_transaction_on_a_transactions_result(world: World, dom0: Client) -> None:
    """The version that becomes the store goes on being edited in place, but not under a later snapshot."""
    first, second = world.connect(), world.connect()
    tx = first.start()
    turn_over(first, b"one", tx)
    first.end(tx)
    tx = second.start()
    before = look(second, tx)
    turn_over(dom0, b"two")
    assert look(second, tx) == before


def wide_tree(client: Client) -> None:
    for number in range(3000):
        client.write(b"/wide/%d/%d" % (number // 50, number), b"value" * 20)


def test_a_large_removed_subtree_is_freed_in_slices(world: World, dom0: Client) -> None:
    wide_tree(dom0)
    dom0.rm(b"/wide")
    slices, freed = 0, []
    while world.store.seconds_to_next() == 0:
        before = sys.getallocatedblocks()
        world.store.run_due()
        freed.append(before - sys.getallocatedblocks())
        slices += 1
    assert slices > 1
    assert sum(freed) > 3000
    # At most 256 pieces of 16 items at a time, each with a name, a value and a directory.
    assert max(freed) < 256 * 17 * 4


def test_work_goes_on_while_much_is_freed(world: World, dom0: Client) -> None:
    wide_tree(dom0)
    dom0.rm(b"/wide")
    wide_tree(dom0)
    assert len(dom0.directory(b"/wide")) == 60
    world.store.run_due()
    assert dom0.read(b"/wide/59/2999") == b"value" * 20


@pytest.mark.parametrize("how", ["given up", "committed", "left open until the client went"])
def test_what_transactions_copied_is_freed_as_fast_as_they_copy(world: World, dom0: Client, how: str) -> None:
    """However busy the store is: nobody makes it hold more and more of what nobody can see.

    With one write a guest copies as many nodes as its path has components.
    """
    deep = b"/deep" + b"/x" * 200
    dom0.write(deep, b"value")
    held = []
    for _ in range(30):
        client = world.connect()
        for number in range(10):
            tx = client.start()
            client.write(deep, b"%d" % number, tx)
            if how != "left open until the client went":
                client.end(tx, commit=how == "committed")
        client.session.close()
        held.append(sys.getallocatedblocks())
    assert max(held[10:]) < max(held[:10]) * 1.05


def test_what_a_snapshot_holds_is_freed_with_it(world: World, dom0: Client) -> None:
    wide_tree(dom0)
    other = world.connect()
    tx = other.start()
    other.read(b"/wide", tx)
    dom0.rm(b"/wide")
    while world.store.seconds_to_next() == 0:
        world.store.run_due()
    held = sys.getallocatedblocks()
    assert len(other.directory(b"/wide/7", tx)) == 50
    other.end(tx)
    while world.store.seconds_to_next() == 0:
        world.store.run_due()
    assert held - sys.getallocatedblocks() > 3000
