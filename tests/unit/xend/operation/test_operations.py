"""Operations: steps in order, undone in reverse, recorded, recovered."""

import os
from collections.abc import Sequence

import pytest
import trio.testing

from tests.unit.xend.operation.bench import Bench, OnCrash
from xend.errors import XendError
from xend.operation.locks import Lock

pytestmark = pytest.mark.trio


async def test_what_goes_on_is_a_warning_and_nothing_is_undone(bench: Bench) -> None:
    bench.failing = {"b?", "c?"}
    async with bench.running() as operations:
        operation = operations.start(bench.facts("a b? c? d"))
        result = await operation.outcome()
        assert operation.state == "done"
    assert bench.done == ["a", "d"]
    assert [warning["message"] for warning in result["warnings"]] == ["b? failed", "c? failed"]
    assert [warning["step"] for warning in result["warnings"]] == ["b?", "c?"]
    assert bench.logged == ["d: b? failed", "d: c? failed"]


async def test_what_goes_on_is_undone_with_the_rest_when_that_fails(bench: Bench) -> None:
    bench.failing = {"b?", "c"}
    async with bench.running() as operations:
        with pytest.raises(XendError, match="c failed"):
            await operations.start(bench.facts("a b? c")).outcome()
    assert bench.done == ["a", "-c", "-b?", "-a"]


async def test_steps_run_in_order_and_are_told_of(bench: Bench) -> None:
    async with bench.running() as operations:
        operation = operations.start(bench.facts())
        await operation.ended.wait()
    assert bench.done == ["a", "b", "c"]
    assert operation.state == "done"
    assert bench.events == ["started", "step a", "step b", "step c", "done c"]


async def test_a_failed_step_is_named_and_all_is_undone_in_reverse(bench: Bench) -> None:
    bench.failing = {"c"}
    async with bench.running() as operations:
        operation = operations.start(bench.facts("a b c d"))
        await operation.ended.wait()
    assert bench.done == ["a", "b", "-c", "-b", "-a"]
    assert operation.error is not None
    assert operation.error.as_map() == {
        "code": "device_failed", "message": "c failed", "step": "c", "domain": "d",
    }  # fmt: skip


async def test_what_cannot_be_undone_does_not_stop_the_rest(bench: Bench) -> None:
    bench.failing = {"c", "-b"}
    async with bench.running() as operations:
        operation = operations.start(bench.facts())
        await operation.ended.wait()
    assert bench.done == ["a", "b", "-c", "-a"]
    assert bench.logged == ["d: could not undo 'b': -b failed"]
    assert operation.state == "failed"


async def test_cancelling_undoes_and_says_so(bench: Bench) -> None:
    bench.slow = {"b"}
    async with bench.running() as operations:
        operation = operations.start(bench.facts())
        await trio.testing.wait_all_tasks_blocked()
        assert operation.as_map()["waiting"]["for"] == "b to end"
        operation.cancel()
        await operation.ended.wait()
    assert (operation.state, bench.done) == ("cancelled", ["a", "-b", "-a"])


async def test_a_wait_that_is_too_long_says_for_what(
    bench: Bench, autojump_clock: trio.testing.MockClock
) -> None:
    bench.slow = {"b"}
    async with bench.running() as operations:
        operation = operations.start(bench.facts())
        await operation.ended.wait()
    assert operation.error is not None
    assert operation.error.message == "waited 100 s for b to end"
    assert operation.error.fields["waited_s"] == 100


async def test_a_domain_has_one_operation_at_a_time(bench: Bench) -> None:
    bench.slow = {"b"}
    async with bench.running() as operations:
        first = operations.start(bench.facts(held="name d"))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(XendError, match=rf"test of d is running \(operation {first.id}: b\)"):
            operations.start(bench.facts(held="name d"))
        operations.start(bench.facts("a", held="name e"))
        first.cancel()
        await first.ended.wait()
        assert operations.holder([Lock.parse("name d")]) is None
        operations.start(bench.facts("a", held="name d"))


CRASHES: list[tuple[OnCrash, str, str, Sequence[str], str]] = [
    ("undo", "", "b", ["-b", "-a"], "failed"),
    ("undo", "", "c", ["-c", "-b", "-a"], "failed"),
    ("undo", "a", "c", ["-c", "-b"], "failed"),
    ("resume", "a b c d", "c", ["c", "d"], "done"),
    ("resume", "a", "c", ["-c", "-b", "a", "b", "c", "d"], "done"),
    ("resume", "a b", "d", ["-d", "-c", "b", "c", "d"], "done"),
    ("resume", "b", "a", ["-a", "a", "b", "c", "d"], "done"),
]


