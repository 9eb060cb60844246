"""Duplicate suppression (XSA-326): an event that still waits unsent is not queued again."""

import pytest

from tests.unit.store.client import Client, World
from xenstore.store import Session
from xenstore.wire import HEADER_SIZE, MessageType


def take_bytes(session: Session, count: int) -> None:
    assert len(session.take(count)) == count


def test_an_unsent_event_is_not_repeated(world: World, dom0: Client) -> None:
    client = world.connect()
    client.watch_only(b"/a")
    for _ in range(100):
        dom0.write(b"/a", b"again")
    assert client.take_events() == [(b"/a", b"t")]


def test_a_sent_event_is_told_again(world: World, dom0: Client) -> None:
    client = world.connect()
    client.watch_only(b"/a")
    for _ in range(3):
        dom0.write(b"/a")
        assert client.take_events() == [(b"/a", b"t")]


def test_only_path_and_token_together_make_a_duplicate(world: World, dom0: Client) -> None:
    client = world.connect()
    client.watch_only(b"/a", b"one")
    client.watch_only(b"/a", b"two")
    for path in (b"/a", b"/a/b", b"/a", b"/a/b"):
        dom0.write(path)
    expected = [(path, token) for path in (b"/a", b"/a/b") for token in (b"one", b"two")]
    assert client.take_events() == expected


def test_path_and_token_are_not_confused_at_their_border(world: World, dom0: Client) -> None:
    client = world.connect()
    client.watch_only(b"/a", b"")
    client.watch_only(b"/", b"")
    dom0.write(b"/a")
    assert client.take_events() == [(b"/a", b"")]


def test_an_event_that_is_being_sent_is_told_again(world: World, dom0: Client) -> None:
    """The client may have read the path already when the second change comes."""
    client = world.connect()
    client.watch_only(b"/a")
    dom0.write(b"/a")
    begun = client.session.take(HEADER_SIZE)
    dom0.write(b"/a")
    dom0.write(b"/a")
    rest = client.session.take()
    assert len(begun + rest) == 2 * (HEADER_SIZE + len(b"/a\0t\0"))


def test_an_event_behind_one_that_is_being_sent_still_counts(world: World, dom0: Client) -> None:
    client = world.connect()
    client.watch_only(b"/")
    dom0.write(b"/a")
    dom0.write(b"/b")
    take_bytes(client.session, HEADER_SIZE + 1)
    dom0.write(b"/b")
    rest = HEADER_SIZE + len(b"/b\0t\0") + len(b"/a\0t\0") - 1
    assert len(client.session.take()) == rest


@pytest.mark.parametrize("name", [b"@introduceDomain", b"@releaseDomain"])
def test_special_events_are_exempt(world: World, name: bytes) -> None:
    """Each may mean another domain, so none is dropped."""
    client = world.connect()
    client.watch_only(name)
    for domid in (3, 4, 5):
        world.guest(domid)
        world.die(domid)
    assert client.take_events() == [(name, b"t")] * 3


def test_the_first_event_of_a_watch_is_never_suppressed(world: World) -> None:
    """A client that waits for it after the reply would wait for ever."""
    client = world.connect()
    for type in (MessageType.WATCH, MessageType.UNWATCH, MessageType.WATCH):
        client.send(type, b"/a\0t\0")
    types = [message.type for message in client.take()]
    event = MessageType.WATCH_EVENT
    assert types == [MessageType.WATCH, event, MessageType.UNWATCH, MessageType.WATCH, event]


def test_suppression_outlives_export_and_restore(world: World, dom0: Client) -> None:
    client = world.connect()
    client.watch_only(b"/a")
    dom0.write(b"/a")
    state = client.session.export()
    client.session.close()
    again = Client(world.store.restore(state))
    dom0.write(b"/a")
    assert again.take_events() == [(b"/a", b"t")]


def test_suppression_outlives_restore_in_the_midst_of_a_message(world: World, dom0: Client) -> None:
    client = world.connect()
    client.watch_only(b"/")
    dom0.write(b"/a")
    dom0.write(b"/b")
    take_bytes(client.session, HEADER_SIZE + 2)
    state = client.session.export()
    assert state["message_left"] == len(b"a\0t\0") - 1
    client.session.close()
    session = world.store.restore(state)
    dom0.write(b"/b")
    assert len(session.take()) == len(b"a\0t\0") - 1 + HEADER_SIZE + len(b"/b\0t\0")
