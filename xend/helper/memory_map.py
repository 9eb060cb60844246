"""Memory maps that domains see: rows of (start, size, type), in bytes, by rising start (E820)."""

from collections.abc import Iterable, Iterator, Sequence

RAM, RESERVED, ACPI, UNUSABLE = 1, 2, 3, 5

Row = tuple[int, int, int]

FOUR_GIB = 1 << 32
_PAGE = 4096
#: Where the memory of a PVH domain has its hole, up to 4 GiB (domain-build.md 1, step 8).
PVH_HOLE = 0xFC000000
#: The pages with which store, console and Xen's own work are done: where and how large.
_SPECIAL = (0xFEFF8000, 8 * _PAGE, RESERVED)
#: The end of the first MiB, which every guest has by itself.
_LOW = 0x100000


def of_pvh(low_end: int, high_end: int, tables: Iterable[tuple[int, int]]) -> list[Row]:
    """A PVH domain's.

    Args:
        low_end: where its memory below 4 GiB ends.
        high_end: where that above 4 GiB ends; 0: it has none.
        tables: address and size of each piece of ACPI tables, perhaps in its memory.
    """
    pages = [_pages(address, size) for address, size in tables]
    rows: list[Row] = [(start, end - start, RAM) for start, end in _without(0, low_end, pages)]
    rows += [(start, end - start, ACPI) for start, end in pages]
    rows.append(_SPECIAL)
    if high_end > FOUR_GIB:
        rows.append((FOUR_GIB, high_end - FOUR_GIB, RAM))
    return sorted(rows)


def of_machine(low_end: int, high_end: int) -> list[Row]:
    """An HVM domain's, whose firmware knows of its first MiB: the ends are as those of `of_pvh`."""
    rows: list[Row] = [(_LOW, low_end - _LOW, RAM)]
    if high_end > FOUR_GIB:
        rows.append((FOUR_GIB, high_end - FOUR_GIB, RAM))
    return rows


def of_host(machine: Sequence[Row], memory_kib: int, max_memory_kib: int) -> list[Row]:
    """A paravirtual domain's that has the host's holes (`e820_host`): its own memory ends where the first of
    them begins and goes on after the last one, and what is the host's memory between is nobody's.

    Args:
        machine: the host's.
    """
    rows = [row for row in machine if row[0] > _LOW and row[1] > 0 and row[2] != UNUSABLE]
    holes = [row for row in rows if row[2] != RAM]
    size = memory_kib * 1024
    low_end = min([size, *(start for start, _, _ in holes)])
    after = max([FOUR_GIB, *(start + length for start, length, _ in holes)])
    mapped: list[Row] = [(0, low_end, RAM), *holes, *_unusable(rows, low_end)]
    rest = size - low_end + (max_memory_kib - memory_kib) * 1024
    if rest:
        mapped.append((after, rest, RAM))
    return sorted(mapped)


def _unusable(rows: Iterable[Row], low_end: int) -> Iterator[Row]:
    """The host's memory below 4 GiB that lies beyond the domain's."""
    for start, length, kind in rows:
        first, end = max(start, low_end), start + length
        if kind == RAM and start < FOUR_GIB and end > first:
            yield first, end - first, UNUSABLE


def _pages(address: int, size: int) -> tuple[int, int]:
    """The range of whole pages."""
    return address // _PAGE * _PAGE, -(-(address + size) // _PAGE) * _PAGE


def _without(start: int, end: int, holes: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for first, last in sorted(holes):
        if first >= end:
            break
        if first > start:
            yield start, first
        start = max(start, last)
    if start < end:
        yield start, end