@pytest.mark.parametrize(("on_crash", "one_way", "step", "then", "state"), CRASHES)
async def test_what_a_crash_cut_off_is_undone_or_resumed(
    bench: Bench, on_crash: OnCrash, one_way: str, step: str, then: Sequence[str], state: str
) -> None:
    bench.slow = {step}
    async with bench.running() as operations:
        old = operations.start(bench.facts("a b c d", on_crash, one_way, held="name d"), key="k")
        await trio.testing.wait_all_tasks_blocked()
    bench.slow, bench.done = set(), []
    async with bench.running() as operations:
        operations.recover()
        with pytest.raises(XendError, match="is running"):
            operations.check_free([Lock.parse("name d")])
        recovered = operations.with_key("k")
        assert recovered is operations.find(old.id)
        assert recovered is not None
        await recovered.ended.wait()
        assert (bench.done, recovered.state) == (list(then), state)
        operations.check_free([Lock.parse("name d")])
    bench.done = []
    async with bench.running() as operations:
        operations.recover()
        await trio.testing.wait_all_tasks_blocked()
        assert operations.find(old.id).state == state
    assert bench.done == []


#: A plan "a b c d", cut off at c; the plan of a newer xend, whose a has no undo, on_crash, and what is done.
NEWER: list[tuple[str, OnCrash, list[str]]] = [
    ("a b c d", "resume", ["-c", "-b", "a", "b", "c", "d"]),
    ("a new b c d", "resume", ["-c", "-b", "-new", "a", "new", "b", "c", "d"]),
    ("a b c new d", "resume", ["-c", "-b", "a", "b", "c", "new", "d"]),
    ("new a b c d", "resume", ["-c", "-b", "new", "a", "b", "c", "d"]),
    ("a b c", "resume", ["-c", "-b", "a", "b", "c"]),
    ("b a c d", "resume", ["-c", "a", "c", "d"]),
    ("a new b c d", "undo", ["-c", "-b", "-new"]),
]


@pytest.mark.parametrize(("names", "on_crash", "done"), NEWER)
async def test_a_newer_plan_finds_the_step_by_its_key(
    bench: Bench, names: str, on_crash: OnCrash, done: list[str]
) -> None:
    bench.slow = {"c"}
    async with bench.running() as operations:
        old = operations.start(bench.facts("a b c d", on_crash, "a new" if names[0] == "n" else "a"))
        await trio.testing.wait_all_tasks_blocked()
    bench.slow, bench.done, bench.newer = set(), [], names
    async with bench.running() as operations:
        operations.recover()
        await operations.find(old.id).ended.wait()
        assert bench.done == done
        assert operations.find(old.id).as_map()["steps"] == [f"do {name}" for name in names.split()]


async def test_a_crash_while_undoing_undoes_on(bench: Bench) -> None:
    """Though its plan would be resumed otherwise."""
    bench.failing, bench.slow = {"c"}, {"-b"}
    async with bench.running() as operations:
        operation = operations.start(bench.facts("a b c", "resume", "a"))
        await trio.testing.wait_all_tasks_blocked()
        record = (bench.directory / operation.id).read_bytes()
        # Undoing is shielded: only the end of the process stops it, which this stands for.
        bench.may_go_on.set()
    (bench.directory / operation.id).write_bytes(record)
    bench.failing, bench.done = set(), []
    async with bench.running() as operations:
        operations.recover()
        await operations.find(operation.id).ended.wait()
        assert (bench.done, operations.find(operation.id).state) == (["-b"], "failed")


async def test_records_that_cannot_be_used_are_dropped_with_a_line(bench: Bench) -> None:
    bench.directory.mkdir()
    (bench.directory / "1").write_bytes(b"\xc1 not a record")
    (bench.directory / "2").write_bytes(b"\x80")
    (bench.directory / "4").write_bytes(b"\x81\x90\x01")
    (bench.directory / ".3").write_bytes(b"half")
    async with bench.running() as operations:
        operations.recover()
        assert operations.all() == []
    assert os.listdir(bench.directory) == []
    assert [line.partition(" (")[0] for line in bench.logged] == [
        "operation 1: its record cannot be used",
        "operation 2: its record cannot be used",
        "operation 4: its record cannot be used",
    ]


async def test_an_operation_that_cannot_be_recorded_fails_and_is_undone(bench: Bench) -> None:
    async with bench.running() as operations:
        bench.slow = {"b"}
        operation = operations.start(bench.facts())
        await trio.testing.wait_all_tasks_blocked()
        os.rename(bench.directory, bench.directory.with_name("away"))
        with pytest.raises(XendError, match="cannot record the operation: No such file"):
            operations.start(bench.facts())
        operation.cancel()
        await operation.ended.wait()
        assert bench.done == ["a", "-b", "-a"]
        os.rename(bench.directory.with_name("away"), bench.directory)
