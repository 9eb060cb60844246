"""Several operations in one round trip, with both clients; the blocking one takes its time over them."""

from collections.abc import Callable
from typing import Any

import pytest
import trio

from tests.unit.xenclient.conftest import Scenario, play_aio
from tests.unit.xenclient.fake_store import Asked, FakeStore, HangUp, Silent
from xenclient.store import operations
from xenstore.errors import E2BIG, EAGAIN, ENOENT
from xenstore.wire import PAYLOAD_MAX

Play = Callable[[Scenario], None]


def test_results_in_order(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c:
            results = await c.together(
                operations.write("/b", "1"),
                operations.read("/b"),
                operations.exists("/c"),
                operations.read("/a"),
            )
            assert results == [None, b"1", False, b"value"]

    play(scenario)


def test_none_at_all(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c:
            assert await c.together() == []

    play(scenario)


def test_a_refusal_holds_up_nothing_and_the_first_is_raised(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c:
            with pytest.raises(E2BIG):
                await c.together(
                    operations.write("/big", "x" * PAYLOAD_MAX),
                    operations.read("/none"),
                    operations.write("/b", "1"),
                )
            with pytest.raises(ENOENT):
                await c.together(operations.read("/none"), operations.write("/b", "x" * PAYLOAD_MAX))
        assert store.nodes[b"/b"] == b"1"

    play(scenario)


def test_within_a_transaction_done_again_when_it_conflicts(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        answers = iter(["EAGAIN", None])
        store.rules.append(lambda asked: next(answers) if asked.name == "TRANSACTION_END" else None)
        async with client() as c, c.transaction() as tx:
            await tx.together(operations.write("/b", "1"), operations.write("/b", "2"))
        writes = [Asked("WRITE", b"/b\x001", tx) for tx in (1, 2)]
        others = [Asked("WRITE", b"/b\x002", tx) for tx in (1, 2)]
        assert store.names("WRITE") == [writes[0], others[0], writes[1], others[1]]

    play(scenario)


def test_a_transaction_that_is_lost_with_its_connection(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        def rule(asked: Asked) -> None:
            if asked.payload == b"/b\x002":
                raise HangUp

        store.rules.append(rule)
        async with client() as c:
            with pytest.raises(EAGAIN):
                async with c.transaction() as tx:
                    await tx.together(*(operations.write("/b", str(number)) for number in range(5)))

    play(scenario)


def test_a_lost_connection_and_what_was_not_answered_is_sent_again_in_order(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        def rule(asked: Asked) -> None:
            if asked.payload == b"/b\x001" and asked.connection == 1:
                raise HangUp

        store.rules.append(rule)
        async with client() as c:
            await c.together(*(operations.write("/b", str(number)) for number in range(3)))
        written = [(asked.payload[-1:], asked.connection) for asked in store.names("WRITE")]
        assert written == [(b"0", 1), (b"1", 1), (b"1", 2), (b"2", 2)]

    play(scenario)


def test_all_are_sent_before_the_first_is_answered() -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        def rule(asked: Asked) -> None:
            if asked.name == "WRITE":
                raise Silent

        store.rules.append(rule)
        store.schedule.append((1, lambda: store.connections[0].answer_late()))
        async with client() as c:
            await c.together(*(operations.write("/b", str(number)) for number in range(3)))
            assert trio.current_time() == 1
        assert store.nodes[b"/b"] == b"2"

    play_aio(scenario)


def test_what_a_cancelled_one_leaves_behind_is_taken_back() -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        def rule(asked: Asked) -> None:
            if asked.name == "READ":
                raise Silent

        store.rules.append(rule)
        async with client() as c:
            begins = c._link.watches.add, c.watch("/x")._queue
            with trio.move_on_after(1):
                await c.together(operations.read("/a"), begins[0](begins[1], "/w", "t", None))
            assert store.connections[0].watches == [(b"/w", b"t")]
            store.connections[0].answer_late()
            await trio.sleep(1)
            assert store.connections[0].watches == []

    play_aio(scenario)
