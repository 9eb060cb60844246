"""Nothing waits for ever, and who gave up leaves no mess; with both clients."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.xenclient.conftest import Scenario
from tests.unit.xenclient.fake_store import Asked, FakeStore, Silent
from xenclient.store.errors import DeadlineError

Play = Callable[[Scenario], None]


def silent(*names: str) -> Callable[[Asked], None]:
    def rule(asked: Asked) -> None:
        if asked.name in names:
            raise Silent

    return rule


AWAITED = [
    (("read", "/a"), "READ /a$"),
    (("get_perms", "/a"), "GET_PERMS /a$"),
    (("write", "/a", "x"), "WRITE /a; it may still be executed$"),
    (("control", "check"), "CONTROL check; it may still be executed$"),
]


@pytest.mark.parametrize(("call", "awaited"), AWAITED)
def test_the_error_says_what_was_awaited_how_long_and_where(
    play: Play, call: tuple[Any, ...], awaited: str
) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(silent("READ", "GET_PERMS", "WRITE", "CONTROL"))
        async with client(timeout=7) as c:
            with pytest.raises(
                DeadlineError, match=f"^gave up after 7 s on fake, waiting for the answer to {awaited}"
            ):
                await getattr(c, call[0])(*call[1:])

    play(scenario)


def test_within_sets_another_deadline_for_a_client_and_a_transaction(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(silent("READ"))
        async with client() as c:
            with pytest.raises(DeadlineError, match="after 2 s"):
                await c.within(2).read("/a")
            with pytest.raises(DeadlineError, match="after 3 s"):
                async with c.within(3).transaction() as tx:
                    await tx.read("/a")
            with pytest.raises(DeadlineError, match="after 4 s"):
                async with c.transaction() as tx:
                    await tx.within(4).read("/a")

    play(scenario)


def test_a_long_operation_has_one_deadline(play: Play) -> None:
    """Parts of a directory that changes for ever."""

    async def scenario(store: FakeStore, client: Any) -> None:
        generation = 0

        def rule(asked: Asked) -> bytes | str:
            nonlocal generation
            if asked.name == "DIRECTORY":
                return "E2BIG"
            generation += 1
            if generation == 50:
                raise Silent
            return b"%d\0name\0" % generation

        store.rules.append(rule)
        async with client(timeout=3) as c:
            with pytest.raises(
                DeadlineError, match=r"after 3 s on fake, waiting for the answer to DIRECTORY_PART /a$"
            ):
                await c.directory("/a")

    play(scenario)


def test_the_connection_goes_on_after_a_late_answer(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(silent("READ"))
        async with client(timeout=1) as c:
            with pytest.raises(DeadlineError):
                await c.read("/a")
            store.rules.clear()
            store.nodes[b"/b"] = b"other"
            store.connections[0].answer_late()
            assert await c.read("/b") == b"other"
        assert len(store.connections) == 1

    play(scenario)


def test_a_transaction_that_starts_too_late_is_ended(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(silent("TRANSACTION_START"))
        async with client(timeout=1) as c:
            with pytest.raises(DeadlineError, match="TRANSACTION_START"):
                async with c.transaction():
                    pytest.fail("not entered")
            store.connections[0].answer_late()
            await c.read("/a")
            await c.read("/a")
        assert store.names("TRANSACTION_END") == [Asked("TRANSACTION_END", b"F\0", 1)]

    play(scenario)


def test_a_watch_that_is_set_too_late_is_removed(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(silent("WATCH"))
        async with client(timeout=1) as c:
            with pytest.raises(DeadlineError, match="WATCH /a"):
                async with c.watch("/a", "t"):
                    pytest.fail("not entered")
            store.connections[0].answer_late()
            await c.read("/a")
            await c.read("/a")
        assert store.names("UNWATCH") == [Asked("UNWATCH", b"/a\0t\0")]

    play(scenario)


def test_a_transaction_whose_commit_is_not_answered_is_not_left_open(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(silent("TRANSACTION_END"))
        async with client(timeout=1) as c:
            with pytest.raises(
                DeadlineError, match=r"TRANSACTION_END .transaction 1.; it may still be executed"
            ):
                async with c.transaction() as tx:
                    await tx.write("/b", "")
            await c.read("/a")
        assert [asked.payload for asked in store.names("TRANSACTION_END")] == [b"T\0", b"F\0"]

    play(scenario)


def test_waiting_for_an_event_has_a_deadline_only_if_asked(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.schedule.append((100000.5, lambda: store.fire(b"/a/late")))
        async with client(timeout=1) as c, c.watch("/a") as watch:
            await watch.next()
            with pytest.raises(DeadlineError, match="after 5 s on fake, waiting for a watch event"):
                await watch.next(5)
            assert (await watch.next()).path == "/a/late"

    play(scenario)
