"""Where an hvm domain's disks are emulated beside their paravirtual ends (guests.md 1.2, step 12).

The same bytes twice: the guest unplugs the emulated disk before it takes the other.  A CD drive is emulated
only: no guest's driver takes a paravirtual one of a machine that has another, and an empty one has nothing
that a backend could serve.
"""

from collections.abc import Sequence

import attrs

from xend.config.disk import DiskConfig
from xend.config.problem import Findings
from xend.config.settings import Settings
from xend.config.vdev import vdev_place
from xend.model.part import AHCI, IDE, SCSI

__all__ = ["settled_disks"]

#: How many drives each has.
_PLACES = {IDE: 4, AHCI: 6, SCSI: 7}


def settled_disks(settings: Settings, guest_type: str, devices: Sequence[DiskConfig]) -> Sequence[DiskConfig]:
    """The disks, of an hvm domain with the places where they are emulated.

    Raises:
        ConfigError: two are to be in one place, or one cannot be there as it is to be.
    """
    if guest_type != "hvm":
        return devices
    findings, taken = Findings(), dict[tuple[str, int], DiskConfig]()
    settled = []
    value = settings.value("hdtype")  # what is none of its words is told where that is read
    disks_bus = AHCI if value is not None and value.text == AHCI else IDE
    for disk in devices:
        place = _place(disk, disks_bus)
        if place is None:
            settings.note("disk", f"{disk.vdev} is not emulated: its guest needs a paravirtual driver for it")
        elif place in taken:
            text = f"{disk.vdev} would be emulated where {taken[place].vdev} is; expected another vdev"
            findings.problems += settings.error("disk", text).problems
        elif place[0] != SCSI and not disk.is_cdrom and disk.mode == "r":
            text = (
                f"{disk.vdev} is read only, and there are no such {place[0]} disks; expected a vdev sda to "
                "sdg, or devtype=cdrom"
            )
            findings.problems += settings.error("disk", text).problems
        else:
            taken[place] = disk
        settled.append(attrs.evolve(disk, emulated_at=place))
    findings.check()
    return settled


def _place(disk: DiskConfig, disks_bus: str) -> tuple[str, int] | None:
    """Bus and number; None: nowhere, as its number is too high, it is a part of a disk, or another domain
    has it."""
    found = vdev_place(disk.devid)
    if found is None or found[1] or disk.backend != "0":
        return None
    bus = IDE if disk.is_cdrom else SCSI if disk.vdev.startswith("sd") else disks_bus
    return (bus, found[0]) if found[0] < _PLACES[bus] else None
