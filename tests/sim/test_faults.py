"""Something goes wrong at each step of an operation, one after the other: nothing may be left.

A step is named as `dry_run` names it: those of `steps`.
"""

import errno
from collections.abc import Callable
from typing import ClassVar

import pytest
import trio

from tests.sim.faulty import RefusingHypervisor
from tests.sim.steps import CREATE, DESTROY, RESTART
from tests.sim.world import EXAMPLE, Killed, World, play
from xend.device.stored import devices_in_store
from xend.errors import XendError
from xend.hypervisor import DomainInfo, HypervisorError
from xend.identity import is_domain
from xend.operation.running import Operation
from xend.packing import pack, unpack

pytestmark = pytest.mark.slow

XVDA = 51712
#: When a hypervisor that is silent begins to speak again, in seconds.
SPEAKS_AGAIN = 60.0
BYSTANDER = EXAMPLE + 'name="bystander"\ndisk=["file:/disk.img,xvda,r"]\n'


def at(
    kind: str, step: str | int, then: Callable[[], object], domain: str = "example"
) -> Callable[[Operation], object]:
    """An `on_step` that calls `then()` before a step of a domain's operation, by name or index, once."""
    done: list[bool] = []

    def on_step(operation: Operation) -> None:
        is_it = operation.kind.name == kind and operation.domain == domain
        is_it = is_it and step in (operation.step, operation.doing)
        if is_it and operation.state == "running" and not done:
            done.append(True)
            then()

    return on_step


def kill() -> None:
    raise Killed


async def settled(world: World) -> None:
    """Let time pass until no operation runs; then see that xend serves each domain that lives."""
    await at_rest(world)
    await look_at_served(world)


async def at_rest(world: World) -> None:
    """Let time pass until no operation runs."""

    async def ended() -> bool:
        return all(
            each["state"] in ("done", "failed", "cancelled") for each in await world.call("operation.list")
        )

    await world.until(ended)
    await trio.sleep(1)
    await world.until(ended)


async def look_at_served(world: World) -> None:
    """Each domain of this xend's that lives has its console read, and its backends are followed."""
    infos = {info.domid: info for info in await world.host.domains() if not info.is_dying}
    for domain in world.xend.host.domains:
        info = infos.get(-1 if domain.domid is None else domain.domid)
        if domain.console is None or info is None or not is_domain(info, domain.uuid):
            continue
        assert info.domid in world.xend.host.consoles.domids, f"the console of {domain.name} is not read"
        followed = {device.backend_path for device in world.xend.host.backends.of_domain(info.domid)}
        found = await devices_in_store(world.xend.host, info.domid)
        assert followed == {device.backend_path for device in found}, domain.name


async def refusal_of(world: World, text: str) -> XendError:
    """Why a domain is not made, in one line; nothing of it is left."""
    before = await world.snapshot()
    with pytest.raises(XendError) as caught:
        await world.create(text)
    await settled(world)
    assert await world.snapshot() == before
    assert "\n" not in str(caught.value)
    return caught.value


async def refusal(world: World) -> XendError | None:
    """Why the example cannot be created."""
    try:
        await world.create()
    except XendError as error:
        return error
    return None


def test_memory_that_runs_out_at_any_call_leaves_nothing() -> None:
    """Each call of create that takes memory is refused in turn."""
    refused = 0
    while True:
        refused += 1
        calls: list[int] = []

        async def body(world: World, refused: int = refused, calls: list[int] = calls) -> None:
            await world.kill_xend()
            hypervisor = RefusingHypervisor(world.host)
            world.wrap = lambda inner: hypervisor
            await world.start_xend()
            before = await world.snapshot()
            hypervisor.refused = refused
            error = await refusal(world)
            calls.append(hypervisor.calls)
            if hypervisor.calls >= refused:
                assert error is not None
                assert error.code in ("out_of_memory", "hypervisor_failed")
                assert "step" in error.fields
                assert await world.snapshot() == before

        play(body)
        if calls[0] < refused:
            break
    assert refused == 6  # create, claim, build, console, unpause: none was missed


@pytest.mark.parametrize("step", CREATE[2:])
def test_a_domain_that_dies_while_it_is_created_leaves_nothing(step: str) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        world.on_step = at("domain.create", step, lambda: world.soon(world.destroy_behind_back, 1))
        error = await refusal(world)
        if step != CREATE[-1] or error is not None:  # it may have been just up
            assert error is not None
            assert error.code == "guest_died"
            assert "step" in error.fields
        await settled(world)
        assert await world.snapshot() == before

    play(body)


@pytest.mark.parametrize("step", DESTROY)
def test_a_domain_that_dies_while_it_is_destroyed_leaves_nothing(step: str) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        domid = await world.create()
        await world.connected(domid)
        world.on_step = at("domain.destroy", step, lambda: world.soon(world.destroy_behind_back, 1))
        await world.call("domain.destroy", domain="example")
        await settled(world)
        assert await world.snapshot() == before

    play(body)


@pytest.mark.parametrize("step", CREATE)
def test_xend_killed_while_it_creates_undoes_it_when_it_is_back(step: str) -> None:
    async def body(world: World) -> None:
        other = await world.create(BYSTANDER)
        await world.connected(other, XVDA)
        before = await world.snapshot()
        world.on_step = at("domain.create", step, kill)
        answer = await world.call("domain.create", text=EXAMPLE, wait_for="accepted")
        await trio.sleep(20)
        await world.start_xend()
        await settled(world)
        shown = await world.call("operation.show", operation=answer["operation"])
        assert shown["state"] == "failed"
        assert shown["error"]["message"] == f"xend died at '{step}'; undone"
        assert await world.snapshot() == before
        await world.kill_xend()
        await world.start_xend()
        await settled(world)
        assert await world.snapshot() == before
        assert await world.names() == ["bystander"]
        assert await world.backend_state(other, "vif", 0) == b"4"
        await world.create()

    play(body)


