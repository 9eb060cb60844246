"""Disks of a whole machine that its guest would have twice for good."""

import pytest

from tests.sim.test_hvm import example
from tests.sim.world import World, play

AHCI = 'hdtype = "ahci"'
#: Which QEMU there is, what the configuration says, and which disks are warned of.
CASES = {
    "not unplugged": ((7, 2), AHCI, ["vbd hda"]),
    "not quite": ((8, 1), AHCI, ["vbd hda"]),
    "unplugged": ((8, 2), AHCI, []),
    "newer": ((10, 0), AHCI, []),
    "it does not say": (None, AHCI, ["vbd hda"]),
    "ide": ((7, 2), "", []),
    "scsi": ((7, 2), f"{AHCI}\ndisk = [ 'file:/disk.img,sda,w!' ]", []),
    "two": (
        (7, 2),
        f"{AHCI}\ndisk = [ 'file:/disk.img,hda,w!', 'file:/other.img,hdb,w' ]",
        ["vbd hda", "vbd hdb"],
    ),
    "unknown to its guest": ((7, 2), f"{AHCI}\nxen_platform_pci = 0", []),
}


@pytest.mark.parametrize("case", CASES)
def test_both_are_told(case: str) -> None:
    version, more, disks = CASES[case]

    async def body(world: World) -> None:
        (world.directory / "root/other.img").write_bytes(bytes(512))
        world.models.qemu = version
        text = example(world, more)
        checked = await world.call("config.check", text=text, name="h.cfg")
        created = await world.call("domain.create", text=text)
        for answer in (checked, created):
            found = [each for each in answer["warnings"] if "has it twice" in each["message"]]
            assert [each["device"] for each in found] == disks
            assert all("leave hdtype out" in each["hint"] for each in found)

    play(body)
