"""The server goes away and comes back, or does not; with both clients."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.xenclient.conftest import Scenario
from tests.unit.xenclient.fake_store import Asked, FakeStore, HangUp
from xenclient.store.errors import ClientError, ConnectError, ConnectionLost, DeadlineError
from xenstore.errors import ENOSPC
from xenstore.wire import TYPE_NAMES

Play = Callable[[Scenario], None]


def hang_up(*names: str, times: int = 1) -> Callable[[Asked], None]:
    """The server closes the connection when it gets one of these requests, so often."""
    left = times

    def rule(asked: Asked) -> None:
        nonlocal left
        if asked.name in names and left:
            left -= 1
            raise HangUp

    return rule


async def passes(client: Any) -> None:
    """Some time."""
    async with client.watch("/time") as watch:
        await watch.next(1)
        with pytest.raises(DeadlineError):
            await watch.next(1)


def test_no_server_at_the_start(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.away = True
        with pytest.raises(ConnectError, match="nobody listens"):
            async with client():
                pytest.fail("not entered")
        assert store.attempts == 1

    play(scenario)


def test_a_full_backlog_is_waited_for(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.busy = 5
        async with client() as c:
            assert await c.read("/a") == b"value"
        assert store.attempts == 6

    play(scenario)


def test_a_full_backlog_for_ever(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.busy = 10**9
        with pytest.raises(DeadlineError, match="after 3 s on fake, waiting for xenstored to accept"):
            async with client(timeout=3):
                pytest.fail("not entered")

    play(scenario)


@pytest.mark.parametrize(
    "call", [("read", "/a"), ("write", "/b", "1"), ("rm", "/a"), ("set_perms", "/a", ["n0"])]
)
def test_a_restart_between_calls_is_not_noticed(play: Play, call: tuple[Any, ...]) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c:
            await c.read("/a")
            store.restart()
            # Time for the trio client, which reads all the time, to learn of it.
            await passes(c)
            await getattr(c, call[0])(*call[1:])

    play(scenario)


REPEATED = [
    ("read", "/a"),
    ("directory", "/a"),
    ("exists", "/a"),
    ("get_domain_path", 3),
    ("is_domain_introduced", 3),
    ("write", "/b", "1"),
    ("mkdir", "/b"),
    ("rm", "/a"),
    ("set_perms", "/a", ["n0"]),
    ("set_target", 3, 4),
    ("set_quota", "nodes", 7),
]


@pytest.mark.parametrize("call", REPEATED, ids=lambda call: call[0])
def test_what_ends_where_once_ends_is_asked_again(play: Play, call: tuple[Any, ...]) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(hang_up(*TYPE_NAMES.values()))
        async with client() as c:
            await getattr(c, call[0])(*call[1:])
        assert [asked.connection for asked in store.asked] == [1, 2]

    play(scenario)


DOUBTFUL = [
    ("introduce", 3, 4, 5),
    ("release", 3),
    ("resume", 3),
    ("set_feature", 3, 1),
    ("control", "check"),
]


@pytest.mark.parametrize("call", DOUBTFUL, ids=lambda call: call[0])
def test_what_may_have_been_executed_is_said(play: Play, call: tuple[Any, ...]) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(hang_up(*TYPE_NAMES.values()))
        async with client() as c:
            with pytest.raises(
                ConnectionLost, match=r"closed the connection .fake. before it answered .*may or may not"
            ):
                await getattr(c, call[0])(*call[1:])
            assert len(store.asked) == 1
            assert await c.read("/a") == b"value"

    play(scenario)


def test_watches_are_set_again_and_fire(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c, c.watch("/a", "t", depth=2) as first, c.watch("/b") as second:
            await first.add("/c", "u")
            for _ in range(2):
                await first.next(1)
            await second.next(1)
            store.schedule += [(50.5, store.restart), (60.5, lambda: store.fire(b"/a/x"))]
            assert [await first.next(100) for _ in range(3)] == [("/a", "t"), ("/c", "u"), ("/a/x", "t")]
            assert (await second.next(1)).path == "/b"
        again = [asked.payload for asked in store.names("WATCH") if asked.connection == 2]
        assert again == [b"/a\0t\x002\0", b"/b\0xenclient-1\0", b"/c\0u\0"]

    play(scenario)


def test_a_removed_watch_is_not_set_again(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c, c.watch("/a", "t") as watch:
            await watch.add("/b", "u")
            await watch.remove("/a")
            store.restart()
            await c.read("/a")
        assert [asked.payload for asked in store.names("WATCH") if asked.connection == 2] == [b"/b\0u\0"]

    play(scenario)


def test_a_watch_that_is_refused_now_is_told_to_its_reader(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c, c.watch("/a", "t") as watch, c.watch("/b") as other:
            await watch.next(1)
            await other.next(1)
            store.rules.append(lambda asked: "ENOSPC" if asked.payload.startswith(b"/a\0") else None)
            store.schedule.append((50.5, store.restart))
            assert (await other.next(100)).path == "/b"
            with pytest.raises(ENOSPC, match="WATCH /a"):
                await watch.next(1)

    play(scenario)


@pytest.mark.parametrize("lost", ["WATCH", "UNWATCH"])
def test_the_connection_is_lost_while_a_watch_is_set_or_removed(play: Play, lost: str) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(hang_up(lost))
        async with client() as c, c.watch("/a", "t") as watch:
            assert (await watch.next(1)).path == "/a"
            await watch.remove("/a")
            assert not store.connections[-1].watches

    play(scenario)


def test_a_server_away_for_a_while_is_waited_for(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c, c.watch("/a") as watch:
            await watch.next(1)
            store.away = True
            store.schedule.append((10.5, lambda: setattr(store, "away", False)))
            store.restart()
            assert await c.read("/a") == b"value"
            assert (await watch.next(1)).path == "/a"
        # A first attempt soon, then twice the pause each time up to a second.
        assert 10 <= store.attempts <= 40

    play(scenario)


def test_a_call_has_its_own_deadline_while_the_server_is_away(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client(reconnect=1000) as c:
            store.away = True
            store.restart()
            with pytest.raises(DeadlineError, match="after 5 s on fake"):
                await c.within(5).read("/a")
            store.away = False
            assert await c.read("/a") == b"value"

    play(scenario)


def test_a_server_that_does_not_come_back(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client(timeout=100, reconnect=20) as c, c.watch("/a") as watch:
            await watch.next(1)
            store.away = True
            store.restart()
            with pytest.raises(
                ConnectionLost, match=r"after 20 s on fake, waiting for xenstored to come back \(nobody"
            ):
                await watch.next()
            with pytest.raises(ConnectionLost, match="after 20 s on fake"):
                await c.read("/a")
            store.away = False
            assert await c.read("/a") == b"value"
            assert (await watch.next(1)).path == "/a"

    play(scenario)


def test_a_server_that_hangs_up_at_once_is_not_tried_in_a_loop(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(hang_up("READ", times=10**9))
        async with client(timeout=10) as c:
            with pytest.raises(DeadlineError, match=r"come back \(xenstored closed the connection\)"):
                await c.read("/a")
        assert len(store.asked) < 50

    play(scenario)


def test_a_server_that_talks_nonsense_is_left(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c:
            store.connections[0].put(b"\xff" * 64)
            assert await c.read("/a") == b"value"
        assert len(store.connections) == 2

    play(scenario)


def test_a_closed_client_says_so(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c:
            kept = c.within(5)
        with pytest.raises(ClientError, match="this client of fake is closed"):
            await kept.read("/a")
        assert store.attempts == 1

    play(scenario)
