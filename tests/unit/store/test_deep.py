"""Paths as deep as a message allows: nothing recurses along a path (XSA-418)."""

import pytest

from tests.unit.store.client import Client, World
from xenstore import errors

#: With a leading slash and one letter a component, this fills a payload; Python's recursion ends at 1000.
LEVELS = 1900
DEEP = b"/a" * LEVELS


def settle(world: World) -> None:
    """Free all that was removed, slice by slice."""
    while world.store.seconds_to_next() == 0:
        world.store.run_due()


def test_a_deep_path_is_written_read_and_removed(world: World, dom0: Client) -> None:
    before = world.store.usage(0)
    dom0.write(DEEP, b"deep")
    assert world.store.usage(0)["nodes"] == before["nodes"] + LEVELS
    assert world.store.check() == []
    assert dom0.read(DEEP) == b"deep"
    assert dom0.directory(b"/a" * (LEVELS - 1)) == [b"a"]
    dom0.rm(b"/a")
    settle(world)
    assert world.store.usage(0) == before


def test_a_deep_path_in_a_transaction(world: World, dom0: Client) -> None:
    tx = dom0.start()
    dom0.write(DEEP, b"deep", tx)
    dom0.write(b"/b")
    dom0.end(tx)
    tx = dom0.start()
    dom0.rm(b"/a", tx)
    dom0.write(b"/c")
    assert dom0.read(DEEP) == b"deep"
    with pytest.raises(errors.ENOENT):
        dom0.read(DEEP, tx)
    dom0.end(tx)
    with pytest.raises(errors.ENOENT):
        dom0.read(DEEP)
    settle(world)


def test_a_snapshot_keeps_what_the_store_has_removed(world: World, dom0: Client) -> None:
    dom0.write(DEEP, b"deep")
    other = world.connect()
    tx = other.start()
    assert other.read(DEEP, tx) == b"deep"
    dom0.rm(b"/a")
    dom0.write(DEEP, b"anew")
    dom0.rm(b"/a")
    settle(world)
    assert other.directory(b"/a" * 1000, tx) == [b"a"]
    assert other.read(DEEP, tx) == b"deep"
    other.end(tx, commit=False)
    settle(world)


def test_every_level_may_be_edited_under_a_snapshot(world: World, dom0: Client) -> None:
    dom0.write(DEEP, b"old")
    other = world.connect()
    tx = other.start()
    other.read(DEEP, tx)
    for level in range(1, LEVELS + 1, 100):
        dom0.write(b"/a" * level, b"new")
    for level in range(1, LEVELS, 100):
        assert other.read(b"/a" * level, tx) == b""
        assert dom0.read(b"/a" * level) == b"new"
    assert other.read(DEEP, tx) == b"old"


def test_watches_at_every_level_of_a_removed_tree(world: World, dom0: Client) -> None:
    dom0.write(DEEP)
    watcher = world.connect()
    levels = range(1, LEVELS + 1, 50)
    for level in levels:
        watcher.watch(b"/a" * level, b"%d" % level)
    watcher.take()
    dom0.rm(b"/a")
    told = [path.count(b"/") for path, _ in watcher.take_events()]
    assert told == [*sorted(levels, reverse=True)]
    watcher.session.close()
    assert world.store.watches.count == 0


def test_a_dead_domains_deep_nodes_go(world: World, dom0: Client) -> None:
    dom0.write(DEEP)
    world.guest(5)
    dom0.set_perms(DEEP, b"n5")
    dom0.set_perms(b"/a/a/a", b"n5")
    world.die(5)
    assert dom0.directory(b"/a/a") == []
    settle(world)


def test_a_guest_may_go_as_deep_as_its_quotas(world: World) -> None:
    guest = world.guest(5)
    guest.write(b"a" + b"/a" * 900, b"x")
    assert world.store.check() == []
    guest.rm(b"a")
    with pytest.raises(errors.EINVAL):
        guest.write(b"a" + b"/a" * 1024)


def test_depth_counts_levels_of_a_deep_change(world: World, dom0: Client) -> None:
    watcher = world.connect()
    watcher.watch_only(b"/", b"exact", b"%d" % LEVELS)
    watcher.watch_only(b"/", b"short", b"%d" % (LEVELS - 1))
    dom0.write(DEEP)
    assert watcher.take_events() == [(DEEP, b"exact")]
