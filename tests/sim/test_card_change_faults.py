"""PCI devices that come and go while something goes wrong: hostile guests, cards that vanish, two at once."""

from contextlib import suppress
from typing import Any

import pytest
import trio

from tests.sim.test_card_change import EMPTY, WITH_ONE, attach, detach, had
from tests.sim.test_cards import (
    BACKEND,
    FIRST,
    IOMMU,
    SECOND,
    board,
    connected,
    make_assignable,
    nodes,
    owner,
)
from tests.sim.world import World, play
from xend.errors import XendError
from xend.hypervisor.control import QUARANTINE


def test_a_guest_that_jumps_between_states() -> None:
    """Whatever it answers, each call ends in time, and by force a card is taken from it."""

    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "01:00.1")
        domid = await world.create(WITH_ONE + "extra = 'sim=jump-states'\n")
        for _ in range(3):
            began = world.now()
            for change in (attach, detach):
                with suppress(XendError):
                    await change(world, "01:00.1")
                assert (owner(world, SECOND) == domid) == ("0000:01:00.1" in dict(await had(world)))
            assert world.now() - began < 120
        if "0000:01:00.1" in dict(await had(world)):
            await detach(world, "01:00.1", force=True)
        await detach(world, "01:00.0", force=True)
        assert (owner(world, FIRST), owner(world, SECOND)) == (QUARANTINE, QUARANTINE)
        assert all(not each.memory for each in world.host._domains[domid].access)

    play(body, virt_caps=IOMMU)


def test_two_domains_want_one_card() -> None:
    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0")
        names = ("b1", "b2", "b3")
        domids = [await world.create(EMPTY.replace("bare", name)) for name in names]
        await trio.sleep(3)
        outcome: list[str] = []

        async def want(name: str) -> None:
            try:
                await world.call("pci.attach", domain=name, spec="01:00.0")
                outcome.append("done")
            except XendError as error:
                outcome.append(error.code)

        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(want, name)
        assert sorted(outcome) == ["busy", "busy", "done"]
        lists = [await had(world, name) for name in names]
        assert [owner(world, FIRST) == domid for domid in domids] == [bool(each) for each in lists]

    play(body, virt_caps=IOMMU)


@pytest.mark.parametrize("text", [EMPTY, WITH_ONE])
def test_cancelled_while_the_guest_is_waited_for(text: str) -> None:
    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "01:00.1")
        await world.create(text)
        await trio.sleep(3)
        before = await had(world)
        operation = (await attach(world, "01:00.1", wait_for="accepted"))["operation"]
        await trio.sleep(1)
        await world.call("operation.cancel", operation=operation)
        with pytest.raises(XendError) as caught:
            await world.call("operation.wait", operation=operation)
        assert caught.value.code == "cancelled"
        assert await had(world) == before
        assert owner(world, SECOND) == QUARANTINE

    faults = "never-probe" if text == EMPTY else "never-reconfigure"
    play(body, virt_caps=IOMMU, backend_faults=faults)


def test_a_card_that_vanishes_or_cannot_be_reset_leaves_all_the_same() -> None:
    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "01:00.1")
        domid = await world.create(WITH_ONE)
        await connected(world, domid)
        await attach(world, "01:00.1")
        board(world).break_reset(SECOND)
        answer = await detach(world, "01:00.1")
        assert [each["message"] for each in answer["warnings"]] == [
            "PCI device 0000:01:00.1: cannot reset it"
        ]
        board(world).vanish(FIRST)
        await detach(world, "01:00.0")
        assert await had(world) == []
        assert set(await nodes(world, "/libxl/pci/0000-01-00-0")) == {"driver_path"}
        assert all(not each.memory for each in world.host._domains[domid].access)

    play(body, virt_caps=IOMMU)


def test_a_backend_that_does_not_close() -> None:
    """The last device is taken from its guest all the same, if that is asked for."""

    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0")
        domid = await world.create(WITH_ONE)
        await connected(world, domid)
        with pytest.raises(XendError) as caught:
            await detach(world, "01:00.0")
        assert caught.value.code == "device_failed"
        assert owner(world, FIRST) == domid
        answer = await detach(world, "01:00.0", force=True)
        assert "does not close" in answer["warnings"][0]["message"]
        assert owner(world, FIRST) == QUARANTINE
        assert not await world.client.exists(f"{BACKEND}/{domid}/0")

    play(body, virt_caps=IOMMU, backend_faults="never-close")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("", "expected an address as in 0000:01:00.0"),
        (["01:00.0", "permissive"], 'found "permissive"'),
        ("01:00.0,x=1", 'found "x="'),
        ("name=a/b", "name must have no /"),
        ("01:00.0@20", "expected a hexadecimal number up to 1f"),
        ("01:00.0,accept=all", "expected one of no-iommu"),
        ("\u00e9" * 5, "expected an address"),
    ],
)
def test_bad_words(spec: Any, said: str) -> None:
    async def body(world: World) -> None:
        await world.create(EMPTY)
        for change in (attach, detach):
            with pytest.raises(XendError) as caught:
                await change(world, spec)
            assert caught.value.code == "bad_config"
            assert said in caught.value.message

    play(body, virt_caps=IOMMU)
