"""Destroying a domain succeeds and is final, whatever else is done to it."""

from typing import Any

import attrs
import pytest
import trio

from tests.sim.faulty import RefusingHypervisor
from tests.sim.steps import CREATE
from tests.sim.test_faults import settled
from tests.sim.test_lives import acting
from tests.sim.world import EXAMPLE, World, play
from xend.hypervisor import DomainInfo

pytestmark = pytest.mark.slow

#: What holds the domain while it is destroyed.
OTHERS: dict[str, dict[str, Any]] = {
    "domain.pause": {},
    "domain.unpause": {},
    "domain.rename": {"name": "other"},
    "domain.set_memory": {"target_kib": 32 << 10},
    "domain.set_max_memory": {"max_memory_kib": 256 << 10},
    "domain.sysrq": {"letter": "s"},
    "domain.shutdown": {"wait": True},
    "domain.reboot": {"wait": True},
    "domain.destroy": {},
    "device.attach": {"kind": "vif", "spec": "bridge=bridge0"},
    "device.detach": {"kind": "vif", "device": "0"},
    "autostart.stop": {},
}


@pytest.mark.parametrize("method", OTHERS)
def test_whatever_else_is_done_to_it(method: str) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        await world.connected(await world.create(EXAMPLE + 'extra="sim=ack-only"\n'))
        kind = "domain.stop" if method == "autostart.stop" else method
        outcome: list[object] = []

        async def destroy() -> None:
            outcome.append(await world.call("domain.destroy", domain="example"))

        seen: list[str] = []

        def on_step(operation: Any) -> None:
            if operation.kind.name == kind and not seen:
                seen.append(kind)
                world.soon(destroy)

        world.on_step = on_step
        how = {"all": True} if method == "autostart.stop" else {"domain": "example"}
        await world.call(method, **how, **OTHERS[method], wait_for="accepted")
        began = world.now()
        await world.until(lambda: _is_true(outcome))
        assert world.now() - began < 15
        await settled(world)
        assert await world.snapshot() == before
        await trio.sleep(70)
        assert await world.snapshot() == before

    play(body)


async def _is_true(outcome: list[object]) -> bool:
    return bool(outcome)


def test_a_script_that_hangs_is_not_waited_for() -> None:
    async def body(world: World) -> None:
        await world.connected(await world.create())
        (world.directory / "root/other.img").write_bytes(bytes(512))
        world.scripts.behaviours["block"] = "hang"
        spec = {"kind": "vbd", "spec": "file:/other.img,0x1,r"}
        await world.call("device.attach", domain="example", **spec, wait_for="accepted")
        await trio.sleep(1)
        del world.scripts.behaviours["block"]
        began = world.now()
        await world.call("domain.destroy", domain="example")
        assert world.now() - began < 15
        assert await world.names() == []

    play(body)


@pytest.mark.parametrize("step", CREATE[2:])
def test_one_that_is_being_made(step: str) -> None:
    """At each step from which on it has a number."""

    async def body(world: World) -> None:
        before = await world.snapshot()
        outcome = acting(world, "domain.create", step, lambda: world.call("domain.destroy", domain="example"))
        await world.call("domain.create", text=EXAMPLE, wait_for="accepted")
        await trio.sleep(30)
        assert [type(each) for each in outcome] == [dict], outcome
        await settled(world)
        assert await world.snapshot() == before

    play(body)


def test_one_whose_pages_somebody_holds_is_gone_for_us_and_the_warning_says_who_it_may_be() -> None:
    class Held(RefusingHypervisor):
        """Somebody, a driver of another kernel for example, has pages of each domain mapped for ever."""

        async def domain(self, domid: int) -> DomainInfo | None:
            return known[domid] if domid in known else await super().domain(domid)

        async def destroy(self, domid: int) -> None:
            info = await super().domain(domid)
            assert info is not None
            await super().destroy(domid)
            known[domid] = attrs.evolve(info, is_dying=True, memory_kib=0)

    known: dict[int, DomainInfo] = {}

    async def body(world: World) -> None:
        await world.kill_xend()
        world.wrap = Held
        await world.start_xend()
        await world.connected(await world.create())
        answer = await world.call("domain.destroy", domain="example")
        (warning,) = answer["warnings"]
        assert (warning["code"], warning["waited_s"]) == ("no_answer", 10)
        assert warning["message"] == (
            "domain 1 of example was destroyed and is still dying after 10 s: "
            "somebody has memory of it mapped"
        )
        for holder in ("xenconsoled", "a backend's driver", "a device model"):
            assert holder in warning["hint"]
        assert await world.names() == []

    play(body)


def test_two_who_destroy_it_at_once_are_both_answered() -> None:
    async def body(world: World) -> None:
        await world.connected(await world.create())
        answers: list[Any] = []

        async def destroy() -> None:
            answers.append(await world.call("domain.destroy", domain="example"))

        for _ in range(3):
            world.soon(destroy)
        await trio.sleep(20)
        assert [each["domid"] for each in answers] == [1, 1, 1]
        ends = [line for line in world.logged if "domain example (domain 1): destroyed" in line]
        assert len(ends) == 1

    play(body)
