"""PCI devices of the host that come into a domain while it runs, and leave it."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import trio

from tests.sim.test_cards import (
    BACKEND,
    BARE,
    FIRST,
    IOMMU,
    OTHER,
    SECOND,
    assignable,
    connected,
    fails,
    make_assignable,
    nodes,
    owner,
)
from tests.sim.test_cards_netbsd import on_netbsd
from tests.sim.world import Killed, World, play
from xend.errors import XendError
from xend.hypervisor.control import QUARANTINE
from xend.pci.address import Address
from xend.simulator.card import Card

WITH_ONE = BARE + "pci = [ '01:00.0' ]\n"
EMPTY = BARE + "passthrough = 'enabled'\n"


async def had(world: World, domain: str = "bare") -> list[tuple[str, str]]:
    """The functions of a domain, and the state of each."""
    return [(each["address"], each["state"]) for each in await world.call("pci.list", domain=domain)]


async def attach(world: World, spec: Any, **more: Any) -> Any:
    return await world.call("pci.attach", domain="bare", spec=spec, **more)


async def detach(world: World, spec: Any, **more: Any) -> Any:
    return await world.call("pci.detach", domain="bare", spec=spec, **more)


async def refused(world: World, verb: str, spec: Any, **more: Any) -> Any:
    return await fails(world, "", f"pci.{verb}", domain="bare", spec=spec, **more)


async def reboots(world: World, domid: int) -> int:
    await world.call("domain.reboot", domain="bare", wait=True)
    await trio.sleep(5)
    await connected(world, domid + 1)
    return domid + 1


def frames(world: World, domid: int) -> list[int]:
    """The first frames of the memory that a domain may touch."""
    return sorted(row[0] for access in world.host._domains[domid].access for row in access.memory)


def test_more_come_and_go() -> None:
    """All three, by address, by name and by all functions; the configuration follows over each reboot."""

    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "01:00.1")
        await make_assignable(world, "02:00.0", name="old")
        domid = await world.create(WITH_ONE)
        await connected(world, domid)
        answer = await attach(world, "01:00.1@6,permissive=1")
        assert answer["functions"] == ["0000:01:00.1"]
        found = await nodes(world, f"{BACKEND}/{domid}/0")
        assert (found["num_devs"], found["state"], found["state-1"], found["vdevfn-1"]) == (
            "2",
            "4",
            "3",
            "30",
        )
        assert found["opts-1"] == "msitranslate=0,power_mgmt=0,permissive=1,rdm_policy=strict"
        assert "vdev-1" in found
        assert (await nodes(world, f"/local/domain/{domid}/device/pci/0"))["state"] == "4"
        await attach(world, ["old", "accept=no-reset"])
        assert (await nodes(world, f"{BACKEND}/{domid}/0"))["name-2"] == "old"
        assert {owner(world, each) for each in (FIRST, SECOND, OTHER)} == {domid}
        domid = await reboots(world, domid)
        assert [each[0] for each in await had(world)] == ["0000:01:00.0", "0000:01:00.1", "0000:02:00.0"]
        assert {owner(world, each) for each in (FIRST, SECOND, OTHER)} == {domid}
        # What leaves is not the last of the row: those behind it move up, with all of their keys.
        assert (await detach(world, "0000:01:00.0"))["functions"] == ["0000:01:00.0"]
        assert await had(world) == [("0000:01:00.1", "3"), ("0000:02:00.0", "3")]
        found = await nodes(world, f"{BACKEND}/{domid}/0")
        assert (found["num_devs"], found["vdev-0"], found["name-1"]) == ("2", "0000:00:01.00", "old")
        assert not [key for key in found if key.endswith("-2")]
        assert (owner(world, FIRST), owner(world, SECOND)) == (QUARANTINE, domid)
        assert frames(world, domid) == [0xF0020, 0xF1000]
        assert set(await nodes(world, "/libxl/pci/0000-01-00-0")) == {"driver_path"}
        await detach(world, "name=old")
        assert await had(world) == [("0000:01:00.1", "3")]
        domid = await reboots(world, domid)
        assert await had(world) == [("0000:01:00.1", "3")]

    play(body, virt_caps=IOMMU)


def test_the_first_comes_and_the_last_leaves_and_comes_back() -> None:
    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "01:00.1")
        domid = await world.create(EMPTY)
        await trio.sleep(3)
        before = await world.snapshot()
        for spec in ("01:00.0", "01:00.*", "01:00.0"):
            await attach(world, spec)
            await connected(world, domid)
            assert {each[1] for each in await had(world)} == {"3"}
            assert owner(world, FIRST) == domid
            steps = (await detach(world, spec, dry_run=True))["steps"]
            assert steps[:2] == ["pci 0: close its backend", "pci 0: remove its nodes"]
            await detach(world, spec)
            assert owner(world, FIRST) == QUARANTINE
            assert await had(world) == []
            assert [line for line in await world.snapshot() if line != BACKEND] == before
        await attach(world, "01:00.0")
        domid = await reboots(world, domid)
        assert await had(world) == [("0000:01:00.0", "3")]

    play(body, virt_caps=IOMMU)


def test_one_of_all_functions_leaves() -> None:
    """The others are in the next life, with what was said of all."""

    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "01:00.1")
        domid = await world.create(BARE + "pci = [ '01:00.*@5,permissive=1,rdm_policy=relaxed' ]\n")
        await connected(world, domid)
        await detach(world, "01:00.0")
        domid = await reboots(world, domid)
        assert await had(world) == [("0000:01:00.1", "3")]
        opts = (await nodes(world, f"{BACKEND}/{domid}/0"))["opts-0"]
        assert opts == "msitranslate=0,power_mgmt=0,permissive=1,rdm_policy=relaxed"

    play(body, virt_caps=IOMMU)


def test_what_is_refused() -> None:
    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "02:00.0")
        domid = await world.create(WITH_ONE)
        await connected(world, domid)
        for verb, spec, code, message in (
            ("attach", "01:00.0", "busy", "PCI device 0000:01:00.0 is in bare (domain 1)"),
            ("attach", "01:00.1", "wrong_state",
             "pci 0000:01:00.1: it is not assignable, dom0's driver igb has it"),
            ("attach", "02:00.0", "unsupported",
             "pci 0000:02:00.0: dom0's kernel has no way to reset it; what its last user left in the device "
             "is there for the next one, and may go on working"),
            ("attach", "lan", "no_such_device", "pci name=lan: no PCI device has this name"),
            ("attach", "01:00.9", "bad_config", None),
            ("detach", "01:00.9", "bad_config", None),
            ("detach", "02:00.0", "no_such_device", "bare has no PCI device 0000:02:00.0"),
            ("detach", "lan", "no_such_device", "bare has no PCI device lan"),
        ):  # fmt: skip
            error = await refused(world, verb, spec)
            assert error.code == code
            assert message in (error.message, None)
        assert error.fields["hint"] == "it has: 0000:01:00.0"
        world.host.cards.assign(domid, OTHER.number)  # another toolstack's doing
        error = await refused(world, "attach", "02:00.0,accept=no-reset")
        assert (error.code, error.message) == (
            "busy", "pci 0000:02:00.0: Xen says that it cannot be given to a domain",
        )  # fmt: skip

    play(body, virt_caps=IOMMU)


def test_a_domain_that_began_without_an_iommu_has_none() -> None:
    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0")
        await world.create(BARE)
        await trio.sleep(3)
        error = await refused(world, "attach", "01:00.0")
        assert error.code == "hypervisor_failed"
        assert "passthrough = 'enabled'" in error.fields["hint"]
        assert owner(world, FIRST) == QUARANTINE
        await world.call("domain.destroy", domain="bare")
        await world.create(BARE + "passthrough = 'disabled'\n")
        assert (await refused(world, "attach", "01:00.0")).code == "unsupported"

    play(body, virt_caps=IOMMU)


def test_registers_in_one_page() -> None:
    cards = [
        Card(address=Address(0, 1, 0, 0), memory=[(0xF0000000, 0x400)], irq=16),
        Card(address=Address(0, 2, 0, 0), memory=[(0xF0000800, 0x400)], irq=17),
    ]

    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "02:00.0")
        await world.create(WITH_ONE)
        other = BARE.replace("bare", "b2") + "pci = [ '02:00.0{}' ]\n"
        with pytest.raises(XendError) as caught:
            await world.call("domain.create", text=other.format(""))
        error = caught.value
        assert (error.code, error.message) == (
            "unsupported",
            "pci 0000:02:00.0: registers of it lie in the same page as those of PCI device 0000:01:00.0, "
            "which domain 1 has; both guests reach the registers of both devices that lie in that page",
        )
        await world.call("domain.create", text=other.format(",accept=shared-page"))
        await world.call("domain.destroy", domain="b2")
        await attach(world, "02:00.0")  # both are one domain's

    play(body, virt_caps=IOMMU, cards=cards)


def test_a_guest_that_does_not_answer() -> None:
    """It is paused: what was to come does not, and what was to go stays, unless it is forced."""

    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "01:00.1")
        domid = await world.create(WITH_ONE)
        await connected(world, domid)
        await world.call("domain.pause", domain="bare")
        error = await refused(world, "attach", "01:00.1")
        assert (error.code, error.message) == (
            "device_failed", "pci 0: its backend is Reconfiguring (7) after 10 s, Connected (4) was expected",
        )  # fmt: skip
        assert error.fields["hint"].startswith("its guest has not answered: is it paused?")
        assert owner(world, SECOND) == QUARANTINE
        await world.call("domain.unpause", domain="bare")
        await attach(world, "01:00.1")
        story = await world.call("device.explain", domain="bare", device="pci 0")
        told = [line["text"] for line in story["lines"] if "01:00.1" in line["text"]]
        assert told == [f"0000:01:00.1: not put in: {error.message}", "0000:01:00.1: put in"]
        assert story["error"] is None
        await world.call("domain.pause", domain="bare")
        error = await refused(world, "detach", "01:00.1")
        assert error.code == "device_failed"
        assert await had(world) == [("0000:01:00.0", "3"), ("0000:01:00.1", "3")]
        assert owner(world, SECOND) == domid
        # By force: the driver has no way but to close all of the device, and what stays is put in anew.
        answer = await detach(world, "01:00.1", force=True)
        assert answer["warnings"]
        assert owner(world, SECOND) == QUARANTINE
        assert await had(world) == [("0000:01:00.0", "3")]
        await world.call("domain.unpause", domain="bare")
        await connected(world, domid)
        await attach(world, "01:00.1")
        assert [each[1] for each in await had(world)] == ["3", "3"]
        await world.call("domain.pause", domain="bare")
        assert (await refused(world, "detach", "01:00.*")).message.startswith(
            "pci 0: its guest did not let go"
        )
        await detach(world, "01:00.*", force=True)
        assert (owner(world, FIRST), owner(world, SECOND)) == (QUARANTINE, QUARANTINE)

    play(body, virt_caps=IOMMU)


def test_a_driver_that_does_not_reconfigure() -> None:
    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "01:00.1")
        domid = await world.create(WITH_ONE)
        await connected(world, domid)
        with pytest.raises(XendError, match="its backend is Reconfiguring"):
            await attach(world, "01:00.1")
        await connected(world, domid)
        assert await had(world) == [("0000:01:00.0", "3")]
        assert (owner(world, FIRST), owner(world, SECOND)) == (domid, QUARANTINE)

    play(body, virt_caps=IOMMU, backend_faults="never-reconfigure")


def test_a_driver_that_gives_up() -> None:
    """What it says is quoted, and the card that was there is put in anew."""

    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "01:00.1")
        domid = await world.create(WITH_ONE)
        await connected(world, domid)

        async def give_up() -> None:
            await trio.sleep(1)
            place = f"backend/pci/{domid}/0"
            await world.client.write(f"/local/domain/0/error/{place}/error", "22 cannot export")
            await world.client.write(f"/local/domain/0/{place}/state", "5")

        world.soon(give_up)
        with pytest.raises(XendError) as caught:
            await attach(world, "01:00.1")
        assert caught.value.fields["cause"] == "22 cannot export"
        await connected(world, domid)
        assert await had(world) == [("0000:01:00.0", "3")]
        assert (owner(world, FIRST), owner(world, SECOND)) == (domid, QUARANTINE)

    play(body, virt_caps=IOMMU, backend_faults="never-reconfigure")


KILLED: list[tuple[str, str, bool]] = [
    *(("pci.attach", key, False) for key in ("pci/0.give", "pci/0.append", "pci/0.remember")),
    *(("pci.detach", key, True) for key in ("pci/0.let-go", "pci/0.take-back", "pci/0.drop", "pci/0.forget")),
]


def test_killed_at_each_step() -> None:
    """An attach is undone, a detach goes on."""

    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "01:00.1")
        domid = await world.create(WITH_ONE)
        await connected(world, domid)
        for method, key, is_there in KILLED:
            if is_there:
                await attach(world, "01:00.1")
            world.on_step = _killing(world, method, key)
            world.soon(_attempt, world, method)
            await trio.sleep(20)
            await world.start_xend()
            await trio.sleep(20)
            assert await had(world) == [("0000:01:00.0", "3")], key
            assert (owner(world, FIRST), owner(world, SECOND)) == (domid, QUARANTINE), key
            await connected(world, domid)
        domid = await reboots(world, domid)
        assert await had(world) == [("0000:01:00.0", "3")]

    play(body, virt_caps=IOMMU)


def _killing(world: World, method: str, key: str) -> Callable[[Any], None]:
    def on_step(operation: Any) -> None:
        if operation.kind.name == method and operation.steps[operation.step].key == key:
            world.on_step = lambda operation: None
            raise Killed

    return on_step


async def _attempt(world: World, method: str) -> None:
    with suppress(XendError):
        await world.call(method, domain="bare", spec="01:00.1")


def test_not_on_netbsd() -> None:
    async def body(world: World) -> None:
        await on_netbsd(world)
        domid = await world.create(WITH_ONE + "pci_accept = [ 'no-reset' ]\n")
        await connected(world, domid)
        for verb, spec in (("attach", "01:00.1"), ("detach", "01:00.0")):
            error = await refused(world, verb, spec)
            assert error.code == "unsupported"
            assert "is told of a domain's PCI devices once, as the domain is made" in error.message
        assert len(await assignable(world)) == 3

    play(body, virt_caps=IOMMU, flavour="netbsd")
