"""PCI devices of the host in domains: given as they are made, refused, taken back."""

from contextlib import suppress
from typing import Any

import pytest
import trio

from tests.sim.world import Killed, World, play
from xend.errors import XendError
from xend.hypervisor.control import QUARANTINE
from xend.pci.address import Address
from xend.simulator.card import CARDS, Card
from xend.simulator.card_board import CardBoard

BARE = 'name = "bare"\nkernel = "/netbsd"\nmemory = 64\n'
FIRST, SECOND, OTHER = Address(0, 1, 0, 0), Address(0, 1, 0, 1), Address(0, 2, 0, 0)
#: A host with an IOMMU.
IOMMU = ("pv", "hvm", "hap", "pv_directio", "hvm_directio")
BACKEND = "/local/domain/0/backend/pci"


def board(world: World) -> CardBoard:
    return CardBoard(world.directory / "sim", world.hardware.flavour)


def owner(world: World, address: Address) -> int:
    return world.host.cards.owner(address.number)


async def nodes(world: World, directory: str) -> dict[str, str]:
    names = await world.client.directory(directory)
    return {name: (await world.client.read(f"{directory}/{name}")).decode() for name in names}


async def assignable(world: World) -> list[str]:
    return [each["address"] for each in await world.call("pci.assignable")]


async def make_assignable(world: World, *devices: str, **more: Any) -> None:
    for device in devices:
        await world.call("pci.make_assignable", device=device, **more)


async def fails(world: World, text: str, method: str = "domain.create", **more: Any) -> XendError:
    """Why it is refused; nothing is left of it."""
    before = await world.snapshot()
    with pytest.raises(XendError) as caught:
        await world.call(method, **({"text": BARE + text} if method == "domain.create" else {}), **more)
    assert await world.snapshot() == before
    return caught.value


async def connected(world: World, domid: int) -> None:
    async def is_connected() -> bool:
        return await world.backend_state(domid, "pci", 0) == b"4"

    await world.until(is_connected)


def test_a_card_from_dom0_to_a_domain_and_back() -> None:
    async def body(world: World) -> None:
        assert await assignable(world) == []
        before = await world.snapshot()
        await make_assignable(world, "01:00.0", name="lan")
        assert await world.call("pci.assignable") == [{"address": "0000:01:00.0", "name": "lan"}]
        assert owner(world, FIRST) == QUARANTINE
        note = "/libxl/pci/0000-01-00-0"
        assert await nodes(world, note) == {
            "driver_path": str(board(world).sysfs / "drivers/igb"), "name": "lan",
        }  # fmt: skip
        domid = await world.create(BARE + "pci = [ '0000:01:00.0@5,permissive=1' ]\n")
        await connected(world, domid)
        front, back = f"/local/domain/{domid}/device/pci/0", f"{BACKEND}/{domid}/0"
        found = await nodes(world, back)
        assert found == {
            "frontend": front, "frontend-id": str(domid), "online": "1", "state": "4",
            "key-0": "0000:01:00.0", "dev-0": "0000:01:00.0", "vdevfn-0": "28",
            "opts-0": "msitranslate=0,power_mgmt=0,permissive=1,rdm_policy=strict", "state-0": "3",
            "num_devs": "1", "vdev-0": "0000:00:00.00", "root-0": "0000:00", "root_num": "1",
        }  # fmt: skip
        guest = await nodes(world, front)
        assert {key: guest[key] for key in ("backend", "backend-id", "state", "magic")} == {
            "backend": back, "backend-id": "0", "state": "4", "magic": "7",
        }  # fmt: skip
        assert owner(world, FIRST) == domid
        (access,) = world.host._domains[domid].access
        assert (access.ports, access.irqs) == ([(0xE000, 0x20)], (16,))
        assert list(access.memory) == [(0xF0000, 0x20, 0xF0000)]
        assert board(world).resets(FIRST) == 1
        assert "0000:01:00.0" in (board(world).sysfs / "drivers/pciback/permissive").read_text()
        assert await world.call("pci.list", domain="bare") == [
            {"address": "0000:01:00.0", "slot": 5, "function": 0, "state": "3"}
        ]
        await world.call("domain.destroy", domain="bare")
        assert owner(world, FIRST) == QUARANTINE
        assert board(world).resets(FIRST) == 2
        assert set(await nodes(world, note)) == {"driver_path", "name"}
        await world.call("pci.make_unassignable", device="lan", rebind=True)
        assert owner(world, FIRST) == 0
        assert (board(world).sysfs / "drivers/igb/0000:01:00.0").is_symlink()
        assert await assignable(world) == []
        assert [line for line in await world.snapshot() if line != BACKEND] == before

    play(body, virt_caps=IOMMU)


