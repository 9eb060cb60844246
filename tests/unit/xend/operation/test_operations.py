"""Operations: steps in order, undone in reverse, recorded, recovered."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import attrs
import pytest
import trio
import trio.testing

from xend.errors import XendError
from xend.operation.registry import REMEMBERED_SECONDS, Operations
from xend.operation.running import Operation
from xend.operation.steps import Plan, Step, Work

pytestmark = pytest.mark.trio
OnCrash = Literal["undo", "resume"]


@attrs.define(eq=False)
class Bench:
    """Operations over a directory, and what their steps have done so far.

    Attributes:
        done: names of steps, "-NAME" where one was undone.
        failing: steps that raise; "-NAME": whose undo does.
        slow: steps that wait for `may_go_on`.
    """

    directory: Path
    done: list[str] = attrs.field(factory=list)
    events: list[str] = attrs.field(factory=list)
    logged: list[str] = attrs.field(factory=list)
    failing: set[str] = attrs.field(factory=set)
    slow: set[str] = attrs.field(factory=set)
    may_go_on: trio.Event = attrs.field(factory=trio.Event)
    now: float = 1000.0
    operations: Operations = attrs.field(init=False)

    def plan(self, names: str = "a b c", on_crash: OnCrash = "undo", one_way: str = "") -> Plan:
        """A plan of steps with these names; `one_way` have no undo, those with ? go on on failure."""
        steps = [
            Step(
                name,
                self._action(name),
                None if name in one_way.split() else self._action(f"-{name}"),
                "go on" if name.endswith("?") else "undo",
            )
            for name in names.split()
        ]
        facts = {"names": names, "on_crash": on_crash, "one_way": one_way}
        return Plan(kind="test", domain="d", facts=facts, steps=steps, on_crash=on_crash)

    def _action(self, name: str) -> Callable[[Work], Awaitable[None]]:
        async def act(work: Work) -> None:
            await trio.lowlevel.checkpoint()
            if name in self.slow:
                with work.waiting(f"{name} to end", 100):
                    await self.may_go_on.wait()
            if name in self.failing:
                raise XendError("device_failed", f"{name} failed")
            self.done.append(name)

        return act

    def heard(self, what: str, operation: Operation) -> None:
        step = operation.plan.steps[operation.step].name if operation.step >= 0 else ""
        self.events.append(f"{what} {step}".strip())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Operations]:
        """Operations that run; killed at the end of the block."""
        made = Operations(self.directory, self.heard, self.logged.append, lambda: self.now)
        made.planners["test"] = lambda facts: self.plan(facts["names"], facts["on_crash"], facts["one_way"])
        self.operations = made
        async with trio.open_nursery() as nursery:
            made.serve_in(nursery)
            yield made
            made.stop()
            nursery.cancel_scope.cancel()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "operations")


async def test_what_goes_on_is_told_in_the_end_and_nothing_is_undone(bench: Bench) -> None:
    bench.failing = {"b?", "c?"}
    async with bench.running() as operations:
        operation = operations.start(bench.plan("a b? c? d"))
        with pytest.raises(XendError, match=r"b\? failed"):
            await operation.outcome()
        assert operation.state == "failed"
    assert bench.done == ["a", "d"]


async def test_what_goes_on_is_undone_with_the_rest_when_that_fails(bench: Bench) -> None:
    bench.failing = {"b?", "c"}
    async with bench.running() as operations:
        with pytest.raises(XendError, match="c failed"):
            await operations.start(bench.plan("a b? c")).outcome()
    assert bench.done == ["a", "-c", "-b?", "-a"]


async def test_steps_run_in_order_and_are_told_of(bench: Bench) -> None:
    async with bench.running() as operations:
        operation = operations.start(bench.plan())
        await operation.ended.wait()
    assert bench.done == ["a", "b", "c"]
    assert operation.state == "done"
    assert bench.events == ["started", "step a", "step b", "step c", "done c"]


async def test_a_failed_step_is_named_and_all_is_undone_in_reverse(bench: Bench) -> None:
    bench.failing = {"c"}
    async with bench.running() as operations:
        operation = operations.start(bench.plan("a b c d"))
        await operation.ended.wait()
    assert bench.done == ["a", "b", "-c", "-b", "-a"]
    assert operation.error is not None
    assert operation.error.as_map() == {
        "code": "device_failed", "message": "c failed", "step": "c", "domain": "d",
    }  # fmt: skip


async def test_what_cannot_be_undone_does_not_stop_the_rest(bench: Bench) -> None:
    bench.failing = {"c", "-b"}
    async with bench.running() as operations:
        operation = operations.start(bench.plan())
        await operation.ended.wait()
    assert bench.done == ["a", "b", "-c", "-a"]
    assert bench.logged == ["d: could not undo 'b': -b failed"]
    assert operation.state == "failed"


async def test_cancelling_undoes_and_says_so(bench: Bench) -> None:
    bench.slow = {"b"}
    async with bench.running() as operations:
        operation = operations.start(bench.plan())
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
        operation = operations.start(bench.plan())
        await operation.ended.wait()
    assert operation.error is not None
    assert operation.error.message == "waited 100 s for b to end"
    assert operation.error.fields["waited_s"] == 100


async def test_a_domain_has_one_operation_at_a_time(bench: Bench) -> None:
    bench.slow = {"b"}
    async with bench.running() as operations:
        first = operations.start(bench.plan(), ["name d"])
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(XendError, match=rf"test of d is running \(operation {first.id}: b\)"):
            operations.start(bench.plan(), ["name d"])
        operations.start(bench.plan("a"), ["name e"])
        first.cancel()
        await first.ended.wait()
        assert operations.on_domain("name d") is None
        operations.start(bench.plan("a"), ["name d"])


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
        old = operations.start(bench.plan("a b c d", on_crash, one_way), ["name d"], key="k")
        await trio.testing.wait_all_tasks_blocked()
    bench.slow, bench.done = set(), []
    async with bench.running() as operations:
        operations.recover()
        with pytest.raises(XendError, match="is running"):
            operations.check_free(["name d"])
        recovered = operations.with_key("k")
        assert recovered is operations.find(old.id)
        assert recovered is not None
        await recovered.ended.wait()
        assert (bench.done, recovered.state) == (list(then), state)
        operations.check_free(["name d"])
    bench.done = []
    async with bench.running() as operations:
        operations.recover()
        await trio.testing.wait_all_tasks_blocked()
        assert operations.find(old.id).state == state
    assert bench.done == []


async def test_a_crash_while_undoing_undoes_on(bench: Bench) -> None:
    """Though its plan would be resumed otherwise."""
    bench.failing, bench.slow = {"c"}, {"-b"}
    async with bench.running() as operations:
        operation = operations.start(bench.plan("a b c", "resume", "a"))
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
    (bench.directory / ".3").write_bytes(b"half")
    async with bench.running() as operations:
        operations.recover()
        assert operations.all() == []
    assert os.listdir(bench.directory) == []
    assert [line.partition(" (")[0] for line in bench.logged] == [
        "operation 1: its record cannot be used",
        "operation 2: its record cannot be used",
    ]


async def test_an_operation_that_cannot_be_recorded_fails_and_is_undone(bench: Bench) -> None:
    async with bench.running() as operations:
        bench.slow = {"b"}
        operation = operations.start(bench.plan())
        await trio.testing.wait_all_tasks_blocked()
        os.rename(bench.directory, bench.directory.with_name("away"))
        with pytest.raises(XendError, match="cannot record the operation: No such file"):
            operations.start(bench.plan())
        operation.cancel()
        await operation.ended.wait()
        assert bench.done == ["a", "-b", "-a"]
        os.rename(bench.directory.with_name("away"), bench.directory)


async def test_operations_that_ended_are_forgotten_after_a_while(bench: Bench) -> None:
    async with bench.running() as operations:
        first = operations.start(bench.plan(), key="k")
        await first.ended.wait()
        bench.now += REMEMBERED_SECONDS + 1
        second = operations.start(bench.plan())
        await second.ended.wait()
        with pytest.raises(XendError, match=f"operation {first.id} does not exist"):
            operations.find(first.id)
        assert operations.with_key("k") is None
        assert os.listdir(bench.directory) == [second.id]
