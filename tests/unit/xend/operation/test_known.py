"""Operations that ended are remembered from their end on, then forgotten with their records."""

import os

import pytest
import trio.testing

from tests.unit.xend.operation.bench import Bench
from xend.errors import XendError
from xend.operation import known
from xend.operation.known import REMEMBERED_SECONDS

pytestmark = pytest.mark.trio


async def test_they_are_forgotten_after_a_while(bench: Bench) -> None:
    async with bench.running() as operations:
        first = operations.start(bench.facts(), key="k")
        await first.ended.wait()
        bench.now += REMEMBERED_SECONDS + 1
        second = operations.start(bench.facts())
        await second.ended.wait()
        with pytest.raises(XendError, match=f"operation {first.id} does not exist"):
            operations.find(first.id)
        assert operations.with_key("k") is None
        assert os.listdir(bench.directory) == [second.id]


async def test_what_counts_is_the_end(bench: Bench) -> None:
    """A shutdown may take longer than that; its key, sent again, must not start another."""
    bench.slow = {"b"}
    async with bench.running() as operations:
        long = operations.start(bench.facts(held="name d"), key="k")
        await trio.testing.wait_all_tasks_blocked()
        bench.now += REMEMBERED_SECONDS * 3
        bench.may_go_on.set()
        await long.ended.wait()
        bench.now += REMEMBERED_SECONDS - 1
        await operations.start(bench.facts("x")).ended.wait()
        assert operations.with_key("k") is long
    async with bench.running() as operations:
        operations.recover()
        found = operations.with_key("k")
        assert found is not None
        assert (found.id, found.state) == (long.id, "done")
        bench.now += 2
        assert operations.with_key("k") is None


async def test_nobody_else_has_to_end_for_it(bench: Bench) -> None:
    async with bench.running() as operations:
        await operations.start(bench.facts(), key="k").ended.wait()
        bench.now += REMEMBERED_SECONDS + 1
        assert operations.with_key("k") is None
        assert operations.all() == []
        assert os.listdir(bench.directory) == []


async def test_records_of_those_are_removed_at_the_start(bench: Bench) -> None:
    async with bench.running() as operations:
        await operations.start(bench.facts()).ended.wait()
    bench.now += REMEMBERED_SECONDS + 1
    async with bench.running() as operations:
        operations.recover()
        assert os.listdir(bench.directory) == []
        assert operations.all() == []


async def test_the_oldest_ends_of_too_many_are_forgotten(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "REMEMBERED_MAX", 3)
    bench.slow = {"b"}
    async with bench.running() as operations:
        slow = operations.start(bench.facts())
        others = []
        for _ in range(5):
            others.append(operations.start(bench.facts("a")))
            await others[-1].ended.wait()
        assert operations.all() == [slow, *others[2:]]
        assert sorted(os.listdir(bench.directory)) == [slow.id, *(each.id for each in others[2:])]
    monkeypatch.setattr(known, "REMEMBERED_MAX", 2)
    bench.slow = set()
    async with bench.running() as operations:
        operations.recover()
        assert [each.id for each in operations.all()] == [slow.id, *(each.id for each in others[3:])]
        await operations.find(slow.id).ended.wait()


async def test_a_key_stays_with_the_newer_one(bench: Bench) -> None:
    async with bench.running() as operations:
        await operations.start(bench.facts("a"), key="k").ended.wait()
        bench.now += REMEMBERED_SECONDS / 2
        newer = operations.start(bench.facts("b"), key="k")
        await newer.ended.wait()
        bench.now += REMEMBERED_SECONDS / 2 + 1
        assert operations.with_key("k") is newer
        assert operations.all() == [newer]


async def test_a_clock_that_was_set_back_gives_no_id_twice(bench: Bench) -> None:
    async with bench.running() as operations:
        first = operations.start(bench.facts("a"))
        await first.ended.wait()
    bench.now -= 500
    async with bench.running() as operations:
        operations.recover()
        assert operations.start(bench.facts("a")).id > first.id