def test_all_functions_and_items_by_name_are_one_device() -> None:
    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "01:00.1")
        await make_assignable(world, "02:00.0", name="old")
        domid = await world.create(BARE + "pci = [ 'name=old', '01:00.*' ]\npci_accept = [ 'no-reset' ]\n")
        await connected(world, domid)
        listed = await world.call("pci.list", domain=domid)
        assert [each["address"] for each in listed] == ["0000:02:00.0", "0000:01:00.0", "0000:01:00.1"]
        found = await nodes(world, f"{BACKEND}/{domid}/0")
        assert (found["num_devs"], found["name-0"], found["state-2"]) == ("3", "old", "3")
        assert {owner(world, each) for each in (FIRST, SECOND, OTHER)} == {domid}
        (device,) = await world.call("device.list", domain="bare")
        assert (device["kind"], device["name"]) == ("pci", "pci 0")
        # The next life has them again.
        await world.call("domain.reboot", domain="bare", wait=True)
        await trio.sleep(5)
        await connected(world, domid + 1)
        assert {owner(world, each) for each in (FIRST, SECOND, OTHER)} == {domid + 1}

    play(body, virt_caps=IOMMU)


REFUSED = [
    ("'01:00.1'", "wrong_state", "pci 0000:01:00.1: it is not assignable, dom0's driver igb has it"),
    ("'03:00.0'", "no_such_device", "pci 0000:03:00.0: this host has no such PCI device"),
    ("'name=x'", "no_such_device", "pci name=x: no PCI device has this name"),
    ("'01:00.*'", "wrong_state", "pci 0000:01:00.1: it is not assignable, dom0's driver igb has it"),
    ("'01:00.0', '01:00.*'", "bad_config", "pci 0000:01:00.*: function 0000:01:00.0 is there already"),
    ("'02:00.0'", "unsupported",
     "pci 0000:02:00.0: dom0's kernel has no way to reset it; what its last user left in the device is there "
     "for the next one, and may go on working"),
]  # fmt: skip


def test_what_is_refused() -> None:
    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "02:00.0")
        for items, code, message in REFUSED:
            error = await fails(world, f"pci = [ {items} ]\n")
            assert (error.code, error.message) == (code, message)
        await world.create(BARE + "pci = [ '01:00.0' ]\n")
        for method, more in (
            ("domain.create", {"text": BARE.replace("bare", "b2") + "pci = [ '01:00.0' ]\n"}),
            ("pci.make_unassignable", {"device": "01:00.0"}),
        ):
            with pytest.raises(XendError) as caught:
                await world.call(method, **more)
            assert (caught.value.code, caught.value.message) == (
                "busy", "PCI device 0000:01:00.0 is in bare (domain 1)",
            )  # fmt: skip

    play(body, virt_caps=IOMMU)


