"""Two domains of one UUID: a checkpoint that is restored under another name while the first lives."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.sim.test_faults import at, kill, settled
from tests.sim.test_save import refused
from tests.sim.world import EXAMPLE, Killed, World, play
from xend.hypervisor import Blueprint

UUID = "11111111-2222-3333-4444-555555555555"
FIRST = EXAMPLE.replace("/disk.img,0x0,w!", "/a.img,0x0,w") + f'uuid = "{UUID}"\n'
SECOND = FIRST.replace('"example"', '"copy"').replace("/a.img", "/b.img")


def both(body: Callable[[World, str], Awaitable[None]], tmp_path: Path) -> None:
    """In a world with the first domain running and its checkpoint in a file."""

    async def main(world: World) -> None:
        for name in ("a.img", "b.img"):
            (world.directory / "root" / name).write_text("x")
        domid = await world.create(FIRST)
        await world.connected(domid)
        file = str(tmp_path / "saved")
        await world.call("domain.save", domain="example", file=file, checkpoint=True)
        await body(world, file)

    play(main)


async def restore(world: World, file: str, text: str = SECOND, **how: Any) -> Any:
    return await world.call("domain.restore", file=file, text=text, **how)


async def rows(world: World) -> list[tuple[str, str, str]]:
    found = await world.call("domain.list")
    return [(each["name"], each["uuid"], each["state"]) for each in found if each["domid"] != 0]


async def nodes(world: World) -> dict[str, bytes]:
    """By the name of each domain of the store, the UUID that stands where its node `vm` leads."""
    found = {}
    for domid in await world.client.directory("/local/domain"):
        if domid != "0":
            top = f"/local/domain/{domid}"
            name = (await world.client.read(f"{top}/name")).decode()
            vm = (await world.client.read(f"{top}/vm")).decode()
            assert await world.client.read(f"{vm}/name") == name.encode()
            found[name] = await world.client.read(f"{vm}/uuid")
    return found


RUNNING = [("example", UUID, "running"), ("copy", UUID, "running")]


def test_both_live_and_each_ends_alone(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        made = await restore(world, file)
        assert (made["name"], made["uuid"]) == ("copy", UUID)
        assert await rows(world) == RUNNING
        await world.connected(made["domid"])
        assert await nodes(world) == {"example": UUID.encode(), "copy": UUID.encode()}
        config = (await world.call("domain.config", domain="copy"))["config"]
        assert config["c_info"]["uuid"] == UUID
        # Who names the UUID means the first.
        assert (await world.call("domain.list", domain=UUID))[0]["name"] == "example"
        await world.call("domain.destroy", domain="example")
        assert await nodes(world) == {"copy": UUID.encode()}
        assert await rows(world) == RUNNING[1:]
        await world.call("domain.reboot", domain="copy", wait=True)
        await settled(world)
        assert await rows(world) == RUNNING[1:]
        await world.call("domain.destroy", domain="copy")
        assert await world.client.directory("/vm") == []

    both(body, tmp_path)


def test_the_second_goes_first(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        for _ in range(2):
            await restore(world, file)
            await world.call("domain.shutdown", domain="copy", wait=True)
            await settled(world)
            assert await rows(world) == RUNNING[:1]
            assert await nodes(world) == {"example": UUID.encode()}
        # What it asks for later is done: nobody took its end for the other's.
        await world.call("domain.reboot", domain="example", wait=True)
        await settled(world)
        assert await rows(world) == RUNNING[:1]

    both(body, tmp_path)


def test_they_are_worked_on_at_the_same_time(tmp_path: Path) -> None:
    """Nor is one of them held up by a lock of the other's."""

    async def body(world: World, file: str) -> None:
        await restore(world, file)
        async with trio.open_nursery() as nursery:
            for name in ("example", "copy"):
                nursery.start_soon(partial(world.call, "domain.shutdown", domain=name, wait=True))
        await settled(world)
        assert await rows(world) == []

    both(body, tmp_path)


