"""Watch events that a guest does not read are dropped after a while (XSA-326; option -w watch-event)."""

import pytest

from tests.unit.store.client import Client, World
from xenstore.limits import WATCH_EVENT_TIMEOUT_SECONDS
from xenstore.wire import HEADER_SIZE, MessageType, pack


@pytest.fixture
def guest(world: World, dom0: Client) -> Client:
    """Domain 3, which watches three of its nodes."""
    guest = world.guest(3)
    for name in (b"a", b"b", b"c"):
        dom0.write(b"/local/domain/3/" + name)
        guest.watch_only(name)
    return guest


def change(dom0: Client, name: bytes) -> None:
    dom0.write(b"/local/domain/3/" + name, b"v")


def test_only_the_old_ones_go(world: World, dom0: Client, guest: Client) -> None:
    change(dom0, b"a")
    world.wait(WATCH_EVENT_TIMEOUT_SECONDS / 2)
    change(dom0, b"b")
    world.wait(WATCH_EVENT_TIMEOUT_SECONDS * 0.6)
    change(dom0, b"c")
    assert guest.take_events() == [(b"b", b"t"), (b"c", b"t")]
    assert world.store.check() == []


def test_replies_stay(world: World, dom0: Client, guest: Client) -> None:
    guest.send(MessageType.READ, b"a\0", req_id=1)
    change(dom0, b"a")
    guest.send(MessageType.READ, b"b\0", req_id=2)
    change(dom0, b"b")
    world.wait(WATCH_EVENT_TIMEOUT_SECONDS + 1)
    assert [(message.type, message.req_id) for message in guest.take()] == [
        (MessageType.READ, 1),
        (MessageType.READ, 2),
    ]
    assert world.store.check() == []


def test_one_that_is_being_read_stays(world: World, dom0: Client, guest: Client) -> None:
    change(dom0, b"a")
    change(dom0, b"b")
    begun = guest.session.take(3)
    world.wait(WATCH_EVENT_TIMEOUT_SECONDS + 1)
    rest = guest.session.take()
    assert begun + rest == pack(MessageType.WATCH_EVENT, b"a\0t\0")
    assert world.store.check() == []


def test_what_was_dropped_is_told_again_when_it_changes(world: World, dom0: Client, guest: Client) -> None:
    change(dom0, b"a")
    change(dom0, b"b")
    world.wait(WATCH_EVENT_TIMEOUT_SECONDS + 1)
    change(dom0, b"a")
    change(dom0, b"a")
    assert guest.take_events() == [(b"a", b"t")]


def test_suppression_still_knows_what_was_kept(world: World, dom0: Client, guest: Client) -> None:
    change(dom0, b"a")
    world.wait(WATCH_EVENT_TIMEOUT_SECONDS / 2)
    change(dom0, b"b")
    world.wait(WATCH_EVENT_TIMEOUT_SECONDS * 0.6)
    change(dom0, b"b")
    assert guest.take_events() == [(b"b", b"t")]


def test_a_guest_with_nothing_but_old_events_goes_on(world: World, dom0: Client) -> None:
    guest = world.guest(3)
    guest.watch_only(b"n")
    for number in range(30):
        dom0.write(b"/local/domain/3/n/%d" % number)
    guest.send(MessageType.READ, b"n/1\0")
    assert guest.session.export()["input"], "too much is outstanding"
    world.wait(WATCH_EVENT_TIMEOUT_SECONDS + 1)
    assert [message.type for message in guest.take()] == [MessageType.READ]
    assert world.store.check() == []


@pytest.mark.parametrize("seconds", [0, 1000])
def test_another_age(world: World, dom0: Client, guest: Client, seconds: int) -> None:
    world.store.watch_event_seconds = seconds
    change(dom0, b"a")
    world.wait(999)
    assert guest.take_events() == [(b"a", b"t")]


def test_dom0_keeps_its_events(world: World, dom0: Client, guest: Client) -> None:
    other = world.connect()
    other.watch_only(b"/local/domain/3")
    change(dom0, b"a")
    world.wait(WATCH_EVENT_TIMEOUT_SECONDS + 1)
    assert other.take_events() == [(b"/local/domain/3/a", b"t")]


def test_a_restored_session_starts_their_time_anew(world: World, dom0: Client, guest: Client) -> None:
    change(dom0, b"a")
    world.wait(WATCH_EVENT_TIMEOUT_SECONDS / 2)
    state = guest.session.export()
    guest.session.close()
    again = Client(world.store.restore(state))
    world.wait(WATCH_EVENT_TIMEOUT_SECONDS * 0.9)
    assert len(again.session.export()["output"]) == HEADER_SIZE + len(b"a\0t\0")
    world.wait(WATCH_EVENT_TIMEOUT_SECONDS * 0.2)
    assert again.take_events() == []
