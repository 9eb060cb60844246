"""xend is killed at each step of a start and of a stop, and the call repeated."""

import re
from collections.abc import Callable

import pytest
import trio

from tests.sim.autostarting import ALREADY, UP, put, start, stop, three
from tests.sim.world import Killed, World, play
from xend.errors import XendError
from xend.operation.running import Operation

pytestmark = pytest.mark.slow


def counted_kill(world: World, number: int) -> Callable[[Operation], None]:
    """An on_step that kills xend before the step of that number, counted from 1."""
    count = 0

    def on_step(operation: Operation) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise Killed

    return on_step


async def settled(world: World) -> None:
    """Let time pass until no operation runs."""

    async def over() -> bool:
        return all(
            each["state"] in ("done", "failed", "cancelled") for each in await world.call("operation.list")
        )

    await world.until(over)


def ended(world: World) -> list[str]:
    """The domains that were removed, in their order."""
    found = [re.fullmatch(r"domain (\S+) \(domain \d+\): destroyed", line) for line in world.logged]
    return [match[1] for match in found if match]


async def killed_in(world: World, method: str, number: int) -> bool:
    """Make a call, xend being killed before that step; whether it was."""
    failures: list[XendError] = []

    async def call() -> None:
        try:
            await world.call(method)
        except XendError as error:
            failures.append(error)

    world.on_step = counted_kill(world, number)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
    world.on_step = lambda operation: None
    if failures:
        assert failures[0].code == "cancelled"
        await world.start_xend()
    return bool(failures)


def test_the_order_holds_with_xend_killed_at_any_step_of_a_start() -> None:
    number, goes_on = 0, True
    while goes_on:
        number += 1
        was_killed: list[bool] = []

        async def body(world: World, number: int = number, was_killed: list[bool] = was_killed) -> None:
            three(world)
            was_killed.append(await killed_in(world, "autostart.start", number))
            found = await start(world)
            assert set(found.values()) <= {UP, ALREADY}
            assert sorted(await world.names()) == ["app", "db", "web"]
            times = {each["name"]: each["start_time"] for each in await world.call("domain.list")}
            assert times["db"] + 3 <= times["app"]
            assert times["app"] + 2 <= times["web"]

        play(body, seed=number)
        goes_on = was_killed[0]
    assert number > 30


def test_all_is_down_and_clean_with_xend_killed_at_any_step_of_a_stop() -> None:
    number, goes_on = 0, True
    while goes_on:
        number += 1
        was_killed: list[bool] = []

        async def body(world: World, number: int = number, was_killed: list[bool] = was_killed) -> None:
            before = await world.snapshot()
            three(world)
            await start(world)
            was_killed.append(await killed_in(world, "autostart.stop", number))
            found = await stop(world)
            assert {outcome for outcome, _ in found.values()} <= {"down", "not-running"}
            await settled(world)
            assert ended(world) == ["web", "app", "db"]
            await trio.sleep(60)
            assert await world.snapshot() == before

        play(body, seed=number)
        goes_on = was_killed[0]
    assert number > 30


def test_what_was_being_stopped_when_xend_was_killed_ends_without_being_asked_again() -> None:
    """No configuration brings it back, though nobody repeats the call."""

    async def body(world: World) -> None:
        before = await world.snapshot()
        put(world, "db", 'on_poweroff="restart"', 'extra="sim=slow=2"', auto=True)
        await start(world)
        assert await killed_in(world, "autostart.stop", 2)
        await settled(world)
        await trio.sleep(120)
        assert await world.snapshot() == before

    play(body)
