"""What only the trio client can do: many tasks on one connection, and cancellation at any time."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.unit.xenclient.conftest import stream
from tests.unit.xenclient.fake_store import Asked, FakeStore, Silent
from xenclient.store.aio import Client, Transaction, Watch
from xenclient.store.errors import ClientError


def run(body: Callable[[FakeStore, Client], Awaitable[None]]) -> None:
    async def main() -> None:
        store = FakeStore()
        async with Client("fake", connect=lambda: stream(store)) as client:
            await body(store, client)

    trio.run(main, clock=MockClock(autojump_threshold=0))


def silent(asked: Asked) -> None:
    raise Silent


def test_answers_find_their_tasks_in_any_order() -> None:
    async def body(store: FakeStore, client: Client) -> None:
        store.nodes = {b"/%d" % n: b"%d" % n for n in range(50)}
        store.rules.append(silent)
        answers: dict[int, bytes] = {}

        async def read(number: int) -> None:
            answers[number] = await client.read(f"/{number}")

        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(read, number)
            await wait_all_tasks_blocked()
            store.connections[0].late.reverse()
            store.connections[0].answer_late()
        assert answers == {n: b"%d" % n for n in range(50)}
        assert len(store.connections) == 1

    run(body)


def test_a_cancelled_call_leaves_the_connection_in_order() -> None:
    async def body(store: FakeStore, client: Client) -> None:
        store.rules.append(silent)
        with trio.move_on_after(1) as scope:
            await client.read("/a")
        assert scope.cancelled_caught
        store.rules.clear()
        store.connections[0].answer_late()
        assert await client.read("/a") == b"value"
        assert len(store.connections) == 1

    run(body)


def test_a_cancelled_transaction_is_rolled_back() -> None:
    async def body(store: FakeStore, client: Client) -> None:
        with trio.move_on_after(1):
            async with client.transaction() as tx:
                await tx.write("/b", "1")
                await trio.sleep_forever()
        await client.read("/a")
        assert store.names("TRANSACTION_END") == [Asked("TRANSACTION_END", b"F\0", 1)]

    run(body)


def test_a_cancelled_start_of_a_transaction_leaves_none_open() -> None:
    async def body(store: FakeStore, client: Client) -> None:
        store.rules.append(silent)
        with trio.move_on_after(1):
            async with client.transaction():
                pytest.fail("not entered")
        store.rules.clear()
        store.connections[0].answer_late()
        await wait_all_tasks_blocked()
        assert store.names("TRANSACTION_END") == [Asked("TRANSACTION_END", b"F\0", 1)]

    run(body)


def test_a_cancelled_watch_is_removed() -> None:
    async def body(store: FakeStore, client: Client) -> None:
        with trio.move_on_after(1):
            async with client.watch("/a", "t") as watch:
                async for _event in watch:
                    pass
        await client.read("/a")
        assert store.names("UNWATCH") == [Asked("UNWATCH", b"/a\0t\0")]

    run(body)


def test_a_retried_transaction_can_be_cancelled() -> None:
    async def body(store: FakeStore, client: Client) -> None:
        store.rules.append(lambda asked: "EAGAIN" if asked.payload == b"T\0" else None)

        async def nothing(tx: Transaction) -> None:
            pass

        with trio.move_on_after(1) as scope:
            await client.run_transaction(nothing)
        assert scope.cancelled_caught

    run(body)


def test_two_readers_of_one_watch_share_its_events() -> None:
    async def body(store: FakeStore, client: Client) -> None:
        seen: list[str] = []

        async def read(watch: Watch) -> None:
            async for event in watch:
                seen.append(event.path)

        async with trio.open_nursery() as nursery, client.watch("/a") as watch:
            nursery.start_soon(read, watch)
            nursery.start_soon(read, watch)
            for n in range(5):
                await wait_all_tasks_blocked()
                store.fire(b"/a/%d" % n)
            await wait_all_tasks_blocked()
            watch.close()
        assert sorted(seen) == ["/a", *(f"/a/{n}" for n in range(5))]

    run(body)


def test_waiting_calls_of_a_client_that_ends_are_told() -> None:
    async def main() -> None:
        store = FakeStore()
        told: list[str] = []

        async def read(client: Client) -> None:
            with pytest.raises(ClientError, match="closed"):
                await client.read("/a")
            told.append("read")

        async def iterate(client: Client) -> None:
            async with client.watch("/a") as watch:
                await watch.next()
                with pytest.raises(ClientError, match="closed"):
                    await watch.next()
            told.append("watch")

        client = Client("fake", connect=lambda: stream(store))
        async with trio.open_nursery() as nursery, client:
            nursery.start_soon(iterate, client)
            await wait_all_tasks_blocked()
            store.rules.append(silent)
            nursery.start_soon(read, client)
            await wait_all_tasks_blocked()
        assert sorted(told) == ["read", "watch"]

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_an_exception_of_the_block_is_not_wrapped() -> None:
    async def body(store: FakeStore, client: Client) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(body)


def test_cancelling_the_block_from_outside() -> None:
    async def main() -> None:
        store = FakeStore()
        with trio.move_on_after(1) as scope:
            async with Client("fake", connect=lambda: stream(store)):
                await trio.sleep_forever()
        assert scope.cancelled_caught

    trio.run(main, clock=MockClock(autojump_threshold=0))
