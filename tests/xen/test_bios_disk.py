"""The disk of a fully virtualised guest: what a BIOS, GRUB and the guest find on it."""

import struct
import subprocess
from pathlib import Path

import pytest

from tests.xen import bios_disk
from tests.xen.bios_disk import ARGUMENTS, BEGIN, LENGTH, SECTOR

pytestmark = [pytest.mark.xen, pytest.mark.long]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """One of its own."""
    copy = tmp_path / "disk.img"
    copy.write_bytes(bios_disk.build().read_bytes())
    return copy


def sector(disk: Path, number: int) -> bytes:
    return disk.read_bytes()[number * SECTOR :][:SECTOR]


def test_a_bios_finds_a_boot_sector_and_one_partition(disk: Path) -> None:
    first = sector(disk, 0)
    assert first[510:] == b"\x55\xaa"
    assert struct.unpack_from("<B7xII", first, 446) == (0x80, BEGIN, LENGTH - BEGIN)
    assert disk.stat().st_size == LENGTH * SECTOR


def test_its_boot_sector_loads_the_next_which_knows_where_the_rest_is(disk: Path) -> None:
    """Offsets of GRUB 2.06: the first has a sector's number, the second a list that ends it."""
    assert struct.unpack_from("<Q", sector(disk, 0), 0x5C) == (1,)
    begin, count = struct.unpack_from("<QH", sector(disk, 1), SECTOR - 12)
    assert begin == 2
    assert 0 < count < ARGUMENTS - 2
    assert not any(sector(disk, begin + count))


def test_the_partition_is_sound_and_has_what_the_menu_names(disk: Path) -> None:
    partition = disk.with_name("partition.img")
    partition.write_bytes(disk.read_bytes()[BEGIN * SECTOR :])
    subprocess.run(["/usr/sbin/e2fsck", "-fn", partition], check=True, capture_output=True)
    listed = subprocess.run(
        ["/usr/sbin/debugfs", "-R", "ls -p /", partition], check=True, capture_output=True, text=True
    ).stdout
    for name in ("vmlinuz", "initrd.img", "grub.cfg"):
        assert f"/{name}/" in listed


def test_what_the_kernel_is_told_is_one_sector_of_text(disk: Path) -> None:
    told = bios_disk.tell(str(disk), "quiet xen_emul_unplug=never")
    before = disk.read_bytes()
    subprocess.run(["sh", "-c", told], check=True)
    after = disk.read_bytes()
    assert sector(disk, ARGUMENTS).rstrip(b"\n") == b'set arguments="quiet xen_emul_unplug=never"'
    at = ARGUMENTS * SECTOR
    assert (after[:at], after[at + SECTOR :]) == (before[:at], before[at + SECTOR :])
