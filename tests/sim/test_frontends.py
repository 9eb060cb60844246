"""A guest that closes its devices itself: as its driver is loaded anew, or for good (toolstack.md 3).

That is the guest's to do.  A device goes when somebody takes it out, not because its guest has let go of it.
The test plays the frontend: the guest's kernel touches nothing.
"""

import pytest
import trio

from tests.sim.test_devices import DISK, VIF, XVDB, attach, state_is
from tests.sim.test_faults import settled
from tests.sim.world import World, play
from xend.device.xenbus import XenbusState
from xend.errors import XendError

pytestmark = pytest.mark.slow

SILENT = 'name = "bare"\nkernel = "/netbsd"\nmemory = 64\nextra = "sim=never-answer"\n'
KINDS = [("vif", f"{VIF},devid=0", 0, "vif 0"), ("vbd", DISK, XVDB, "vbd xvdb")]
#: What a frontend writes as it connects, and as its driver is unloaded and loaded again; and what the backend
#: says to each.
CONNECT = {"vif": [(4, 4)], "vbd": [(3, 4), (4, 4)]}
UNLOAD = [(5, 5), (6, 6)]
LOAD = {kind: [(1, 2), *said] for kind, said in CONNECT.items()}
#: Long enough for everything that has a deadline.
AN_HOUR = 3600.0

each_kind = pytest.mark.parametrize(("kind", "spec", "devid", "name"), KINDS)


async def say(world: World, kind: str, devid: int, said: list[tuple[int, int]]) -> None:
    """The frontend goes through states, each once the backend has answered the one before."""
    for own, answer in said:
        await world.client.write(f"/local/domain/1/device/{kind}/{devid}/state", str(own))
        await state_is(world, 1, kind, devid, str(answer).encode())


async def begin(world: World, kind: str, spec: str, devid: int) -> None:
    """A device that is connected."""
    await world.create(SILENT)
    await attach(world, kind, spec)
    await say(world, kind, devid, CONNECT[kind])


async def states(world: World, name: str) -> list[str]:
    """What a device's story tells of its states."""
    told = await world.call("device.explain", domain="bare", device=name)
    return [line["text"] for line in told["lines"] if line["text"].startswith(("backend: ", "frontend: "))]


def expected(said: list[tuple[int, int]]) -> set[str]:
    """The states of both ends."""
    return {f"frontend: {XenbusState(own)!s}" for own, _ in said} | {
        f"backend: {XenbusState(answer)!s}" for _, answer in said
    }


async def there(world: World) -> list[str]:
    """The names of the domain's devices."""
    return [each["name"] for each in await world.call("device.list", domain="bare")]


@each_kind
def test_a_driver_that_is_loaded_anew_keeps_its_device(kind: str, spec: str, devid: int, name: str) -> None:
    async def body(world: World) -> None:
        await begin(world, kind, spec, devid)
        await trio.sleep(1)
        nodes = await world.snapshot()
        connected = await states(world, name)
        for again in range(1, 4):
            await say(world, kind, devid, UNLOAD)
            await trio.sleep(AN_HOUR)
            await say(world, kind, devid, LOAD[kind])
            await trio.sleep(1)
            told = await states(world, name)
            assert len(told) == len(connected) + again * 2 * len([*UNLOAD, *LOAD[kind]]) - again * (
                kind == "vbd"
            )
            assert set(told[len(connected) :]) == expected([*UNLOAD, *LOAD[kind]])
        assert await there(world) == [name]
        assert await world.snapshot() == nodes
        assert [call[1] for call in world.scripts.calls] == ["online" if kind == "vif" else "add"]
        told = await world.call("device.explain", domain="bare", device=name)
        assert (told["cause"], told["backend_state"], told["frontend_state"]) == (None, 4, 4)
        assert not any(f"device {name} (domain 1): removed" in line for line in world.trace)

    play(body)


@each_kind
def test_one_that_is_closed_for_good_stays_until_it_is_taken_out(
    kind: str, spec: str, devid: int, name: str
) -> None:
    async def body(world: World) -> None:
        await world.create(SILENT)
        before = await world.snapshot()
        await attach(world, kind, spec)
        await say(world, kind, devid, [*CONNECT[kind], *UNLOAD])
        await trio.sleep(AN_HOUR)
        assert await there(world) == [name]
        backend = f"/local/domain/0/backend/{kind}/1/{devid}"
        assert await world.client.read(f"{backend}/online") == b"1"
        assert await world.client.read(f"{backend}/hotplug-status") == b"connected"
        told = await world.call("device.explain", domain="bare", device=name)
        assert told["cause"] == "the guest has closed it"
        assert [line["text"] for line in told["lines"]][-1] == "backend: Closed (6)"
        with pytest.raises(XendError, match=f"bare has a {name} already"):
            await attach(world, kind, spec)
        await world.call("device.detach", domain="bare", kind=kind, device=name)
        assert await world.snapshot() == before
        assert len(world.scripts.calls) == 2

    play(body)


@each_kind
@pytest.mark.parametrize("step", range(3))
def test_xend_that_is_killed_meanwhile_keeps_it_too(
    kind: str, spec: str, devid: int, name: str, step: int
) -> None:
    """It is away while the frontend goes through one state more: unloading, unloaded, loading."""

    async def body(world: World) -> None:
        await begin(world, kind, spec, devid)
        said = [*UNLOAD, *LOAD[kind]]
        await say(world, kind, devid, said[:step])
        await world.kill_xend()
        await say(world, kind, devid, said[step : step + 1])
        await world.start_xend()
        await settled(world)
        await trio.sleep(AN_HOUR)
        assert await there(world) == [name]
        await say(world, kind, devid, said[step + 1 :])
        await trio.sleep(1)
        told = await world.call("device.explain", domain="bare", device=name)
        assert (told["backend_state"], told["frontend_state"]) == (4, 4)
        assert len(world.scripts.calls) == 1

    play(body)


@each_kind
def test_a_domain_whose_guest_has_closed_it_ends_as_any_other(
    kind: str, spec: str, devid: int, name: str
) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        await begin(world, kind, spec, devid)
        await say(world, kind, devid, UNLOAD)
        began = world.now()
        await world.call("domain.destroy", domain="bare")
        assert world.now() - began < 5
        await settled(world)
        assert await world.snapshot() == before
        assert len(world.scripts.calls) == 2

    play(body)
