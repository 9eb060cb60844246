"""A backend that goes from any state to any other, as a table: the attach ends, and nothing is left.

The test plays the backend: dom0's driver never sees the device.
"""

import itertools
from contextlib import suppress

import pytest
import trio

from tests.sim.test_devices import BARE, DISK, XVDB
from tests.sim.test_faults import settled
from tests.sim.world import World, play
from xend.device.kind import APPEARED
from xend.device.xenbus import XenbusState
from xend.errors import XendError
from xenstore.errors import ENOENT

pytestmark = pytest.mark.slow

STATES = [XenbusState(number) for number in range(1, 7)]
PATH = f"/local/domain/0/backend/vbd/1/{XVDB}"


async def say(world: World, state: XenbusState) -> None:
    """The backend is in another state, if it is still there."""
    async with world.client.transaction() as tx:
        try:
            await tx.read(f"{PATH}/state")
        except ENOENT:
            return
        await tx.write(f"{PATH}/state", str(state.value))


@pytest.mark.parametrize(("first", "second"), list(itertools.product(STATES, STATES)))
def test_whatever_a_backend_does_the_attach_ends_and_nothing_is_left(
    first: XenbusState, second: XenbusState
) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        await world.create(BARE)
        answer = await world.call("device.attach", domain="bare", kind="vbd", spec=DISK, wait_for="accepted")
        for state in (first, second):
            await trio.sleep(1)
            await say(world, state)
        await settled(world)
        shown = await world.call("operation.show", operation=answer["operation"])
        works = first in APPEARED or second in APPEARED
        assert shown["state"] == ("done" if works else "failed"), shown["error"]
        if not works:
            message = f"its backend is {second} after 10 s, InitWait (2) was expected"
            assert message in shown["error"]["message"]
        with suppress(XendError):  # the backend does not close
            await world.call("domain.destroy", domain="bare")
        await settled(world)
        assert await world.snapshot() == before

    play(body, backend_faults="never-probe")


def test_a_backend_that_answers_late_is_waited_for() -> None:
    async def body(world: World) -> None:
        await world.create(BARE)
        world.soon(late, world)
        await world.call("device.attach", domain="bare", kind="vbd", spec=DISK)

    async def late(world: World) -> None:
        await trio.sleep(9.9)
        await say(world, XenbusState.INIT_WAIT)

    play(body, backend_faults="never-probe")


def test_a_backend_that_closes_and_reopens_is_told_of_each_time() -> None:
    async def body(world: World) -> None:
        await world.create(BARE)
        world.soon(say_all, world)
        await world.call("device.attach", domain="bare", kind="vbd", spec=DISK)
        await trio.sleep(20)
        told = await world.call("device.explain", domain="bare", device="vbd xvdb")
        states = [line["text"] for line in told["lines"] if line["text"].startswith("backend: ")]
        assert states == [
            "backend: Initialising (1)",
            "backend: InitWait (2)",
            "backend: Connected (4)",
            "backend: Closing (5)",
            "backend: Closed (6)",
            "backend: InitWait (2)",
            "backend: Connected (4)",
        ]
        connected = [line for line in world.trace if "device vbd xvdb (domain 1): connected" in line]
        assert len(connected) == 2

    async def say_all(world: World) -> None:
        for number in (2, 4, 5, 6, 2, 4):
            await trio.sleep(1)
            await say(world, XenbusState(number))

    play(body, backend_faults="never-probe")
