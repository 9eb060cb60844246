"""A guest goes on with another kernel in its own memory (kexec): soft resets, and what becomes of those that
fail.
"""

import errno
from collections.abc import Callable

import pytest
import trio

from tests.sim.faulty import RefusingHypervisor
from tests.sim.test_faults import at, kill, settled
from tests.sim.world import EXAMPLE, World, play
from xend.hypervisor import SHUTDOWN_REASONS, HypervisorError, Rings
from xend.operation.running import Operation

PVH = ['type="pvh"']
SOFT_RESET = SHUTDOWN_REASONS.index("soft_reset")
KIND = "domain.soft_reset"


async def resets(world: World, domid: int) -> None:
    """The guest asks for it, and what follows has ended."""
    await world.host.shutdown(domid, SOFT_RESET)
    await trio.sleep(5)
    await settled(world)


async def running(world: World) -> list[tuple[int, str]]:
    return [(d["domid"], d["state"]) for d in await world.call("domain.list") if d["domid"]]


def test_a_domain_keeps_its_domid_memory_and_frames_and_connects_its_devices_anew() -> None:
    async def body(world: World) -> None:
        domid = await world.create(extra=PVH)
        await world.connected(domid)
        home = f"/local/domain/{domid}"
        await world.client.write(f"{home}/data/old", "1")
        info = await world.host.domain(domid)
        assert info is not None
        before = [await world.client.read(f"{home}/{name}/ring-ref") for name in ("store", "console")]
        await resets(world, domid)
        after = [await world.client.read(f"{home}/{name}/ring-ref") for name in ("store", "console")]
        assert after == before
        again = await world.host.domain(domid)
        assert again is not None
        assert (again.memory_kib, again.is_paused, again.is_shutdown) == (info.memory_kib, False, False)
        await world.connected(domid)
        assert "old" not in await world.client.directory(f"{home}/data")
        assert await running(world) == [(domid, "running")]
        await resets(world, domid)  # as often as it likes
        await world.connected(domid)
        await world.call("domain.shutdown", domain="example", wait=True)
        assert await world.names() == []

    play(body)


def test_a_paravirtual_domain_is_restarted_instead_and_the_log_says_why() -> None:
    async def body(world: World) -> None:
        domid = await world.create()
        await world.connected(domid)
        await resets(world, domid)
        await trio.sleep(30)
        assert await running(world) == [(domid + 1, "running")]
        assert (
            f"example (domain {domid}) has shut down: soft_reset; restart in place of a soft reset: "
            "the hypervisor resets no paravirtual domain"
        ) in world.logged

    play(body)


def test_one_that_is_to_end_is_not_reset() -> None:
    async def body(world: World) -> None:
        domid = await world.create(extra=PVH)
        await world.connected(domid)
        domain = world.xend.host.domains.get(domid)
        assert domain is not None
        world.xend.host.domains.end(domain, "for a test")
        await resets(world, domid)
        assert await world.names() == []

    play(body)


class Resetting(RefusingHypervisor):
    """Fails a soft reset, or has xend killed as it was done: nobody learns of the new ports."""

    refuses = False
    kill_xend: Callable[[], object] | None = None

    async def soft_reset(self, domid: int, rings: Rings) -> Rings:
        if self.refuses:
            raise HypervisorError(errno.EINVAL, "not now")
        made = await super().soft_reset(domid, rings)
        if self.kill_xend is not None:
            self.kill_xend()
            await trio.sleep_forever()
        return made


def test_one_that_fails_ends_the_domain_and_leaves_nothing() -> None:
    async def body(world: World) -> None:
        await world.kill_xend()
        hypervisor = Resetting(world.host)
        hypervisor.refuses = True
        world.wrap = lambda inner: hypervisor
        await world.start_xend()
        before = await world.snapshot()
        domid = await world.create(extra=PVH)
        await world.connected(domid)
        await resets(world, domid)
        assert await world.snapshot() == before
        assert any("its soft reset failed" in line or "not now" in line for line in world.logged)

    play(body)


def test_xend_killed_within_the_call_ends_the_domain_as_its_ports_are_not_known() -> None:
    async def body(world: World) -> None:
        await world.kill_xend()
        hypervisor = Resetting(world.host)
        world.wrap = lambda inner: hypervisor
        await world.start_xend()
        before = await world.snapshot()
        domid = await world.create(extra=PVH)
        await world.connected(domid)

        def kill_xend() -> None:
            world.xend.operations.stop()
            world._scope.cancel()

        hypervisor.kill_xend = kill_xend
        await world.host.shutdown(domid, SOFT_RESET)
        await trio.sleep(5)
        await world.kill_xend()
        hypervisor.kill_xend = None
        await world.start_xend()
        await settled(world)
        assert await world.snapshot() == before

    play(body)


def reset_steps() -> list[str]:
    found: list[str] = []

    async def body(world: World) -> None:
        def on_step(operation: Operation) -> None:
            if operation.kind.name == KIND:
                found[:] = [step.name for step in operation.steps]

        world.on_step = on_step
        await world.connected(await world.create(extra=PVH))
        await resets(world, 1)

    play(body)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("step", reset_steps())
def test_xend_killed_at_a_step_goes_on_when_it_is_back(step: str) -> None:
    async def body(world: World) -> None:
        domid = await world.create(EXAMPLE, extra=PVH)
        await world.connected(domid)
        world.on_step = at(KIND, step, kill)
        await world.host.shutdown(domid, SOFT_RESET)
        await trio.sleep(20)
        await world.start_xend()
        await settled(world)
        assert await running(world) == [(domid, "running")]
        await world.connected(domid)

    play(body)
