"""Another toolstack's domain with the UUID of one that is made: it is refused, and never ended by us."""

import pytest
import trio

from tests.sim.faulty import RefusingHypervisor
from tests.sim.test_faults import settled
from tests.sim.world import EXAMPLE, World, play
from xend.errors import XendError
from xend.hypervisor import Blueprint, DomainInfo, Hypervisor

UUID = "6d4155f3-15e9-4224-878a-25d6a84e867c"
CONFIG = EXAMPLE + f'uuid = "{UUID}"\n'


async def stranger(host: Hypervisor) -> int:
    """The domid of one that somebody else made."""
    return await host.create(Blueprint(uuid=UUID, max_vcpus=1, max_memory_kib=4096))


async def write(world: World, domid: int) -> None:
    """What its toolstack writes first."""
    await world.client.write(f"/local/domain/{domid}/vm", f"/vm/{UUID}")


async def alive(world: World) -> list[int]:
    """The domids of those with the UUID."""
    return [info.domid for info in await world.host.domains() if info.uuid == UUID]


async def use(world: World, hypervisor: RefusingHypervisor) -> None:
    """Have xend use this one."""
    await world.kill_xend()
    world.wrap = lambda inner: hypervisor
    await world.start_xend()


class Racing(RefusingHypervisor):
    """Somebody else makes one just before xend looks at all domains for so many times."""

    looks_left = 0

    async def domains(self) -> list[DomainInfo]:
        self.looks_left -= 1
        if self.looks_left == 0:
            await stranger(self._inner)
        return await super().domains()


@pytest.mark.parametrize("look", [1, 2, 3])
def test_whenever_it_is_made_before_ours_it_is_found_and_left_alone(look: int) -> None:
    """As the call begins, in the step that checks, or in the one that makes the domain."""

    async def body(world: World) -> None:
        hypervisor = Racing(world.host)
        await use(world, hypervisor)
        await trio.sleep(1)
        hypervisor.looks_left = look
        with pytest.raises(XendError, match=f"the UUID {UUID}") as caught:
            await world.create(CONFIG)
        assert caught.value.code == "uuid_in_use"
        await settled(world)
        assert await alive(world) == [1]
        assert await world.names() == ["(null)"]
        await world.host.destroy(1)
        await world.create(CONFIG)

    play(body)


@pytest.mark.parametrize("action", ["restart", "rename-restart", "coredump-restart"])
def test_our_own_earlier_lives_are_no_strangers(action: str) -> None:
    async def body(world: World) -> None:
        domid = await world.create(CONFIG, extra=[f'on_reboot="{action}"'])
        await world.connected(domid)
        await world.call("domain.reboot", domain="example", wait=True)
        await settled(world)
        (found,) = await world.call("domain.list", domain="example")
        assert (found["domid"], found["state"]) == (domid + 1, "running")

    play(body)


class Forgetful(RefusingHypervisor):
    """xend is killed as a domain was made: nobody learns of its domid."""

    world: World

    async def create(self, blueprint: Blueprint) -> int:
        await super().create(blueprint)
        self.world.xend.operations.stop()
        self.world._scope.cancel()
        return await trio.sleep_forever()


async def killed_as_it_creates(world: World, config: str) -> str:
    """Returns the operation; xend is not there."""
    hypervisor = Forgetful(world.host)
    hypervisor.world = world
    await use(world, hypervisor)
    answer = await world.call("domain.create", text=config, wait_for="accepted")
    await trio.sleep(5)
    world.wrap = lambda inner: inner
    return str(answer["operation"])


@pytest.mark.parametrize("config", [EXAMPLE, CONFIG], ids=["chosen", "given"])
def test_what_was_made_without_learning_its_domid_is_ended(config: str) -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        await killed_as_it_creates(world, config)
        assert len(await world.host.domains()) == 2
        await world.start_xend()
        await settled(world)
        assert await world.snapshot() == before

    play(body)


def test_and_not_a_stranger_that_came_meanwhile() -> None:
    async def body(world: World) -> None:
        await killed_as_it_creates(world, CONFIG)
        await write(world, await stranger(world.host))
        assert await alive(world) == [1, 2]
        await world.start_xend()
        await settled(world)
        assert await alive(world) == [2]

    play(body)


def test_of_two_that_nobody_has_written_of_none_is_ended_and_somebody_is_told() -> None:
    async def body(world: World) -> None:
        operation = await killed_as_it_creates(world, CONFIG)
        await stranger(world.host)
        await world.start_xend()
        await settled(world)
        assert await alive(world) == [1, 2]
        shown = await world.call("operation.show", operation=operation)
        assert shown["error"]["message"].endswith("; not all of it could be undone")
        (warning,) = [each["message"] for each in shown["warnings"]]
        assert f"domains 1, 2 have the UUID {UUID}; which of them xend made is not known" in warning

    play(body)


@pytest.mark.parametrize("how", ["destroy", "shutdown", "rename", "lose"])
def test_what_a_stranger_has_put_in_its_place_in_the_store_stays(how: str) -> None:
    """Ours was not ended first, or not by us, as with `xl destroy` and `xl create` of Debian's xl."""

    async def body(world: World) -> None:
        domid = await world.create(CONFIG)
        await world.connected(domid)
        other = await stranger(world.host)
        await world.client.rm(f"/vm/{UUID}")
        await world.client.write(f"/vm/{UUID}/name", "stranger")
        await world.client.set_perms(f"/vm/{UUID}", ["n0", f"r{other}"])
        await write(world, other)
        if how == "rename":
            await world.call("domain.rename", domain="example", name="changed")
        elif how == "lose":
            await world.destroy_behind_back(domid)
        else:
            await world.call(f"domain.{how}", domain="example")
        await trio.sleep(30)
        await settled(world)
        assert await world.client.read(f"/vm/{UUID}/name") == b"stranger"
        assert await world.client.exists(f"/local/domain/{domid}") == (how == "rename")

    play(body)
