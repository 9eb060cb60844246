"""Memory maps: no byte twice, all of a domain's memory, none of it in a hole."""

import pytest

from xend.helper import acpi
from xend.helper.memory_map import ACPI, FOUR_GIB, PVH_HOLE, RAM, RESERVED, UNUSABLE, Row, of_host, of_pvh

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
#: As of a PC with 8 GiB: memory, a reserved piece within, a table, a hole, devices, memory above 4 GiB.
HOST: list[Row] = [
    (0, 0x9FC00, RAM),
    (0xF0000, 0x10000, RESERVED),
    (MIB, 2 * GIB - MIB, RAM),
    (2 * GIB, 16 * MIB, RESERVED),
    (2 * GIB + 16 * MIB, GIB, RAM),
    (3 * GIB + 16 * MIB, MIB, ACPI),
    (0xFEC00000, 0x1000, RESERVED),
    (FOUR_GIB, 5 * GIB, RAM),
]


def check(rows: list[Row]) -> None:
    ends = 0
    for start, size, _ in rows:
        assert size > 0
        assert start >= ends
        ends = start + size


def memory(rows: list[Row], kind: int = RAM) -> int:
    return sum(size for _, size, each in rows if each == kind)


def test_a_pvh_domain() -> None:
    rows = of_pvh(256 * MIB, 0, [(0xFC002000, 36), (0xFC001000, 500)])
    check(rows)
    assert rows == [
        (0, 256 * MIB, RAM),
        (0xFC001000, 4096, ACPI),
        (0xFC002000, 4096, ACPI),
        (0xFEFF8000, 8 * 4096, RESERVED),
    ]


def test_a_pvh_domain_that_reaches_above_the_hole() -> None:
    rows = of_pvh(PVH_HOLE, FOUR_GIB + GIB, [(0xFC001000, 500)])
    check(rows)
    assert rows[-1] == (FOUR_GIB, GIB, RAM)
    assert memory(rows) == PVH_HOLE + GIB


def test_a_root_pointer_below_1_mib_is_taken_out_of_memory() -> None:
    rows = of_pvh(256 * MIB, 0, [(acpi.LOW_ROOT_POINTER, 36), (0xFC001000, 500)])
    check(rows)
    assert rows[:3] == [(0, 0xFF000, RAM), (0xFF000, 4096, ACPI), (MIB, 255 * MIB, RAM)]


@pytest.mark.parametrize(
    ("size", "most"),
    [(512 * MIB, 512 * MIB), (512 * MIB, GIB), (3 * GIB, 3 * GIB), (4 * GIB, 6 * GIB)],
)
def test_the_hosts_holes(size: int, most: int) -> None:
    rows = of_host(HOST, size // KIB, most // KIB)
    check(rows)
    assert memory(rows) == most
    assert rows[0][1] == min(size, 2 * GIB)
    assert {row for row in HOST if row[0] > MIB and row[2] in (RESERVED, ACPI)} <= set(rows)
    assert all(start >= FOUR_GIB for start, _, kind in rows[1:] if kind == RAM)


def test_the_hosts_memory_between_holes_is_nobodys() -> None:
    rows = of_host(HOST, 512 * 1024, 512 * 1024)
    assert memory(rows, UNUSABLE) == GIB
    assert (2 * GIB + 16 * MIB, GIB, UNUSABLE) in rows


@pytest.mark.parametrize("machine", [[], [(0, MIB, RAM)], [(0, 4 * GIB, RAM)]])
def test_a_host_without_holes(machine: list[Row]) -> None:
    rows = of_host(machine, 1024, 2048)
    check(rows)
    assert memory(rows) == 2 * MIB
