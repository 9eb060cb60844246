"""Watches: who gets which event, and nobody's queue grows without end; with both clients."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.xenclient.conftest import Scenario
from tests.unit.xenclient.fake_store import Asked, FakeStore
from xenclient.store.errors import ClientError, DeadlineError
from xenclient.store.watches import QUEUE_MAX_EVENTS, Event
from xenstore.errors import EEXIST, ENOENT, ENOSPC

Play = Callable[[Scenario], None]


async def taken(watch: Any, count: int) -> list[Event]:
    return [await watch.next(1) for _ in range(count)]


async def none_left(watch: Any) -> None:
    with pytest.raises(DeadlineError, match="waiting for a watch event"):
        await watch.next(1)


def test_the_first_event_and_those_of_changes(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c:
            async with c.watch("/a", "mine") as watch:
                await c.write("/a/b", "1")
                await c.write("/elsewhere", "1")
                await c.write("/a", "2")
                events = [(event.path, event.token) for event in await taken(watch, 3)]
                assert events == [("/a", "mine"), ("/a/b", "mine"), ("/a", "mine")]
                await none_left(watch)
            await c.read("/a")
        assert store.names("WATCH", "UNWATCH") == [
            Asked("WATCH", b"/a\0mine\0"),
            Asked("UNWATCH", b"/a\0mine\0"),
        ]

    play(scenario)


def test_iterating_waits_for_events(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        for second in (1.5, 20.5, 300.5):
            store.schedule.append((second, lambda s=second: store.fire(b"/a/%d" % s)))  # type: ignore[misc]
        paths = []
        async with client() as c, c.watch("/a") as watch:
            async for event in watch:
                paths.append(event.path)
                if len(paths) == 4:
                    break
        assert paths == ["/a", "/a/1", "/a/20", "/a/300"]

    play(scenario)


def test_each_watch_gets_its_own_events(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c, c.watch("/a") as outer, c.watch("/a/b") as inner, c.watch("/c") as other:
            await c.write("/a/x", "")
            await c.write("/a/b/y", "")
            assert [path for path, _ in await taken(outer, 3)] == ["/a", "/a/x", "/a/b/y"]
            assert [path for path, _ in await taken(inner, 2)] == ["/a/b", "/a/b/y"]
            assert [path for path, _ in await taken(other, 1)] == ["/c"]
            for watch in (outer, inner, other):
                await none_left(watch)

    play(scenario)


def test_one_token_on_two_paths(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c, c.watch("/a", "t") as first, c.watch("/b", "t") as second:
            await c.write("/b/1", "")
            await c.write("/ab", "")
            assert await taken(first, 1) == [("/a", "t")]
            assert await taken(second, 2) == [("/b", "t"), ("/b/1", "t")]
            await none_left(first)

    play(scenario)


def test_one_stream_of_several_paths(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c, c.watch("/a", "1") as watch:
            await watch.add("/b", "2", depth=0)
            await c.write("/b", "")
            await c.write("/a", "")
            assert await taken(watch, 4) == [("/a", "1"), ("/b", "2"), ("/b", "2"), ("/a", "1")]
            await watch.remove("/a")
            await c.write("/a", "")
            await c.write("/b", "")
            assert await taken(watch, 1) == [("/b", "2")]
            with pytest.raises(ENOENT, match="UNWATCH '/a'"):
                await watch.remove("/a")
        assert store.asked[1] == Asked("WATCH", b"/b\x002\x000\0")

    play(scenario)


def test_overlapping_paths_with_one_token_in_one_stream(play: Play) -> None:
    """The server sends one event for each of its watches; none is doubled here."""

    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c, c.watch("/a", "t") as watch:
            await watch.add("/a/b", "t")
            await c.write("/a/b/c", "")
            assert [path for path, _ in await taken(watch, 4)] == ["/a", "/a/b", "/a/b/c", "/a/b/c"]
            await none_left(watch)

    play(scenario)


def test_special_and_relative_paths(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c, c.watch("@releaseDomain", depth=1) as deaths, c.watch("home") as home:
            store.fire(b"@releaseDomain/7")
            store.fire(b"home/x")
            assert [path for path, _ in await taken(deaths, 2)] == ["@releaseDomain", "@releaseDomain/7"]
            assert [path for path, _ in await taken(home, 2)] == ["home", "home/x"]

    play(scenario)


def test_a_watch_on_the_root_covers_everything(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c, c.watch("/", "t") as watch:
            store.connections[0].event(b"/deep/down", b"t")
            store.connections[0].event(b"@releaseDomain", b"t")
            assert [path for path, _ in await taken(watch, 3)] == ["/", "/deep/down", "@releaseDomain"]

    play(scenario)


def test_a_refused_watch_leaves_nothing(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c:
            store.rules.append(lambda asked: "ENOSPC" if asked.name == "WATCH" else None)
            with pytest.raises(ENOSPC, match="WATCH /a"):
                async with c.watch("/a"):
                    pytest.fail("not entered")
            store.rules.clear()
            store.restart()
            await c.read("/a")
        assert len(store.names("WATCH")) == 1

    play(scenario)


def test_the_same_watch_twice(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c, c.watch("/a", "t") as watch:
            with pytest.raises(EEXIST):
                await watch.add("/a", "t")
            await c.write("/a", "")
            assert len(await taken(watch, 2)) == 2
            await none_left(watch)

    play(scenario)


def test_events_nobody_waits_for_any_more_are_dropped(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c:
            async with c.watch("/a", "t"):
                pass
            store.connections[0].event(b"/a", b"t")
            assert await c.read("/a") == b"value"

    play(scenario)


def test_a_reader_that_does_not_come_gets_one_event_for_all(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c, c.watch("/a", "1") as watch, c.watch("/a", "other") as prompt:
            await watch.add("/b", "2")
            for n in range(QUEUE_MAX_EVENTS - 1):
                store.connections[0].event(b"/a/%d" % n, b"1")
                if n % 500 == 0:
                    await c.read("/a")
            await c.read("/a")
            await c.write("/a/last", "")
            assert await taken(watch, 3) == [("/a", "1"), ("/b", "2"), ("/a/last", "1")]
            await none_left(watch)
            assert await taken(prompt, 2) == [("/a", "other"), ("/a/last", "other")]

    play(scenario)


def test_closing_ends_the_iteration(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c, c.watch("/a") as watch:
            paths = []
            async for event in watch:
                paths.append(event.path)
                watch.close()
            assert paths == ["/a"]
            with pytest.raises(ClientError, match="watch is closed"):
                await watch.next()
            with pytest.raises(ClientError, match="watch is closed"):
                await watch.add("/b")

    play(scenario)


def test_waiting_for_nothing_is_an_error(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c, c.watch("/a") as watch:
            await watch.next()
            await watch.remove("/a")
            with pytest.raises(ClientError, match="nothing is watched"):
                await watch.next()
            with pytest.raises(ClientError, match="nothing is watched"):
                await c.watch("/b").next()

    play(scenario)


def test_reset_watches_ends_all(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c, c.watch("/a") as first, c.watch("/b") as second:
            await c.reset_watches()
            assert [event.path async for event in first] == ["/a"]
            assert [event.path async for event in second] == ["/b"]
            store.restart()
            await c.read("/a")
        assert len(store.names("WATCH")) == 2

    play(scenario)


def test_tokens_and_paths_that_are_no_text_come_back_as_they_were(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c, c.watch(b"/a/\xff", b"\xfe") as watch:
            event = await watch.next(1)
            assert (event.path.encode("utf-8", "surrogateescape"), event.token) == (b"/a/\xff", "\udcfe")

    play(scenario)
