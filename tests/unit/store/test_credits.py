"""Write credits (XSA-206): a guest's writes cost while others have transactions open."""

import pytest

from tests.unit.store.client import Client, World
from xenstore import errors
from xenstore.wire import MessageType, pack

#: What a guest may spend at once, and what it earns in a second.
CREDITS = 50
CREDITS_PER_SECOND = 200


def flood(guest: Client, count: int) -> int:
    """Have a guest write without waiting for replies; returns how many writes were done at once."""
    for _ in range(count):
        guest.session.feed(pack(MessageType.WRITE, b"flood\0x"))
    return replies(guest)


def replies(guest: Client) -> int:
    guest.session.feed(b"")
    return len(guest.take())


def hold_transaction(world: World) -> Client:
    other = world.connect()
    other.start()
    return other


def test_writes_are_free_while_nobody_has_a_transaction(world: World) -> None:
    assert flood(world.guest(5), 1000) == 1000


def test_ones_own_transaction_costs_nothing(world: World) -> None:
    guest = world.guest(5)
    guest.start()
    assert flood(guest, 1000) == 1000


def test_a_flood_is_held_up_while_another_has_a_transaction(world: World) -> None:
    guest = world.guest(5)
    hold_transaction(world)
    assert flood(guest, 1000) == CREDITS + 1
    assert guest.session.stalled


def test_credits_come_back_with_time(world: World) -> None:
    guest = world.guest(5)
    hold_transaction(world)
    done = flood(guest, 1000)
    assert world.store.seconds_to_next() >= 0
    for _ in range(10):
        world.wait(0.1)
        more = replies(guest)
        assert abs(more - CREDITS_PER_SECOND * 0.1) <= 1
        done += more
    assert done < 1000


def test_they_come_back_though_others_keep_the_store_busy(world: World) -> None:
    """When it is due to be looked at does not move each time somebody asks."""
    guest = world.guest(5)
    hold_transaction(world)
    flood(guest, 1000)
    first = world.store.seconds_to_next()
    world.store.now += first / 2
    assert world.store.seconds_to_next() == pytest.approx(first / 2)
    world.store.now += first / 2
    assert world.store.seconds_to_next() == 0
    world.store.run_due()
    assert replies(guest) > 0


def test_they_do_not_pile_up(world: World) -> None:
    guest = world.guest(5)
    hold_transaction(world)
    world.wait(3600)
    assert flood(guest, 1000) <= CREDITS + 1


def test_a_flood_goes_on_when_the_transaction_is_over(world: World) -> None:
    guest = world.guest(5)
    holder = hold_transaction(world)
    flood(guest, 1000)
    holder.session.close()
    world.wait(0.05)
    assert replies(guest) == 1000 - CREDITS - 1


def test_reads_cost_nothing(world: World) -> None:
    guest = world.guest(5)
    hold_transaction(world)
    for _ in range(1000):
        guest.read(b"/local/domain/5")


@pytest.mark.parametrize("writes", [1, 20])
def test_a_commit_costs_as_one_write(world: World, writes: int) -> None:
    guest = world.guest(5)
    hold_transaction(world)
    for _ in range(CREDITS):
        tx = guest.start()
        for number in range(writes):
            guest.write(b"%d" % number, b"", tx)
        guest.end(tx)
    assert not guest.session.stalled
    assert flood(guest, 10) == 1


def test_a_flooding_guest_does_not_starve_a_transaction(world: World, dom0: Client) -> None:
    """dom0 tries until it succeeds; an attempt takes a millisecond, in which the guest writes all it may."""
    guest = world.guest(5)
    guest.write(b"x")
    guest.session.feed(pack(MessageType.WRITE, b"x\0y") * 5000)
    guest.take()
    guest.session.feed(pack(MessageType.WRITE, b"x\0y") * 5000)
    for attempt in range(100):
        tx = dom0.start()
        dom0.read(b"/local/domain/5/x", tx)
        guest.session.feed(pack(MessageType.WRITE, b"x\0%d" % attempt))
        guest.take()
        world.wait(0.001)
        dom0.write(b"/y", b"", tx)
        try:
            dom0.end(tx)
        except errors.EAGAIN:
            continue
        break
    assert attempt < 60


def test_dom0_is_never_held_up(world: World, dom0: Client) -> None:
    hold_transaction(world)
    for number in range(1000):
        dom0.write(b"/x", b"%d" % number)
