"""Whatever is raised where: the operation ends and says how, its domain is free, the others go on."""

import os
from collections.abc import Callable
from pathlib import Path

import msgpack
import pytest
import trio
import trio.testing

from tests.unit.xend.operation.bench import Bench, BenchFacts
from xend.errors import XendError
from xend.operation.locks import Lock
from xend.operation.running import Operation

pytestmark = pytest.mark.trio

FAULTS: dict[str, Callable[[], BaseException]] = {
    "fault": lambda: ValueError("unforeseen"),
    "group": lambda: ExceptionGroup("from a nursery", [ValueError("unforeseen"), OSError(5, "also")]),
    "nested": lambda: ExceptionGroup("from nurseries", [ExceptionGroup("", [KeyError("unforeseen")])]),
    "assertion": AssertionError,
    "exit": lambda: SystemExit(3),
    "memory": MemoryError,
    "others": lambda: ExceptionGroup("", [XendError("busy", "one"), XendError("busy", "two")]),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("at", ["c", "-b", "c and -b", "c?"])
async def test_what_a_step_or_an_undo_raises_is_its_operation_s_failure(
    bench: Bench, fault: str, at: str
) -> None:
    bench.raising = dict.fromkeys(at.split(" and "), FAULTS[fault])
    bench.failing = {"d"} if at == "-b" else set()
    names = "a b c? d" if at == "c?" else "a b c d"
    async with bench.running() as operations:
        operation = operations.start(bench.facts(names, held="name d"))
        other = operations.start(bench.facts("x y", held="name e"))
        await operation.ended.wait()
        await other.ended.wait()
        assert other.state == "done"
        operations.check_free([Lock.parse("name d")])
        map_ = operation.as_map()
        told = [*([map_["error"]] if map_["error"] else []), *map_["warnings"]]
        assert all(each["domain"] == "d" for each in told)
        internal = [each for each in told if each["code"] == "internal"]
        assert {each["step"] for each in internal} == {each.strip("-") for each in bench.raising}
        assert map_["state"] == ("done" if at == "c?" else "failed")
    assert bench.done.count("-a") == (0 if at == "c?" else 1)
    assert any("Traceback" in line for line in bench.logged)
    assert (bench.directory / operation.id).exists()


async def test_an_error_alone_in_a_nursery_s_group_is_the_error(bench: Bench) -> None:
    bench.raising = {"b": lambda: ExceptionGroup("", [XendError("busy", "just that")])}
    async with bench.running() as operations:
        with pytest.raises(XendError, match="just that") as caught:
            await operations.start(bench.facts()).outcome()
    assert (caught.value.code, caught.value.fields["step"]) == ("busy", "b")


@pytest.mark.parametrize("what", ["started", "step", "undoing", "waiting", "failed", "done"])
async def test_listeners_that_fail_do_not_matter(bench: Bench, what: str) -> None:
    bench.deaf = {what}
    bench.slow = {"b"}
    bench.failing = set() if what == "done" else {"c"}
    bench.may_go_on.set()
    async with bench.running() as operations:
        operation = operations.start(bench.facts(held="name d"))
        await operation.ended.wait()
        operations.check_free([Lock.parse("name d")])
    assert operation.state == ("done" if what == "done" else "failed")
    assert any("telling of test d: Traceback" in line for line in bench.logged)


async def test_what_follows_an_operation_may_fail(bench: Bench) -> None:
    def fail() -> None:
        raise RuntimeError("afterwards")

    async with bench.running() as operations:
        operation = operations.start(bench.facts())
        operation.on_end = fail
        await operation.outcome()
        await operation.settled()
    assert any("after test d: Traceback" in line for line in bench.logged)


async def test_a_cancellation_that_nobody_meant_is_a_fault(bench: Bench) -> None:
    """One that a step kept from elsewhere would end all operations."""
    kept: list[BaseException] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as error:
            kept.append(error)
            raise
    bench.raising = {"b": kept.pop}
    async with bench.running() as operations:
        operation = operations.start(bench.facts())
        await operation.ended.wait()
        assert operation.error is not None
        assert operation.error.code == "internal"
    assert bench.done == ["a", "-b", "-a"]


async def test_what_else_fails_while_it_is_cancelled_is_logged(bench: Bench) -> None:
    """A nursery raises both together; that is no failure of xend's."""

    def both() -> BaseException:
        return BaseExceptionGroup("", [cancelled[0], XendError("busy", "at the same time")])

    cancelled: list[BaseException] = []
    bench.slow, bench.raising = {"b"}, {"b": both}
    async with bench.running() as operations:
        operation = operations.start(bench.facts())
        await trio.testing.wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled as error:
                cancelled.append(error)
                raise
        operation._scope.cancel()
        bench.may_go_on.set()
        await operation.ended.wait()
        assert operation.state == "cancelled"


# --- records ------------------------------------------------------------------------------------------


def away(bench: Bench) -> Path:
    return bench.directory.with_name("away")


async def test_what_cannot_be_recorded_at_the_start_is_not_begun(bench: Bench) -> None:
    async with bench.running() as operations:
        os.rename(bench.directory, away(bench))
        with pytest.raises(XendError, match="cannot record the operation: No such file") as caught:
            operations.start(bench.facts(held="name d"), key="k")
        assert caught.value.fields["domain"] == "d"
        assert operations.all() == []
        assert operations.with_key("k") is None
        operations.check_free([Lock.parse("name d")])
        os.rename(away(bench), bench.directory)
        await operations.start(bench.facts(held="name d"), key="k").outcome()
    assert bench.events[0] == "started"


async def test_facts_that_no_record_can_hold_are_a_refusal(bench: Bench) -> None:
    facts = bench.facts(held="name d")
    assert isinstance(facts, BenchFacts)
    facts.what = object()
    async with bench.running() as operations:
        with pytest.raises(XendError, match="cannot record the operation"):
            operations.start(facts)
        operations.check_free([Lock.parse("name d")])
    assert os.listdir(bench.directory) == []


async def test_nothing_is_begun_once_xend_has_ended(bench: Bench) -> None:
    async with bench.running() as operations:
        pass
    with pytest.raises(XendError, match="test of d was not begun: xend is ending"):
        operations.start(bench.facts(held="name d"))
    operations.check_free([Lock.parse("name d")])
    assert operations.all() == []
    assert os.listdir(bench.directory) == []


async def test_a_step_that_cannot_be_recorded_is_not_done(bench: Bench) -> None:
    bench.slow = {"b"}
    async with bench.running() as operations:
        operation = operations.start(bench.facts("a b c? d", held="name d"))
        await trio.testing.wait_all_tasks_blocked()
        os.rename(bench.directory, away(bench))
        bench.may_go_on.set()
        await operation.ended.wait()
        operations.check_free([Lock.parse("name d")])
        assert bench.done == ["a", "b", "-c?", "-b", "-a"]
        assert operation.error is not None
        assert "cannot record the operation" in operation.error.message
        os.rename(away(bench), bench.directory)
        await operations.start(bench.facts("x", held="name d")).outcome()


async def test_an_end_that_cannot_be_recorded_is_recorded_later(bench: Bench) -> None:
    """What is on disk meanwhile says that it runs: another xend would undo it."""
    bench.slow = {"c"}
    async with bench.running() as operations:
        operation = operations.start(bench.facts("a b c"), key="k")
        await trio.testing.wait_all_tasks_blocked()
        os.rename(bench.directory, away(bench))
        bench.may_go_on.set()
        await operation.outcome()
        os.rename(away(bench), bench.directory)
    bench.done = []
    async with bench.running() as operations:
        operations.recover()
        await trio.testing.wait_all_tasks_blocked()
        found = operations.with_key("k")
        assert found is not None
        assert found.state == "done"
    assert bench.done == []


async def test_records_that_cannot_be_removed_do_not_matter(bench: Bench) -> None:
    async with bench.running() as operations:
        operation = operations.start(bench.facts())
        await operation.outcome()
        path = bench.directory / operation.id
        path.unlink()
        (path / "in the way").mkdir(parents=True)
        bench.now += 10_000
        assert operations.all() == []
    async with bench.running() as operations:
        operations.recover()
        assert operations.all() == []
        await operations.start(bench.facts()).outcome()


# --- after a crash ------------------------------------------------------------------------------------


async def crash(bench: Bench, step: str = "c") -> Operation:
    """An operation that was cut off at this step."""
    bench.slow = {step}
    async with bench.running() as operations:
        operation = operations.start(bench.facts("a b c d", "resume", "a", held="name d"), key="k")
        await trio.testing.wait_all_tasks_blocked()
    bench.slow, bench.done = set(), []
    return operation


@pytest.mark.parametrize("at", ["-c", "-b", "a", "d", "-c and d"])
async def test_a_fault_after_a_crash_ends_the_operation_not_xend(bench: Bench, at: str) -> None:
    old = await crash(bench)
    bench.raising = dict.fromkeys(at.split(" and "), FAULTS["group"])
    async with bench.running() as operations:
        operations.recover()
        operation = operations.find(old.id)
        await operation.ended.wait()
        assert operation.state == ("done" if at.startswith("-") and "d" not in at else "failed")
        assert operation.warnings() or operation.error
        operations.check_free([Lock.parse("name d")])
    bench.done = []
    async with bench.running() as operations:
        operations.recover()
        await trio.testing.wait_all_tasks_blocked()
        assert operations.find(old.id).as_map() == operation.as_map()
    assert bench.done == []


SPOILED: dict[str, Callable[[dict[str, object]], object]] = {
    "facts that its plan cannot be made of": lambda fields: fields.update(facts={"domid": 7}),
    "a kind that this version has not": lambda fields: fields.update(kind="domain.migrate"),
    "a step that the plan has not": lambda fields: fields.update(step="z"),
    "locks of another form": lambda fields: fields.update(locks=None),
    "locks that are no texts": lambda fields: fields.update(locks=[b"name d", "name d"]),
    "a key of another form": lambda fields: fields.update(key=["k"]),
    "a time of another form": lambda fields: fields.update(started=float("nan")),
    "a step of another form": lambda fields: fields.update(step=2),
    "facts of a later version": lambda fields: fields.update(facts_version=2),
    "facts of another type": lambda fields: fields["facts"].update(domid="7"),  # type: ignore[attr-defined]
    "the form of a later version": lambda fields: fields.update(version=2),
    "the form of before there were versions": lambda fields: fields.pop("version"),
    "a step, once begun, that the plan has no more": lambda fields: fields.update(
        steps=[["a", "a"], ["old", "a step of old"], ["c", "c"]]
    ),
    "a state of another form": lambda fields: fields.update(state={}),
    "an end of another form": lambda fields: fields.update(state="done", ended=1e300),
    "steps of another form": lambda fields: fields.update(state="done", ended=1.0, steps=[{}]),
}
#: Fields without which not even its end can be told to whoever asks.
UNTOLD = ("locks", "a key", "a time")


@pytest.mark.parametrize("how", SPOILED)
async def test_a_record_of_which_no_plan_can_be_made_is_told_once(bench: Bench, how: str) -> None:
    old = await crash(bench)
    path = bench.directory / old.id
    fields = msgpack.unpackb(path.read_bytes())
    SPOILED[how](fields)
    path.write_bytes(msgpack.packb(fields))
    async with bench.running() as operations:
        operations.recover()
        await trio.testing.wait_all_tasks_blocked()
        operations.check_free([Lock.parse("name d")])
        assert bench.done == []
        if not how.startswith(UNTOLD):
            operation = operations.with_key("k")
            assert operation is not None
            with pytest.raises(XendError, match="this xend cannot go on with it") as caught:
                await operation.outcome()
            assert caught.value.fields["domain"] == "d"
            assert caught.value.fields["hint"] == "xl list shows what is left of d, xl destroy d ends it"
    (line,) = [line for line in bench.logged if "cannot be used" in line]
    assert " of d): " in line
    async with bench.running() as operations:
        operations.recover()
    assert len([line for line in bench.logged if "cannot be used" in line]) == 1


async def test_a_planner_that_fails_is_not_the_end_of_the_others(bench: Bench) -> None:
    first = await crash(bench)
    bench.slow, bench.now = {"b"}, bench.now + 1
    async with bench.running() as operations:
        second = operations.start(bench.facts("x b", held="name e"))
        await trio.testing.wait_all_tasks_blocked()
    bench.slow = set()
    fields = msgpack.unpackb((bench.directory / first.id).read_bytes())
    fields["facts"]["names"] = None
    (bench.directory / first.id).write_bytes(msgpack.packb(fields))
    async with bench.running() as operations:
        operations.recover()
        await operations.find(second.id).ended.wait()
        assert bench.done[-2:] == ["-b", "-x"]


async def test_warnings_outlive_xend(bench: Bench) -> None:
    bench.failing = {"b?"}
    async with bench.running() as operations:
        before = operations.start(bench.facts("a b? c"))
        await before.outcome()
    async with bench.running() as operations:
        operations.recover()
        assert operations.find(before.id).as_map() == before.as_map()
        (warning,) = (await operations.find(before.id).outcome())["warnings"]
    assert warning == {"code": "device_failed", "message": "b? failed", "step": "b?", "domain": "d"}


async def test_warnings_of_before_a_crash_are_kept(bench: Bench) -> None:
    bench.failing, bench.slow = {"b?"}, {"c"}
    async with bench.running() as operations:
        old = operations.start(bench.facts("a b? c", "resume", "a b? c"))
        await trio.testing.wait_all_tasks_blocked()
    bench.failing, bench.slow = set(), set()
    async with bench.running() as operations:
        operations.recover()
        result = await operations.find(old.id).outcome()
    assert [warning["message"] for warning in result["warnings"]] == ["b? failed"]


async def test_warnings_of_what_failed_come_with_the_error(bench: Bench) -> None:
    bench.failing = {"b?", "c", "-b?"}
    async with bench.running() as operations:
        with pytest.raises(XendError, match="c failed") as caught:
            await operations.start(bench.facts("a b? c")).outcome()
    messages = [warning["message"] for warning in caught.value.fields["warnings"]]
    assert messages == ["b? failed", "could not undo 'b?': -b? failed"]
