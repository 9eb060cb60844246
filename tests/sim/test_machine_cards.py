"""PCI devices of the host in hvm domains: their device model shows them, and the IOMMU guards the others."""

from contextlib import suppress
from typing import Any

import pytest
import trio

from tests.sim.test_card_change import had
from tests.sim.test_cards import BACKEND, FIRST, IOMMU, OTHER, SECOND, make_assignable, nodes, owner
from tests.sim.test_cards_netbsd import on_netbsd
from tests.sim.test_device_model import kill_at
from tests.sim.test_faults import settled
from tests.sim.test_hvm import example, words_of
from tests.sim.test_hvm_changes import machine
from tests.sim.world import World, play
from xend.errors import XendError
from xend.hypervisor.control import QUARANTINE

WITH_ONE = "pci = [ '01:00.0@5,permissive=1' ]"
NAME = "pci-pt-0000_01_00.0"


async def refused(world: World, method: str, **more: Any) -> XendError:
    """Why; nothing is changed."""
    await trio.sleep(5)
    before = await world.snapshot()
    with pytest.raises(XendError) as caught:
        await world.call(method, **more)
    await settled(world)
    assert await world.snapshot() == before
    return caught.value


def told(error: XendError) -> str:
    return f"{error.message}; {error.fields.get('cause')}; {error.fields.get('hint')}"


def test_a_card_is_shown_by_the_device_model() -> None:
    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0")
        before = await world.snapshot()
        domid = await world.create(example(world, WITH_ONE))
        assert machine(world).cards == {NAME: "5.0"}
        assert "-chroot" not in words_of(world)
        found = await nodes(world, f"{BACKEND}/{domid}/0")
        assert (found["dev-0"], found["vdevfn-0"], found["state"], found["state-0"]) == (
            "0000:01:00.0", "28", "3", "3",
        )  # fmt: skip
        assert owner(world, FIRST) == domid
        (access,) = world.host._domains[domid].access
        assert not access.is_mapped
        assert await world.call("pci.list", domain="example") == [
            {"address": "0000:01:00.0", "slot": 5, "function": 0, "state": "3"}
        ]
        error = await refused(world, "domain.save", domain="example", file="/tmp/none/saved")
        assert "has PCI devices of the host, whose state cannot be saved" in error.message
        await world.call("domain.reboot", domain="example", wait=True)
        await settled(world)
        assert owner(world, FIRST) == domid + 1
        assert machine(world).cards == {NAME: "5.0"}
        await world.call("domain.destroy", domain="example")
        await settled(world)
        assert owner(world, FIRST) == QUARANTINE
        assert [line for line in await world.snapshot() if line != BACKEND] == before

    play(body, virt_caps=IOMMU)


def test_functions_come_and_go_while_it_runs() -> None:
    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "01:00.1", "02:00.0")
        more = f"{WITH_ONE}\npci_accept = [ 'no-reset' ]"
        domid = await world.create(example(world, more))
        await world.call("pci.attach", domain="example", spec="01:00.1")
        await world.call("pci.attach", domain="example", spec="02:00.0,accept=no-reset")
        assert await had(world, "example") == [
            (f"0000:0{each}", "3") for each in ("1:00.0", "1:00.1", "2:00.0")
        ]
        assert len(machine(world).cards) == 3
        await world.call("pci.detach", domain="example", spec="01:00.0")
        assert await had(world, "example") == [("0000:01:00.1", "3"), ("0000:02:00.0", "3")]
        assert (owner(world, FIRST), owner(world, SECOND), owner(world, OTHER)) == (QUARANTINE, domid, domid)
        await world.call("pci.detach", domain="example", spec="02:00.0")
        await world.call("pci.detach", domain="example", spec="01:00.1")
        assert (await had(world, "example"), machine(world).cards) == ([], {})
        assert not await world.client.exists(f"{BACKEND}/{domid}/0")
        await world.call("pci.attach", domain="example", spec="01:00.0")
        assert await had(world, "example") == [("0000:01:00.0", "3")]

    play(body, virt_caps=IOMMU)


def test_all_functions_of_a_device_are_one_slot_of_the_machine() -> None:
    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "01:00.1")
        await world.create(example(world, "pci = [ '01:00.*@7' ]"))
        assert machine(world).cards == {"pci-pt-0000_01_00.1": "7.1", NAME: "7.0"}

    play(body, virt_caps=IOMMU)


