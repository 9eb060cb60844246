"""PCI devices of a NetBSD dom0, on a fake that panics where the real kernel does (guests.md 5.6)."""

import pytest
import trio

from tests.sim.test_cards import BACKEND, BARE, FIRST, IOMMU, assignable, connected, fails, nodes, owner
from tests.sim.world import World, play
from xend.errors import XendError

ACCEPTED = "pci_accept = [ 'no-reset' ]\n"


async def on_netbsd(world: World) -> None:
    """xend begins again with NetBSD's ways."""
    await world.kill_xend()
    world.platform = "netbsd"
    await world.start_xend()


def test_hidden_at_boot_given_and_taken_back() -> None:
    async def body(world: World) -> None:
        await on_netbsd(world)
        assert await assignable(world) == ["0000:01:00.0", "0000:01:00.1", "0000:02:00.0"]
        before = await world.snapshot()
        error = await fails(world, "pci = [ '01:00.0' ]\n")
        assert error.message.startswith("pci 0000:01:00.0: dom0's kernel has no way to reset it; ")
        error = await fails(world, f"pci = [ '03:00.0' ]\n{ACCEPTED}")
        assert error.message.endswith("no such PCI device, or it was not hidden at boot")
        assert error.fields["hint"].startswith("pciback.hide=(bb:dd.f) among the arguments of dom0's kernel")
        for _ in range(2):
            domid = await world.create(BARE + f"pci = [ '01:00.*' ]\n{ACCEPTED}")
            await connected(world, domid)
            found = await nodes(world, f"{BACKEND}/{domid}/0")
            assert (found["root-0"], found["root_num"], "vdev-0" in found) == ("0000:01", "1", False)
            access = world.host._domains[domid].access
            assert [list(each.ports) for each in access] == [[(0xE000, 0x20)], [(0xE020, 0x20)]]
            assert [tuple(each.irqs) for each in access] == [(16,), (17,)]
            assert [[tuple(row) for row in each.memory] for each in access] == [
                [(0xF0000, 0x20, 0xF0000)], [(0xF0020, 0x20, 0xF0020)],
            ]  # fmt: skip
            assert owner(world, FIRST) == domid
            await world.call("domain.destroy", domain="bare")  # and dom0's kernel does not panic
            assert owner(world, FIRST) == 0
        assert [line for line in await world.snapshot() if line != BACKEND] == before

    play(body, virt_caps=IOMMU, flavour="netbsd")


def test_nothing_changes_while_it_runs() -> None:
    async def body(world: World) -> None:
        await on_netbsd(world)
        for method, device in (
            ("pci.make_assignable", "03:00.0"),
            ("pci.make_unassignable", "01:00.0"),
        ):
            with pytest.raises(XendError) as caught:
                await world.call(method, device=device)
            assert caught.value.code == "unsupported"
            assert "pciback.hide=" in caught.value.fields["hint"]
        await world.call("pci.make_assignable", device="01:00.0", name="lan")
        domid = await world.create(BARE + f"pci = [ 'name=lan' ]\n{ACCEPTED}")
        await connected(world, domid)

    play(body, virt_caps=IOMMU, flavour="netbsd")


def test_a_guest_that_closes_its_end_takes_the_fake_down() -> None:
    """What documents warn of is what the fake does, so that the tests above can fail."""

    async def body(world: World) -> None:
        await on_netbsd(world)
        domid = await world.create(BARE + f"pci = [ '01:00.0' ]\n{ACCEPTED}")
        await connected(world, domid)
        await world.client.write(f"/local/domain/{domid}/device/pci/0/state", "6")
        await trio.sleep(1)
        assert ["panic" in fault.lower() for fault in world.host.faults] == [True]
        world.host.faults.clear()

    play(body, virt_caps=IOMMU, flavour="netbsd")
