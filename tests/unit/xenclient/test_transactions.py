"""Commit, rollback and what happens when others were faster, with both clients."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.xenclient.conftest import Scenario
from tests.unit.xenclient.fake_store import Asked, FakeStore, HangUp
from xenclient.store.errors import ConnectionLost, DeadlineError
from xenclient.store.pauses import pauses
from xenstore.errors import EAGAIN, EINVAL, ENOENT, ENOSPC

Play = Callable[[Scenario], None]


def conflicts(times: int, before: Callable[[], object] = lambda: None) -> Callable[[Asked], str | None]:
    """The first commits are answered EAGAIN, after `before()`."""
    left = times

    def rule(asked: Asked) -> str | None:
        nonlocal left
        if asked.name == "TRANSACTION_END" and asked.payload == b"T\0" and left:
            left -= 1
            before()
            return "EAGAIN"
        return None

    return rule


def ends(store: FakeStore) -> list[bytes]:
    return [asked.payload for asked in store.names("TRANSACTION_END")]


def test_the_end_of_the_block_commits(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async with client() as c, c.transaction() as tx:
            await tx.write("/b", "1")
            assert await c.exists("/a")
        assert store.asked == [
            Asked("TRANSACTION_START", b"\0"),
            Asked("WRITE", b"/b\x001", 1),
            Asked("READ", b"/a\0", 0),
            Asked("TRANSACTION_END", b"T\0", 1),
        ]

    play(scenario)


def test_an_exception_rolls_back_and_is_not_changed(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        async def block(c: Any) -> None:
            async with c.transaction() as tx:
                await tx.write("/b", "1")
                raise ZeroDivisionError

        async with client() as c:
            with pytest.raises(ZeroDivisionError):
                await block(c)
            await c.read("/a")
        assert ends(store) == [b"F\0"]

    play(scenario)


def test_a_conflict_that_changes_no_answer_is_done_again_in_silence(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(conflicts(3))
        async with client() as c, c.transaction() as tx:
            assert await tx.read("/a") == b"value"
            with pytest.raises(ENOENT):
                await tx.read("/missing")
            await tx.write("/b", "1")
        assert ends(store) == [b"T\0"] * 4
        assert [asked.tx_id for asked in store.names("WRITE")] == [1, 2, 3, 4]
        assert [asked.tx_id for asked in store.names("READ")] == [1, 1, 2, 2, 3, 3, 4, 4]

    play(scenario)


def test_a_conflict_that_changes_an_answer_is_the_callers(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(conflicts(1, lambda: store.nodes.update({b"/a": b"other"})))

        async def block(c: Any) -> None:
            async with c.transaction() as tx:
                await tx.read("/a")
                await tx.write("/b", "1")

        async with client() as c:
            with pytest.raises(EAGAIN, match="READ /a answers differently now"):
                await block(c)
        assert ends(store) == [b"T\0", b"F\0"]
        assert len(store.names("WRITE")) == 1

    play(scenario)


def test_an_error_that_became_another_answer_counts_too(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(conflicts(1, lambda: store.nodes.update({b"/missing": b""})))
        async with client() as c:
            with pytest.raises(EAGAIN, match="READ /missing"):
                async with c.transaction() as tx:
                    assert not await tx.exists("/missing")

    play(scenario)


def test_run_transaction_runs_again(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.nodes[b"/n"] = b"0"
        store.rules.append(
            conflicts(3, lambda: store.nodes.update({b"/n": b"%d" % (int(store.nodes[b"/n"]) + 10)}))
        )

        async def count(tx: Any) -> int:
            number = int(await tx.read("/n")) + 1
            await tx.write("/n", str(number))
            return number

        async with client() as c:
            # The fake store has no isolation: each attempt has written before it conflicts.
            assert await c.run_transaction(count) == 34
        assert ends(store) == [b"T\0", b"F\0"] * 3 + [b"T\0"]

    play(scenario)


def test_run_transaction_does_not_repeat_other_errors(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(lambda asked: "ENOSPC" if asked.name == "WRITE" else None)

        async def body(tx: Any) -> None:
            await tx.write("/n", "1")

        async with client() as c:
            with pytest.raises(ENOSPC):
                await c.run_transaction(body)
        assert len(store.names("TRANSACTION_START")) == 1

    play(scenario)


@pytest.mark.parametrize("form", ["block", "function"])
def test_conflicts_without_end_meet_the_deadline(play: Play, form: str) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(conflicts(10**9))

        async def body(tx: Any) -> None:
            if form == "function":
                raise EAGAIN
            await tx.read("/a")

        async with client(timeout=2) as c:
            with pytest.raises(DeadlineError, match="after 2 s on fake, waiting for a transaction to commit"):
                await c.run_transaction(body)
            # 2 seconds of pauses of at most 0.1 s, at least half of that, after a few shorter ones.
            assert 20 <= len(store.names("TRANSACTION_START")) <= 60
            await c.read("/a")

    play(scenario)


def test_a_commit_refused_for_good(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(lambda asked: "EINVAL" if asked.name == "TRANSACTION_END" else None)
        async with client() as c:
            with pytest.raises(EINVAL):
                async with c.transaction():
                    pass
        assert ends(store) == [b"T\0"]

    play(scenario)


def hang_up_once(name: str) -> Callable[[Asked], None]:
    """The server closes the connection when it gets the first of these requests."""
    left = [1]

    def rule(asked: Asked) -> None:
        if asked.name == name and left:
            left.pop()
            raise HangUp

    return rule


def test_a_lost_connection_ends_transactions_with_eagain(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(hang_up_once("WRITE"))
        async with client() as c:
            with pytest.raises(
                EAGAIN, match=r"WRITE /b .transaction 1.: the transaction ended when the connection"
            ):
                async with c.transaction() as tx:
                    await tx.write("/b", "1")
            assert await c.read("/a") == b"value"
        assert not ends(store)

    play(scenario)


def test_run_transaction_survives_a_lost_connection(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(hang_up_once("WRITE"))

        async def body(tx: Any) -> bytes:
            value: bytes = await tx.read("/a")
            await tx.write("/b", value)
            return value

        async with client() as c:
            assert await c.run_transaction(body) == b"value"
        assert [asked.connection for asked in store.names("WRITE")] == [1, 2]
        assert ends(store) == [b"T\0"]

    play(scenario)


def test_an_id_of_another_connection_is_never_used(play: Play) -> None:
    """Ids start at 1 on each connection: a request of the old transaction must not reach the new one."""

    async def scenario(store: FakeStore, client: Any) -> None:
        async def block(c: Any) -> None:
            async with c.transaction() as old:
                await old.read("/a")
                store.restart()
                async with c.transaction() as new:
                    await new.read("/a")
                    await old.write("/b", "1")

        async with client() as c:
            with pytest.raises(EAGAIN):
                await block(c)
        assert not store.names("WRITE")

    play(scenario)


def test_a_commit_in_doubt_is_said_to_be(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(hang_up_once("TRANSACTION_END"))
        async with client() as c:
            with pytest.raises(ConnectionLost, match=r"TRANSACTION_END .* may or may not have been executed"):
                async with c.transaction() as tx:
                    await tx.write("/b", "1")

    play(scenario)


def test_a_commit_in_doubt_of_what_was_only_read_is_done_again(play: Play) -> None:
    async def scenario(store: FakeStore, client: Any) -> None:
        store.rules.append(hang_up_once("TRANSACTION_END"))
        async with client() as c:
            async with c.transaction() as tx:
                assert await tx.read("/a") == b"value"
            assert [asked.connection for asked in store.names("READ")] == [1, 2]
        assert ends(store) == [b"T\0", b"T\0"]

    play(scenario)


def test_pauses_double_up_to_the_longest_and_are_spread() -> None:
    longest = pauses(1, 8, lambda: 0.0)
    assert [next(longest) for _ in range(6)] == [1, 2, 4, 8, 8, 8]
    shortest = pauses(1, 8, lambda: 1.0)
    assert [next(shortest) for _ in range(6)] == [0.5, 1, 2, 4, 4, 4]