def test_without_an_iommu_it_has_to_be_asked_for() -> None:
    async def body(world: World) -> None:
        result = await world.call("pci.make_assignable", device="01:00.0")
        assert "nothing keeps it from the host's memory" in result["warnings"][0]["message"]
        error = await fails(world, "pci = [ '01:00.0' ]\n")
        assert (error.code, error.message) == (
            "unsupported",
            "pci 0000:01:00.0: this host has no IOMMU that is on: pv_directio is not among the virt_caps of "
            "xl info; without an IOMMU its guest reads and writes all of the host's memory by the device",
        )
        assert error.fields["hint"].startswith("accept=no-iommu in its item, or pci_accept = [ 'no-iommu' ]")
        domid = await world.create(BARE + "pci = [ '01:00.0,accept=no-iommu' ]\n")
        await connected(world, domid)
        await world.call("domain.destroy", domain="bare")
        assert await assignable(world) == ["0000:01:00.0"]

    play(body)


def test_seized_from_dom0s_driver() -> None:
    async def body(world: World) -> None:
        domid = await world.create(BARE + "pci = [ '01:00.0' ]\npci_seize = 1\n")
        await connected(world, domid)
        assert await assignable(world) == ["0000:01:00.0"]
        await world.call("domain.destroy", domain="bare")
        await world.call("pci.make_unassignable", device="01:00.0", rebind=True)
        assert (board(world).sysfs / "drivers/igb/0000:01:00.0").is_symlink()

    play(body, virt_caps=IOMMU)


def test_a_card_that_fails_while_it_is_given() -> None:
    """Whatever fails, the domain is not made, and the card is assignable still."""

    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0", "01:00.1")
        before = await world.snapshot()
        board(world).break_reset(SECOND)
        error = await fails(world, "pci = [ '01:00.0', '01:00.1' ]\n")
        assert (error.code, error.fields["step"]) == (
            "device_failed",
            "pci 0: give it the host's PCI devices",
        )
        assert error.message == "PCI device 0000:01:00.1: cannot reset it"
        assert (owner(world, FIRST), owner(world, SECOND)) == (QUARANTINE, QUARANTINE)
        board(world).vanish(SECOND)
        assert (await fails(world, "pci = [ '01:00.0', '01:00.1' ]\n")).code == "no_such_device"
        assert await world.snapshot() == before

    play(body, virt_caps=IOMMU)


def test_a_card_that_vanishes_from_under_its_domain() -> None:
    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0")
        domid = await world.create(BARE + "pci = [ '01:00.0' ]\n")
        await connected(world, domid)
        board(world).vanish(FIRST)
        await world.call("domain.destroy", domain="bare")
        assert set(await nodes(world, "/libxl/pci/0000-01-00-0")) == {"driver_path"}
        assert not await world.client.exists(f"{BACKEND}/{domid}")

    play(body, virt_caps=IOMMU)


@pytest.mark.parametrize("words", ["never-probe", "error=cannot export"])
def test_a_backend_that_does_not_come(words: str) -> None:
    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0")
        before = await world.snapshot()
        with pytest.raises(XendError) as caught:
            await world.create(BARE + "pci = [ '01:00.0' ]\n")
        assert (caught.value.code, caught.value.fields["step"]) == (
            "device_failed",
            "pci 0: wait for its backend",
        )
        assert caught.value.fields["hint"] == "is the driver xen-pciback in dom0's kernel?"
        assert caught.value.fields.get("cause") == (None if words == "never-probe" else "22 cannot export")
        error = "/local/domain/0/error"  # the kernel's own
        after = [line for line in await world.snapshot() if line != BACKEND and not line.startswith(error)]
        assert after == before
        assert owner(world, FIRST) == QUARANTINE

    play(body, virt_caps=IOMMU, backend_faults=words)


def test_killed_at_each_step_nothing_keeps_a_card() -> None:
    """xend is killed as it gives the card, and as it takes it back."""

    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0")
        before = await world.snapshot()
        for key in ("pci/0.give", "pci/0.add", "pci/0.await-backend", "start"):

            def on_step(operation: Any, key: str = key) -> None:
                if operation.kind.name == "domain.create" and operation.steps[operation.step].key == key:
                    world.on_step = lambda operation: None
                    raise Killed

            world.on_step = on_step
            world.soon(_attempt, world)
            await trio.sleep(20)
            await world.start_xend()
            await trio.sleep(20)
            assert [line for line in await world.snapshot() if line != BACKEND] == before, key
            assert owner(world, FIRST) == QUARANTINE

    play(body, virt_caps=IOMMU)