@pytest.mark.parametrize(
    ("more", "sim", "caps", "said"),
    [
        ("pci_accept = [ 'no-iommu' ]", "", ("pv", "hvm", "hap"),
         "pci 0000:01:00.0: this host has no IOMMU that is on"),
        ("maxmem = 128", "", IOMMU, "Xen gives none to one that begins with less"),
        ("dm_restrict = 0", "no-cards", IOMMU, "Failed to open 0000:01:00.0"),
        ("vnc = 0", "lie", IOMMU, "query-pci: it has not taken 0000:01:00.0"),
        ("vnc = 0", "nonsense", IOMMU, "does not answer as it should"),
    ],
)  # fmt: skip
def test_what_is_refused(more: str, sim: str, caps: tuple[str, ...], said: str) -> None:
    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0")
        error = await refused(world, "domain.create", text=example(world, f"{WITH_ONE}\n{more}", sim))
        assert said in told(error)
        assert owner(world, FIRST) == QUARANTINE if "pv_directio" in caps else True

    play(body, virt_caps=caps)


def test_netbsd_has_none_for_machines() -> None:
    async def body(world: World) -> None:
        await on_netbsd(world)
        error = await refused(world, "domain.create", text=example(world, "pci = [ '01:00.0' ]"))
        assert "finds them in Linux's sysfs" in error.message

    play(body, virt_caps=IOMMU, flavour="netbsd")


def test_a_device_model_that_has_given_up_its_rights_takes_none() -> None:
    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0")
        await world.create(example(world, "passthrough = 'enabled'"))
        error = await refused(world, "pci.attach", domain="example", spec="01:00.0")
        assert "has given up its rights, and opens no PCI devices any more" in error.message
        assert owner(world, FIRST) == QUARANTINE

    play(body, virt_caps=IOMMU)


@pytest.mark.parametrize("force", [False, True])
def test_a_guest_that_does_not_let_go_keeps_it(force: bool) -> None:
    """By force, too: the next domain would share its registers."""

    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0")
        domid = await world.create(example(world, WITH_ONE, "keeps-cards"))
        error = await refused(world, "pci.detach", domain="example", spec="01:00.0", force=force)
        assert "the guest of example did not let go of PCI device 0000:01:00.0 within 10 s" in error.message
        assert owner(world, FIRST) == domid
        await world.call("domain.destroy", domain="example")
        await settled(world)
        assert owner(world, FIRST) == QUARANTINE

    play(body, virt_caps=IOMMU)


def test_a_driver_of_an_old_kernel_takes_no_more() -> None:
    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "01:00.1")
        await world.create(example(world, WITH_ONE))
        error = await refused(world, "pci.attach", domain="example", spec="01:00.1")
        assert "dom0's driver does nothing within" in error.message
        assert machine(world).cards == {NAME: "5.0"}
        assert owner(world, SECOND) == QUARANTINE

    play(body, virt_caps=IOMMU, backend_faults="never-reconfigure")


KILLED = [
    *(("pci.attach", key, False) for key in ("give", "put-in", "append", "remember")),
    *(("pci.detach", key, True) for key in ("take-out", "let-go", "take-back", "drop", "forget")),
]


def test_xend_is_killed_at_each_step() -> None:
    """An attach is undone, a detach goes on."""

    async def attempt(world: World, method: str) -> None:
        with suppress(XendError):
            await world.call(method, domain="example", spec="01:00.1")

    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "01:00.1")
        domid = await world.create(example(world, WITH_ONE))
        for method, key, is_there in KILLED:
            if is_there:
                await world.call("pci.attach", domain="example", spec="01:00.1")
            kill_at(world, method, f"pci/0.{key}")
            world.soon(attempt, world, method)
            await trio.sleep(20)
            await world.start_xend()
            await trio.sleep(30)
            assert await had(world, "example") == [("0000:01:00.0", "3")], key
            assert (owner(world, FIRST), owner(world, SECOND)) == (domid, QUARANTINE), key
            assert machine(world).cards == {NAME: "5.0"}, key

    play(body, virt_caps=IOMMU)
