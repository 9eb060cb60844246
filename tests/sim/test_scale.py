"""What is done for one domain must not grow with their number."""

from functools import partial

import pytest
import trio

from tests.sim.world import EXAMPLE, World, play
from xend.domain.keeper import PAUSE_SECONDS
from xend.hypervisor import DomainInfo

pytestmark = pytest.mark.slow

DOMAINS = 24
#: How often one domain is looked at by who waits for its shutdown and its end, however many others end.
ASKED_MAX = 16


class Looks:
    """Counts how often all domains of a host are asked for."""

    def __init__(self, world: World) -> None:
        self.times: list[float] = []
        self._all = world.host.domains
        world.host.domains = self.domains  # type: ignore[method-assign]

    async def domains(self) -> list[DomainInfo]:
        self.times.append(trio.current_time())
        return await self._all()


async def create(world: World, number: int) -> None:
    await world.create(EXAMPLE, extra=[f'name="d{number}"', "disk=[]"])


async def all_at_once(world: World, method: str, **params: object) -> None:
    async with trio.open_nursery() as nursery:
        for number in range(DOMAINS):
            nursery.start_soon(partial(world.call, method, domain=f"d{number}", **params))


def test_a_domain_is_made_without_a_look_at_all_others() -> None:
    async def body(world: World) -> None:
        await trio.sleep(1)
        looks = Looks(world)
        began = trio.current_time()
        for number in range(DOMAINS):
            await create(world, number)
        assert trio.current_time() - began < 1
        assert looks.times == []

    play(body)


def test_many_that_end_at_once_are_looked_at_together() -> None:
    async def body(world: World) -> None:
        for number in range(DOMAINS):
            await create(world, number)
        looks = Looks(world)
        await all_at_once(world, "domain.destroy")
        await trio.sleep(1)
        assert await world.names() == []
        assert 1 <= len(looks.times) < DOMAINS
        pauses = [after - before for before, after in zip(looks.times, looks.times[1:-1], strict=False)]
        assert all(pause >= PAUSE_SECONDS for pause in pauses)

    play(body)


def test_many_that_are_waited_for_are_looked_at_together() -> None:
    async def body(world: World) -> None:
        for number in range(DOMAINS):
            await create(world, number)
        await trio.sleep(5)
        asked: list[int] = []
        one = world.host.domain

        async def domain(domid: int) -> DomainInfo | None:
            asked.append(domid)
            return await one(domid)

        world.host.domain = domain  # type: ignore[method-assign]
        looks = Looks(world)
        await all_at_once(world, "domain.shutdown", wait=True)
        assert len(looks.times) < DOMAINS
        assert max(map(asked.count, asked)) <= ASKED_MAX

    play(body)