def test_a_record_of_an_older_xend_whose_step_had_another_key_is_undone() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        world.on_step = at("domain.create", "write its nodes", kill)
        answer = await world.call("domain.create", text=EXAMPLE, wait_for="accepted")
        await trio.sleep(20)
        record = world.directory / "xend/operations" / answer["operation"]
        fields = unpack(record.read_bytes())
        old = {"claim": "populate"}
        fields["steps"] = [[old.get(key, key), name] for key, name in fields["steps"]]
        assert ["populate", "set memory aside for it"] in fields["steps"]
        record.write_bytes(pack(fields))
        await world.start_xend()
        await settled(world)
        shown = await world.call("operation.show", operation=answer["operation"])
        assert shown["error"]["message"] == "xend died at 'write its nodes'; undone"
        assert await world.snapshot() == before

    play(body)


@pytest.mark.parametrize("step", DESTROY)
def test_xend_killed_while_it_destroys_goes_on_when_it_is_back(step: str) -> None:
    async def body(world: World) -> None:
        await world.connected(await world.create(BYSTANDER), XVDA)
        before = await world.snapshot()
        domid = await world.create()
        await world.connected(domid)
        world.on_step = at("domain.destroy", step, kill)
        await world.call("domain.destroy", domain="example", wait_for="accepted")
        await trio.sleep(20)
        await world.start_xend()
        await settled(world)
        assert await world.snapshot() == before
        await world.kill_xend()
        await world.start_xend()
        await settled(world)
        assert await world.snapshot() == before

    play(body)


@pytest.mark.parametrize("step", RESTART)
def test_xend_killed_while_a_domain_restarts_brings_it_up_when_it_is_back(step: str) -> None:
    async def body(world: World) -> None:
        domid = await world.create()
        await world.connected(domid)
        world.on_step = at("domain.restart", step, kill)
        await world.call("domain.reboot", domain="example")
        await trio.sleep(20)
        await world.start_xend()
        await settled(world)
        (found,) = [each for each in await world.call("domain.list") if each["domid"]]
        assert (found["name"], found["state"]) == ("example", "running")
        assert found["domid"] > domid
        await world.connected(found["domid"])
        await world.call("domain.destroy", domain="example")

    play(body)


@pytest.mark.parametrize("fault", ["never-answer", "jump-states", "hang-shutdown", "flood", "crash-at=12"])
def test_a_guest_that_misbehaves_is_destroyed_and_leaves_nothing(fault: str) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        await world.create(extra=[f'extra="sim={fault}"', 'on_crash="preserve"'])
        await trio.sleep(5)
        await world.call("domain.destroy", domain="example")
        await settled(world)
        assert await world.snapshot() == before

    play(body)


def test_a_backend_that_never_appears_is_named_with_the_time_waited() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        with pytest.raises(XendError) as caught:
            await world.create()
        assert str(caught.value) == (
            "vbd 0x0: its backend is Initialising (1) after 10 s, InitWait (2) was expected "
            "(is the driver xen-blkback in dom0's kernel?)"
        )
        assert caught.value.fields["waited_s"] == 10
        await settled(world)
        assert await world.snapshot() == before

    play(body, backend_faults="never-probe")


def test_a_backend_that_never_closes_does_not_keep_its_domain() -> None:
    async def body(world: World) -> None:
        domid = await world.create()
        await world.connected(domid)
        answer = await world.call("domain.destroy", domain="example")
        assert [warning["device"] for warning in answer["warnings"]] == ["vbd 0x0", "vif 0"]
        for warning in answer["warnings"]:
            assert "10 s after its frontend was taken away, it does not close" in warning["message"]
        assert await world.names() == []

    play(body, backend_faults="never-close")


def test_a_domain_made_while_all_are_looked_at_is_not_taken_for_dead() -> None:
    """The list of domains that the keeper has is old by the time it has it."""

    class SlowToTell(RefusingHypervisor):
        async def domains(self) -> list[DomainInfo]:
            infos = await super().domains()
            await trio.sleep(0.5)
            return infos

    async def body(world: World) -> None:
        await world.kill_xend()
        world.wrap = SlowToTell
        await world.start_xend()
        for name in ("one", "two", "three"):
            world.xend.keeper.look_soon()
            await trio.sleep(0.1)
            await world.create(extra=[f'name="{name}"'])
        await trio.sleep(30)
        assert await world.names() == ["one", "two", "three"]
        assert not any("is gone" in line for line in world.trace)

    play(body)


def test_a_domain_that_cannot_be_looked_at_ends_no_xend() -> None:
    """Its operation was cut off, and has ended: the hypervisor tells nothing for a while after that."""

    class Silent(RefusingHypervisor):
        world: ClassVar[World]

        async def domain(self, domid: int) -> DomainInfo | None:
            operations = self.world.xend.operations.all()
            if trio.current_time() < SPEAKS_AGAIN and all(each.ended.is_set() for each in operations):
                raise HypervisorError(errno.EBUSY, "not now")
            return await super().domain(domid)

    async def body(world: World) -> None:
        await world.create()
        Silent.world = world
        world.on_step = at("device.detach", "vif 0: close its backend", kill)
        await world.call("device.detach", domain="example", kind="vif", device="0", wait_for="accepted")
        await trio.sleep(1)
        world.wrap = Silent
        await world.start_xend()
        await trio.sleep(2 * SPEAKS_AGAIN)
        assert await world.names() == ["example"]
        assert any("cannot be taken up: cannot look at it" in line for line in world.trace)

    play(body, backend_faults="never-close")