async def _attempt(world: World) -> None:
    with suppress(XendError):
        await world.create(BARE + "pci = [ '01:00.0' ]\n")


def test_a_dead_domain_keeps_nothing() -> None:
    """One that was destroyed behind xend's back, and a note of one that is long gone."""

    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0")
        await world.client.write("/libxl/pci/0000-01-00-0/domid", "77")
        domid = await world.create(BARE + "pci = [ '01:00.0' ]\n")
        await connected(world, domid)
        await world.destroy_behind_back(domid)
        await trio.sleep(20)
        assert set(await nodes(world, "/libxl/pci/0000-01-00-0")) == {"driver_path"}
        await world.create(BARE + "pci = [ '01:00.0' ]\n")

    play(body, virt_caps=IOMMU)


@pytest.mark.parametrize(
    "forged", ["/etc/passwd", "/sys/bus/pci/drivers/../../../etc", "drivers/igb/../pciback", "", "x"]
)
def test_a_forged_driver_path_is_not_written_to(forged: str) -> None:
    async def body(world: World) -> None:
        await make_assignable(world, "01:00.0")
        path = forged if forged[:1] in ("/", "") else str(board(world).sysfs / forged)
        await world.client.write("/libxl/pci/0000-01-00-0/driver_path", path)
        error = await fails(world, "", "pci.make_unassignable", device="01:00.0", rebind=True)
        assert error.code == "device_failed"
        assert error.message.startswith(f"{path!r} is no driver of dom0's kernel below ")
        assert await assignable(world) == ["0000:01:00.0"]

    play(body, virt_caps=IOMMU)


def test_what_is_no_device() -> None:
    async def body(world: World) -> None:
        for device, more, code in (
            ("03:00.0", {}, "no_such_device"),
            ("lan", {}, "no_such_device"),
            ("01:00.*", {}, "bad_request"),
            ("01:00.0", {"name": "a/b"}, "bad_request"),
            ("01:00.0", {"name": "x" * 65}, "bad_request"),
        ):
            error = await fails(world, "", "pci.make_assignable", device=device, **more)
            assert error.code == code, device
        await make_assignable(world, "01:00.0", name="lan")
        error = await fails(world, "", "pci.make_assignable", device="01:00.1", name="lan")
        assert error.code == "name_in_use"
        again = await world.call("pci.make_assignable", device="01:00.0")
        assert again["warnings"][0]["message"] == "PCI device 0000:01:00.0 is assignable already"
        absent = await world.call("pci.make_unassignable", device="02:00.0")
        assert absent["warnings"][0]["message"] == "PCI device 0000:02:00.0 is not assignable"

    play(body, virt_caps=IOMMU)


def test_an_interrupt_line_that_dom0_uses_as_well_is_told() -> None:
    """Not one of a device that interrupts by messages, or that no driver of dom0's has."""
    others = [Card(address=Address(0, 3, number, 0), driver="ahci", irq=16) for number in range(3)]
    spare = Card(address=Address(0, 4, 0, 0), driver="", irq=16, bios_irq=16)

    async def body(world: World) -> None:
        devices = board(world).sysfs / "devices"
        (devices / "0000:03:00.0/msi_irqs").mkdir()
        (devices / "0000:03:00.0/msi_irqs/40").touch()
        (devices / "0000:03:01.0/msi_irqs").mkdir()  # a driver that has taken none
        await make_assignable(world, "01:00.0", "01:00.1")
        done = await world.call("domain.create", text=BARE + "pci = [ '01:00.0', '01:00.1' ]\n")
        (warning,) = done["warnings"]
        assert (
            "0000:01:00.0: its interrupt line 16 is that of 0000:03:01.0 (ahci) and 0000:03:02.0 (ahci)"
            in (warning["message"])
        )

    play(body, virt_caps=IOMMU, cards=(*CARDS, *others, spare))
