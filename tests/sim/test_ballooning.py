"""autoballoon of xl.conf: dom0 gives memory to a domain that needs it, or it is said why not."""

from functools import partial
from typing import Any

import attrs
import pytest
import trio

from tests.sim.test_cpus import refused
from tests.sim.world import World, play
from xend.config.xl_conf import xl_conf_of
from xend.domain.ballooning import balloons, needed_kib

MIB = 1024
#: A host of 1 GiB: dom0 has 256 MiB, Xen 32, and 736 are free.
SMALL: dict[str, Any] = {"memory_kib": 1024 * MIB}
UNTOLD: dict[str, Any] = {**SMALL, "dom0_mem": False}


async def dom0_mib(world: World) -> int:
    return int((await world.call("domain.list", domain=0))[0]["memory_kib"]) >> 10


async def free_mib(world: World) -> int:
    return (await world.host.host_info()).free_memory_kib >> 10


@pytest.mark.parametrize(
    ("autoballoon", "hardware", "is_given"),
    [("auto", UNTOLD, True), ("on", SMALL, True), ("auto", SMALL, False), ("off", UNTOLD, False)],
)
def test_dom0_gives_memory_where_it_is_to(autoballoon: str, hardware: dict[str, Any], is_given: bool) -> None:
    async def body(world: World) -> None:
        world.autoballoon = autoballoon
        make = partial(world.create, extra=["memory=800", "maxmem=800"])
        if not is_given:
            await refused(world, "out_of_memory", "domain.create", text=TEXT.format(800))
            assert await dom0_mib(world) == 256
            return
        domid = await make()
        info = await world.host.domain(domid)
        assert info is not None
        assert info.memory_kib == 800 * MIB
        # 800 MiB, one for its vCPU and 3 for its page tables, and 1 of Xen's: 806 in whole steps of 2.
        config = world.xend.host.domains.all()[0].config
        assert needed_kib(config) == 806 * MIB
        assert await dom0_mib(world) == 256 - (806 - 736)
        assert await world.client.read("/local/domain/0/memory/target") == b"%d" % (186 * MIB)
        await world.call("domain.destroy", domain="example")
        assert await dom0_mib(world) == 186  # what it gave stays given

    play(body, **hardware)


def test_what_there_is_is_taken_first() -> None:
    async def body(world: World) -> None:
        await world.create(extra=["memory=600"])
        assert (await dom0_mib(world), await free_mib(world)) == (256, 136)

    play(body, **UNTOLD)


def test_more_than_dom0_can_give_is_refused_before_anything_is_done() -> None:
    async def body(world: World) -> None:
        before = await world.snapshot()
        error = await refused(world, "out_of_memory", "domain.create", text=TEXT.format(900))
        assert "it needs 900 MiB, 736 MiB are free, and Domain-0 can give up 128" in str(error)
        # What Xen needs beside is known only to who makes room.
        error = await refused(world, "out_of_memory", "domain.create", text=TEXT.format(863))
        assert "Domain-0 would be left with less than 128 MiB" in str(error)
        assert await world.snapshot() == before
        assert await dom0_mib(world) == 256

    play(body, **UNTOLD)


TEXT = 'kernel = "/netbsd"\nname = "large"\nmemory = {}\n'


def test_a_dom0_that_gives_nothing_is_named() -> None:
    async def body(world: World) -> None:
        began = world.now()
        error = await refused(world, "no_answer", "domain.create", text=TEXT.format(800))
        assert (
            error.message == "waited 10 s for Domain-0 to give memory to large: from 256 MiB down to 186 MiB"
        )
        assert "balloon driver" in error.fields["hint"]
        assert error.fields["step"] == "set memory aside for it"
        assert 10 <= world.now() - began < 12
        assert await world.names() == []

    play(body, dom0_balloons=False, **UNTOLD)


def test_two_at_once_do_not_share_what_dom0_gave() -> None:
    async def body(world: World) -> None:
        async def make(name: str) -> None:
            await world.create(extra=[f"name='{name}'", "memory=385", "disk=[]", "vif=[]"])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(make, "one")
            nursery.start_soon(make, "two")
        assert sorted(await world.names()) == ["one", "two"]
        assert await dom0_mib(world) < 256

    play(body, **UNTOLD)


@pytest.mark.parametrize(
    ("command_line", "is_told"),
    [
        ("console=com1", False),
        ("dom0_mem=512M", True),
        ("dom0_mem=1G,max:2G console=vga", True),
        ("console=vga dom0_mem=min:256m,max:10%", True),
        ("dom0_mem=1G+5%,max:50%", True),
        ("dom0_mem=-1G", True),
        ("dom0_mem=", False),
        ("dom0_mem_strict=1", False),
        ("xdom0_mem=512M", False),
    ],
)
def test_dom0_mem_on_the_hypervisors_command_line(command_line: str, is_told: bool) -> None:
    """As the regular expression of xl.c has it."""

    async def body(world: World) -> None:
        info = attrs.evolve(await world.host.host_info(), xen_commandline=command_line)
        assert balloons(world.xend.host, info) is not is_told

    play(body)


def test_without_claims_it_is_the_build_that_fails() -> None:
    """claim_mode=0: nothing is set aside, and the memory that is not there is missed in the middle."""

    async def body(world: World) -> None:
        claimed: list[int] = []
        world.autoballoon = "off"
        claim = world.host.claim

        async def noted(domid: int, memory_kib: int) -> None:
            claimed.append(memory_kib)
            await claim(domid, memory_kib)

        world.host.claim = noted  # type: ignore[method-assign]
        await world.create()
        assert claimed == [64 * MIB]
        world.claims_memory = False
        await world.create(extra=["name='second'", "disk=[]", "vif=[]"])
        assert len(claimed) == 1

    play(body)


def test_what_is_wrong_with_xl_conf_is_a_warning_of_create() -> None:
    async def body(world: World) -> None:
        world.problems = xl_conf_of("autoballoon=7\n", "/etc/xen/xl.conf").problems
        answer = await world.call("domain.create", text=TEXT.format(64))
        (warning,) = answer["warnings"]
        assert warning["message"].startswith("/etc/xen/xl.conf:1: autoballoon = 7: expected")

    play(body)
