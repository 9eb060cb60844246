"""What open transactions of guests may hold: bytes, old versions, and for how long."""

import gc

import pytest

from tests.unit.store.client import Client, World
from xenstore import errors
from xenstore.limits import PINNED_MAX_BYTES, PINNED_MAX_SECONDS

VALUE = b"v" * 1000


def churn(client: Client, count: int, value: bytes = VALUE) -> None:
    """Have the store replace `count` nodes that a snapshot taken before still holds."""
    for number in range(count):
        client.write(b"/churn/%d" % number, value)


def read_often(client: Client, tx: int) -> None:
    for _ in range(100):
        client.read(b"v", tx)


def watch_often(client: Client) -> None:
    for number in range(100):
        client.watch(b"x", b"%01000d" % number)


def write_deep_paths(client: Client, tx: int) -> None:
    for number in range(10):
        client.write(b"%d" % number + b"/a" * 150, b"", tx)


def prepare(world: World) -> tuple[Client, int]:
    """A guest's transaction that has written and read, and nodes for `churn` to replace."""
    churn(world.dom0, 2 * PINNED_MAX_BYTES // len(VALUE))
    guest = world.guest(5)
    guest.write(b"old", b"old")
    tx = guest.start()
    guest.write(b"new", b"new", tx)
    guest.read(b"old", tx)
    return guest, tx


def test_a_guest_that_pins_too_much_loses_its_snapshot(world: World, dom0: Client) -> None:
    guest, tx = prepare(world)
    churn(dom0, PINNED_MAX_BYTES // len(VALUE) + 10)
    world.wait(0)
    guest.read(b"old", tx)
    with pytest.raises(errors.EAGAIN):
        guest.end(tx)
    with pytest.raises(errors.ENOENT):
        guest.read(b"new")


def test_a_guest_that_pins_less_keeps_it(world: World, dom0: Client) -> None:
    guest, tx = prepare(world)
    churn(dom0, PINNED_MAX_BYTES // len(VALUE) // 2)
    world.wait(0)
    guest.end(tx)
    assert guest.read(b"new") == b"new"


def test_dom0_keeps_its_snapshot_whatever_it_pins(world: World, dom0: Client) -> None:
    churn(dom0, 3 * PINNED_MAX_BYTES // len(VALUE))
    dom0.write(b"/x", b"old")
    other = world.connect()
    tx = other.start()
    other.read(b"/x", tx)
    churn(dom0, 3 * PINNED_MAX_BYTES // len(VALUE))
    dom0.write(b"/x", b"new")
    world.wait(1000)
    assert other.read(b"/x", tx) == b"old"
    other.end(tx)


def test_pinning_for_too_long_loses_the_snapshot(world: World, dom0: Client) -> None:
    guest, tx = prepare(world)
    churn(dom0, 1)
    world.wait(PINNED_MAX_SECONDS - 0.1)
    churn(dom0, 1)
    world.wait(0.2)
    with pytest.raises(errors.EAGAIN):
        guest.end(tx)


def test_pinning_for_long_enough_does_not(world: World, dom0: Client) -> None:
    guest, tx = prepare(world)
    churn(dom0, 1)
    world.wait(PINNED_MAX_SECONDS - 0.1)
    guest.end(tx)


def test_time_counts_from_when_something_was_pinned(world: World, dom0: Client) -> None:
    guest, tx = prepare(world)
    world.wait(10 * PINNED_MAX_SECONDS)
    churn(dom0, 1)
    world.wait(PINNED_MAX_SECONDS / 2)
    guest.end(tx)


def finish_dismantling(world: World) -> None:
    """Trees that wait to be freed, those of earlier tests included, make timers due."""
    gc.collect()
    while world.store.seconds_to_next() == 0:
        world.wait(0)


def test_no_timer_is_set_before_something_is_pinned(world: World, dom0: Client) -> None:
    """A timer for each request of a transaction would cost its guest more than the request."""
    guest = world.guest(5)
    guest.write(b"old", b"old")
    finish_dismantling(world)
    tx = guest.start()
    guest.read(b"old", tx)
    guest.write(b"new", b"new", tx)
    assert world.store.seconds_to_next() < 0
    dom0.write(b"/x", b"1")
    dom0.write(b"/x", b"2")
    assert 0 <= world.store.seconds_to_next() <= 1


def test_a_guest_alone_may_take_its_time(world: World) -> None:
    """What it writes itself replaces nothing that the store does not hold as well."""
    guest, tx = prepare(world)
    for number in range(100):
        world.wait(PINNED_MAX_SECONDS)
        guest.write(b"new", b"%d" % number, tx)
    guest.end(tx)
    assert guest.read(b"new") == b"99"


def test_a_lost_transaction_holds_nothing(world: World, dom0: Client) -> None:
    guest, tx = prepare(world)
    churn(dom0, 1)
    world.wait(2 * PINNED_MAX_SECONDS)
    before = world.store.usage(5)
    for number in range(50):
        guest.write(b"n%d" % number, VALUE, tx)
        guest.read(b"old", tx)
    assert world.store.usage(5) == before
    with pytest.raises(errors.EAGAIN):
        guest.end(tx)
    assert guest.directory(b"/local/domain/5") == [b"old"]


def test_operations_of_a_transaction_are_charged_until_its_end(world: World) -> None:
    guest = world.guest(5)
    guest.write(b"v", VALUE)
    before = world.store.usage(5)["memory"]
    tx = guest.start()
    for _ in range(20):
        guest.read(b"v", tx)
    assert world.store.usage(5)["memory"] > before + 20 * len(VALUE)
    guest.end(tx)
    assert world.store.usage(5)["memory"] == before


@pytest.mark.parametrize("commit", [True, False])
def test_a_transaction_over_the_memory_quota_is_doomed_and_the_guest_goes_on(commit: bool) -> None:
    """Waiting for memory that only the transaction's end can free would stall the guest for good."""
    world = World({"memory": 20_000})
    guest = world.guest(5)
    guest.write(b"v", VALUE)
    tx = guest.start()
    guest.write(b"w", b"", tx)
    with pytest.raises(errors.ENOMEM):
        read_often(guest, tx)
    assert guest.read(b"v") == VALUE
    if commit:
        with pytest.raises(errors.ENOMEM):
            guest.end(tx)
    else:
        guest.end(tx, commit=False)
    assert guest.directory(b"/local/domain/5") == [b"v"]
    assert world.store.check() == []


def test_a_doomed_transaction_holds_nothing_more() -> None:
    world = World({"memory": 20_000})
    guest = world.guest(5)
    guest.write(b"v", VALUE)
    tx = guest.start()
    with pytest.raises(errors.ENOMEM):
        read_often(guest, tx)
    before = world.store.usage(5)
    for number in range(100):
        guest.write(b"n%d" % number, VALUE, tx)
    assert world.store.usage(5) == before


def test_a_transaction_cannot_hold_more_new_nodes_than_its_domain_may_own() -> None:
    """XSA-326: a path of a thousand components costs a guest two kilobytes and the store a thousand nodes."""
    world = World({"nodes": 100})
    guest = world.guest(5)
    tx = guest.start()
    guest.write(b"a" + b"/a" * 89, b"", tx)
    with pytest.raises(errors.ENOSPC):
        guest.write(b"b" + b"/b" * 89, b"", tx)
    with pytest.raises(errors.ENOMEM):
        guest.end(tx)


def test_a_transaction_may_replace_all_nodes_of_its_domain() -> None:
    world = World({"nodes": 100})
    guest = world.guest(5)
    for number in range(99):
        guest.write(b"%d" % number)
    tx = guest.start()
    for number in range(99):
        guest.write(b"new%d" % number, b"", tx)
    for number in range(99):
        guest.rm(b"%d" % number, tx)
    guest.end(tx)
    assert len(guest.directory(b"/local/domain/5")) == 99


@pytest.mark.parametrize("inside", [True, False])
def test_nodes_over_the_memory_quota_are_refused_and_the_guest_goes_on(inside: bool) -> None:
    """Implicit ancestors take memory that the payload does not show: their paths."""
    world = World({"memory": 60_000, "nodes": 0})
    guest = world.guest(5)
    tx = guest.start() if inside else 0
    with pytest.raises(errors.ENOMEM):
        write_deep_paths(guest, tx)
    assert guest.read(b"/local/domain/5") == b""
    assert world.store.usage(5)["memory"] <= 60_000


def test_watches_over_the_memory_quota_are_refused_and_the_guest_goes_on() -> None:
    world = World({"memory": 20_000})
    guest = world.guest(5)
    with pytest.raises(errors.ENOMEM):
        watch_often(guest)
    guest.unwatch(b"x", b"%01000d" % 0)
    assert world.store.check() == []
