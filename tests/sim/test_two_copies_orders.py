"""Two domains of one UUID, in all orders of what may happen to them: the nodes of each are its own.

A model says which of the two live; what stands in the store is compared with it after each act, whether or
not xend was killed in the middle of that.
"""

import itertools
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from tests.chance import seeds
from tests.sim.test_faults import settled
from tests.sim.test_two_copies import FIRST, SECOND, UUID, both, nodes, restore
from tests.sim.world import Killed, World
from xend.errors import XendError
from xend.operation.running import Operation

pytestmark = pytest.mark.slow

Act = Callable[[World, str], Awaitable[object]]
#: Who lives, and where in the store that is which is called after its UUID.
Living = dict[str, str]
ROOT = f"/vm/{UUID}"


async def create(world: World, file: str) -> None:
    await world.create(FIRST)


async def restore_second(world: World, file: str) -> None:
    await restore(world, file, SECOND)


async def restore_first(world: World, file: str) -> None:
    await restore(world, file, FIRST)


def of(name: str, method: str) -> Act:
    async def act(world: World, file: str) -> None:
        await world.call(f"domain.{method}", domain=name)

    return act


def ended_with(name: str) -> Act:
    async def act(world: World, file: str) -> None:
        await world.call("domain.save", domain=name, file=f"{file}.{name}")

    return act


def behind_our_back(name: str) -> Act:
    async def act(world: World, file: str) -> None:
        (found,) = await world.call("domain.list", domain=name)
        await world.destroy_behind_back(found["domid"])

    return act


#: What may happen, and to whom: who lives then that did not, or does no more.
ACTS: dict[str, tuple[Act, str, bool]] = {
    "create the first": (create, "example", True),
    "restore the first": (restore_first, "example", True),
    "restore the second": (restore_second, "copy", True),
    **{
        f"{what} the {which}": (act(name), name, False)
        for which, name in (("first", "example"), ("second", "copy"))
        for what, act in (
            ("destroy", lambda name: of(name, "destroy")),
            ("save", ended_with),
            ("lose", behind_our_back),
        )
    },
}


async def done(world: World, file: str, name: str, living: Living) -> None:
    """An act; what it says of who lives is so."""
    act, domain, makes = ACTS[name]
    is_refused = (domain in living) == makes or (act is create and bool(living))
    if is_refused:
        with pytest.raises((XendError, ValueError)):
            await act(world, file)
    else:
        await act(world, file)
        living.pop(domain, None)
        if makes:
            living[domain] = ROOT if ROOT not in living.values() else f"{ROOT}-2"
    await settled(world)
    await compare(world, living)


async def compare(world: World, living: Living) -> None:
    """Each has the nodes that its own `vm` leads to, and there are no others."""
    assert set(await nodes(world)) == set(living)
    assert await roots(world) == living
    assert sorted(f"/vm/{each}" for each in await world.client.directory("/vm")) == sorted(living.values())


async def roots(world: World) -> Living:
    found = {
        each["name"]: (await world.client.read(f"/local/domain/{each['domid']}/vm")).decode()
        for each in await world.call("domain.list")
        if each["domid"]
    }
    assert len(set(found.values())) == len(found)
    return found


async def begin(world: World, file: str) -> Living:
    """Both live, and the first has the UUID for itself."""
    for name in ("copy", "example"):
        with suppress(XendError):
            await world.call("domain.destroy", domain=name)
    await restore_first(world, file)
    await restore_second(world, file)
    await settled(world)
    return {"example": ROOT, "copy": f"{ROOT}-2"}


@pytest.mark.parametrize("length", [1, *(pytest.param(n, marks=pytest.mark.long) for n in (2, 3))])
def test_in_each_order(tmp_path: Path, length: int) -> None:
    async def body(world: World, file: str) -> None:
        for order in itertools.product(ACTS, repeat=length):
            living = await begin(world, file)
            for name in order:
                await done(world, file, name, living)

    both(body, tmp_path)


@pytest.mark.parametrize("seed", seeds(4, 100))
def test_xend_is_killed_in_between(tmp_path: Path, seed: int) -> None:
    """Before a step that chance chooses: whoever lives after that has its nodes, and nobody else has any."""

    async def body(world: World, file: str) -> None:
        chance = random.Random(seed)
        for _ in range(12):
            kill_at_step(world, chance.randrange(16))
            act, _, _ = ACTS[chance.choice(list(ACTS))]
            world.soon(tried, world, file, act)
            await trio.sleep(30)
            world.on_step = lambda operation: None
            await world.kill_xend()
            await world.start_xend()
            await settled(world)
            await compare(world, await roots(world))

    both(body, tmp_path)


def kill_at_step(world: World, count: int) -> None:
    """xend is killed before the step of this number of all that are begun from now on."""
    left = [count]

    def on_step(operation: Operation) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    world.on_step = on_step


async def tried(world: World, file: str, act: Act) -> None:
    with suppress(XendError, ValueError):  # it is refused, or there is no such domain
        await act(world, file)
