"""Linux's counters, from a directory as sysfs has it."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import trio

from xend.counters import DiskCounters, InterfaceCounters, Place, system_counters
from xend.counters.linux import DEVICES, LinuxCounters

INTERFACE = {
    "rx_bytes": 5400, "rx_packets": 60, "rx_errors": 1, "rx_dropped": 2,
    "tx_bytes": 1 << 40, "tx_packets": 150, "tx_errors": 3, "tx_dropped": 4,
}  # fmt: skip
DISK = {
    "oo_req": 7, "rd_req": 240, "wr_req": 12, "f_req": 3, "ds_req": 0, "rd_sect": 5120, "wr_sect": 96
}  # fmt: skip


def put(directory: Path, values: Mapping[str, object]) -> None:
    directory.mkdir(parents=True)
    for name, value in values.items():
        (directory / name).write_text(f"{value}\n")


async def no_number(place: Place) -> str | None:
    raise AssertionError("Linux needs no device number")


@pytest.mark.trio
async def test_what_backends_have_counted(tmp_path: Path) -> None:
    put(tmp_path / "vif-3-0/net/vif3.0/statistics", INTERFACE)
    put(tmp_path / "vif-3-1/net/my-renamed-if/statistics", {**INTERFACE, "rx_bytes": 9})
    put(tmp_path / "vif-4-0", {})  # its interface is not there yet
    put(tmp_path / "vbd-3-51712/statistics", DISK)
    put(tmp_path / "tap-3-51728/statistics", {**DISK, "rd_req": 1})
    put(tmp_path / "vbd-4-51712", {})  # not connected
    put(tmp_path / "vbd-5-51712/statistics", {**DISK, "wr_req": "none"})
    put(tmp_path / "vkbd-3-0/statistics", DISK)
    put(tmp_path / "console-3-0", {})
    counters = LinuxCounters(tmp_path)
    assert await counters.interfaces() == {
        (3, 0): InterfaceCounters(**INTERFACE),
        (3, 1): InterfaceCounters(**{**INTERFACE, "rx_bytes": 9}),
    }
    disk = {"out_of_requests": 7, "writes": 12, "read_sectors": 5120, "written_sectors": 96}
    assert await counters.disks([(4, 51712)], no_number) == {
        (3, 51712): DiskCounters(**disk, reads=240),
        (3, 51728): DiskCounters(**disk, reads=1),
    }


@pytest.mark.trio
async def test_without_backend_drivers_there_is_nothing(tmp_path: Path) -> None:
    counters = LinuxCounters(tmp_path / "none")
    assert (await counters.interfaces(), await counters.disks([(1, 2)], no_number)) == ({}, {})


def test_this_system() -> None:
    assert isinstance(system_counters("linux"), LinuxCounters)
    assert DEVICES.parts[:3] == ("/", "sys", "bus")


@pytest.mark.trio
async def test_files_are_read_in_a_thread_and_others_go_on(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(LinuxCounters(tmp_path).interfaces)
        nursery.start_soon(LinuxCounters(tmp_path).disks, [], no_number)
