"""Tests of every step are of every step: the steps written down are those that take place."""

import os

import trio

from tests.sim import steps
from tests.sim.test_faults import settled
from tests.sim.world import EXAMPLE, World, play
from xend.operation.running import Operation


def recorded(world: World) -> dict[str, dict[str, list[str]]]:
    """What will hold the steps of each operation that takes place, by kind."""
    found: dict[str, dict[str, list[str]]] = {}

    def on_step(operation: Operation) -> None:
        found.setdefault(operation.kind.name, {})[operation.id] = [step.name for step in operation.steps]

    world.on_step = on_step
    return found


def test_of_a_life_and_of_a_reboot() -> None:
    async def body(world: World) -> None:
        found = recorded(world)
        dry = await world.call("domain.create", text=EXAMPLE, dry_run=True)
        assert dry["steps"] == steps.CREATE
        await world.connected(await world.create())
        await world.call("domain.reboot", domain="example", wait=True)
        await settled(world)
        dry = await world.call("domain.destroy", domain="example", dry_run=True)
        assert dry["steps"] == steps.DESTROY
        await world.call("domain.destroy", domain="example")
        for kind, expected in (
            ("domain.create", steps.CREATE),
            ("domain.restart", steps.RESTART),
            ("domain.destroy", steps.DESTROY),
        ):
            assert list(found[kind].values()) == [expected]

    play(body)


def test_of_a_life_that_has_to_wait() -> None:
    async def body(world: World) -> None:
        found = recorded(world)
        await world.create(EXAMPLE + 'on_crash="restart"\nextra="sim=crash-at=1"\n')
        await trio.sleep(6)
        assert list(found["domain.restart"].values())[-1] == steps.RESTART_LATER
        assert list(found["domain.next_life"].values())[-1] == steps.NEXT_LIFE

    play(body)


def test_of_saves_and_restores() -> None:
    async def body(world: World) -> None:
        found = recorded(world)
        await world.connected(await world.create())
        once = str(world.directory / "saved" / "example")
        os.mkdir(world.directory / "saved", 0o700)
        await world.call("domain.suspend", domain="example")
        await world.call("domain.resume", domain="example")
        for file, how in ((str(world.directory / "f"), {"checkpoint": True}), (once, {})):
            await world.call("domain.save", domain="example", file=file, **how)
        await world.call("domain.restore", file=once)
        await world.call("domain.destroy", domain="example")
        await world.call("domain.restore", file=str(world.directory / "f"))
        for kind, expected in (
            ("domain.suspend", [steps.SUSPEND]),
            ("domain.resume", [steps.RESUME]),
            ("domain.save", [steps.CHECKPOINT, steps.SAVE]),
            ("domain.restore", [steps.RESTORE_ONCE, steps.RESTORE]),
        ):
            assert list(found[kind].values()) == expected

    play(body)