def test_what_stays_refused(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        await refused(world, "name_in_use", "exists already", "domain.restore", file=file)
        same_disk = SECOND.replace("/b.img", "/a.img")
        await refused(
            world, "busy", "domain example writes to it", "domain.restore", file=file, text=same_disk
        )
        await restore(world, file)
        await refused(world, "uuid_in_use", UUID, "domain.create", text=SECOND.replace('"copy"', '"third"'))
        third = SECOND.replace('"copy"', '"third"')
        await refused(world, "busy", "domain copy writes to it", "domain.restore", file=file, text=third)
        assert await rows(world) == RUNNING

    both(body, tmp_path)


def test_they_have_the_same_addresses_unless_told_otherwise(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        (warning,) = (await restore(world, file))["warnings"]
        assert "copy and example, a copy of which it is, both have 00:16:3e:" in warning["message"]
        await world.call("domain.destroy", domain="copy")
        other = SECOND.replace("bridge=bridge0", "bridge=bridge0,mac=00:16:3e:00:00:99")
        assert (await restore(world, file, other))["warnings"] == []

    both(body, tmp_path)


def test_one_that_is_being_saved_keeps_its_disks_until_it_is_gone(tmp_path: Path) -> None:
    """Its backend may still write: who restores it, under whatever name, waits for its end."""

    async def body(world: World, file: str) -> None:
        await world.call("domain.save", domain="example", file=file, wait_for="accepted")
        text = FIRST.replace('"example"', '"moved"')
        assert (await restore(world, file, text))["name"] == "moved"
        assert await rows(world) == [("moved", UUID, "running")]
        assert await world.client.directory("/vm") == [UUID]

    both(body, tmp_path)


def test_another_xend_knows_both(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        await restore(world, file)
        await world.kill_xend()
        await world.start_xend()
        assert await rows(world) == RUNNING
        other = str(tmp_path / "other")
        await world.call("domain.save", domain="copy", file=other)
        assert await rows(world) == RUNNING[:1]
        await world.call("domain.restore", file=other)
        assert await rows(world) == RUNNING
        await world.call("domain.destroy", domain="example")
        await world.call("domain.save", domain="copy", file=other)
        # Alone it has the UUID for itself.
        await world.call("domain.restore", file=other)
        assert await world.client.directory("/vm") == [UUID]

    both(body, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "step", ["create an empty domain", "write its nodes", "restore its memory", "start it"]
)
def test_xend_is_killed_while_it_restores_the_second(tmp_path: Path, step: str) -> None:
    """Of the first nothing is touched."""

    async def body(world: World, file: str) -> None:
        world.on_step = at("domain.restore", step, kill, "copy")
        await restore(world, file, wait_for="accepted")
        await trio.sleep(3)
        await world.start_xend()
        await settled(world)
        assert await rows(world) == (RUNNING if step == "start it" else RUNNING[:1])
        assert len(await world.host.domains()) == 1 + len(await rows(world))
        if step != "start it":
            await restore(world, file)
        assert await rows(world) == RUNNING

    both(body, tmp_path)


def test_xend_is_killed_as_the_hypervisor_makes_the_second(tmp_path: Path) -> None:
    """Its domid was not learnt: it is not taken for the first, which has the same UUID."""

    async def body(world: World, file: str) -> None:
        create = world.host.create

        async def made(blueprint: Any) -> int:
            await create(blueprint)
            raise Killed

        world.host.create = made  # type: ignore[method-assign]
        await restore(world, file, wait_for="accepted")
        await trio.sleep(1)
        world.host.create = create  # type: ignore[method-assign]
        await world.kill_xend()
        await world.start_xend()
        await settled(world)
        assert await rows(world) == RUNNING[:1]
        assert len(await world.host.domains()) == 2

    both(body, tmp_path)


def test_a_stranger_with_its_uuid_is_no_copy_of_ours(tmp_path: Path) -> None:
    async def body(world: World, file: str) -> None:
        await world.call("domain.destroy", domain="example")
        stranger = await world.host.create(Blueprint(uuid=UUID, max_vcpus=1, max_memory_kib=4096))
        await refused(world, "uuid_in_use", UUID, "domain.restore", file=file, text=SECOND)
        assert [info.domid for info in await world.host.domains()] == [0, stranger]

    both(body, tmp_path)
