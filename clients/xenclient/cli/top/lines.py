"""The lines for programs: what xentop 4.17 prints with -b, as bytes."""

from __future__ import annotations

import sys

from xenclient.cli.top.columns import COLUMNS, NAME, NAME_BYTES, widths
from xenclient.cli.top.figures import in_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from xenclient.cli.top.choices import Choices
    from xenclient.cli.top.figures import Figures

#: How many virtual CPUs stand in a line.
VCPUS_IN_A_LINE = 5
#: On Linux a disk's number is its major and minor, too.
HAS_MAJORS = sys.platform.startswith("linux")


class Lines:
    """Makes the lines of one look after another.

    Attributes:
        name_bytes: how wide names are; with full names as wide as the longest was that has been shown.
    """

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self.name_bytes = NAME_BYTES

    def of(self, rows: Iterable[Figures]) -> bytes:
        """All lines of a look; domains without a name are none for programs."""
        named = in_order((row for row in rows if row.name != "(null)"), self._choices.dom0_first)
        if self._choices.full_name:
            self.name_bytes = max([self.name_bytes, *(len(_bytes(row.name)) for row in named)])
        wide = [self.name_bytes, *widths(named)[1:]]
        header = _line([_bytes(column.title) for column in COLUMNS], wide)
        found = [header]
        for place, row in enumerate(named):
            if self._choices.repeat_header and place:
                found.append(header)
            found.append(_line([self._cell(row, column) for column in COLUMNS], wide))
            found += [_bytes(line + "\n") for line in details(row, self._choices)]
        return b"".join(found)

    def _cell(self, row: Figures, column: object) -> bytes:
        if column is NAME:
            return _bytes(row.name)[: self.name_bytes]
        return _bytes(column.text(row))  # type: ignore[attr-defined]


def details(row: Figures, choices: Choices) -> Iterator[str]:
    """The lines below a domain's row."""
    if choices.vcpus:
        yield from _vcpu_lines(row.vcpu_times)
    if choices.networks:
        counted = [vif for vif in row.vifs if vif is not None]
        for number, vif in enumerate(counted):
            yield f"Net{number} RX: {_directed(vif, 'rx')}  TX: {_directed(vif, 'tx')}"
    if choices.vbds:
        for number, vbd in row.vbds:
            yield _disk_line(number, vbd)


def _vcpu_lines(times: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    line = "VCPUs(sec): "
    for vcpu in times:
        if vcpu["number"] and vcpu["number"] % VCPUS_IN_A_LINE == 0 and vcpu["online"]:
            yield line
            line = " " * 8
        if vcpu["online"]:
            line += f" {vcpu['number']:2}: {vcpu['cpu_time_ns'] // 1_000_000_000:10}s"
    yield line


def _directed(vif: Mapping[str, int], way: str) -> str:
    counters = (("bytes", "bytes"), ("packets", "pkts"), ("errors", "err"), ("dropped", "drop"))
    return " ".join(f"{vif[f'{way}_{counter}']:8}{unit}" for counter, unit in counters)


def _disk_line(number: int, vbd: Mapping[str, int | None] | None) -> str:
    majors = f"[{number >> 8:2x}:{number & 0xFF:2x}] " if HAS_MAJORS else ""
    counters = (("OO", "out_of_requests", 8), ("RD", "reads", 8), ("WR", "writes", 8))
    sectors = (("RSECT", "read_sectors", 10), ("WSECT", "written_sectors", 10))
    cells = [
        f"{title}: {'-' if vbd is None else vbd[counter] or 0:>{wide}}"
        for title, counter, wide in (*counters, *sectors)
    ]
    return f"VBD BlkBack {number:4} {majors} " + "   ".join(cells)


def _line(cells: Iterable[bytes], wide: Iterable[int]) -> bytes:
    return b" ".join(cell.rjust(width) for cell, width in zip(cells, wide, strict=True)) + b"\n"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
