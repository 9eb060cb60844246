"""What a domain's end asks for fails, and then somebody else sees to that domain: the failure is past."""

import pytest
import trio

from tests.sim.test_faults import at
from tests.sim.test_scale import Looks
from tests.sim.world import EXAMPLE, World, play
from xend.domain.keeper import LOOK_SECONDS
from xend.errors import XendError

pytestmark = pytest.mark.slow

TEXT = EXAMPLE.replace("w!", "w") + 'on_crash="restart"\n'
FILE = {"name": "example", "path": "/etc/xen/example"}
CRASH = 3


async def failing_once(world: World) -> None:
    """A domain crashes, and its restart fails at once; half a second later nobody has tried it again."""

    def fail() -> None:
        raise XendError("internal", "the disk is full")

    await world.connected(await world.create(TEXT, **FILE))
    world.on_step = at("domain.restart", 0, fail)
    await world.host.shutdown(1, CRASH)
    await trio.sleep(0.5)
    assert sum("failed at" in line for line in world.logged) == 1


def test_all_domains_are_looked_at_as_seldom_as_before_it_failed() -> None:
    async def body(world: World) -> None:
        await failing_once(world)
        await world.call("domain.destroy", domain="example")
        await trio.sleep(LOOK_SECONDS)
        looks = Looks(world)
        await trio.sleep(5 * LOOK_SECONDS)
        assert len(looks.times) == 5

    play(body)


def test_while_nobody_sees_to_it_each_try_is_one_look() -> None:
    """What cannot be done for it is tried again ever later, and nothing is asked for between the tries."""

    async def body(world: World) -> None:
        await failing_once(world)

        def fail(operation: object) -> None:
            raise XendError("internal", "the disk is full")

        world.on_step = fail
        await trio.sleep(300)
        looks = Looks(world)
        tries = sum("failed at" in line for line in world.logged)
        await trio.sleep(300)
        tries = sum("failed at" in line for line in world.logged) - tries
        assert tries >= 4
        assert len(looks.times) <= tries + 300 / LOOK_SECONDS + 1

    play(body)


def test_the_next_end_of_the_one_that_took_its_place_is_told_of() -> None:
    async def body(world: World) -> None:
        await failing_once(world)
        await world.call("domain.create", text=TEXT, **FILE)
        (domain,) = await world.call("domain.list", domain="example")
        await world.connected(domain["domid"])
        await world.host.shutdown(domain["domid"], CRASH)
        await trio.sleep(5)
        assert sum("has shut down: crash" in line for line in world.logged) == 2
        (again,) = await world.call("domain.list", domain="example")
        assert again["domid"] not in (None, domain["domid"])

    play(body)
