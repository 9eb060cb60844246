"""The columns: width, text and order of each, as Xen's xentop has them (docs/man/xentop.1)."""

from __future__ import annotations

from math import log10

from xenclient.cli.top.figures import folded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from xenclient.cli.top.figures import Figures

    #: Width of each column.
    Widths = Sequence[int]

#: How much of a name there is room for, in bytes.
NAME_BYTES = 10
UNKNOWN = "-"


class Column:
    """One column.

    Attributes:
        title: in the header.
        text: what stands in a domain's row, not yet as wide as the column.
        order: what rows are sorted by, downward; but NAME upward.
        widens: it is as wide as its widest text in this look.
        weight: on a narrow screen those of the least weight are left out.
    """

    def __init__(
        self,
        title: str,
        width: int,
        text: Callable[[Figures], str],
        order: Callable[[Figures], Any],
        weight: int,
        widens: bool = False,
    ) -> None:
        self.title = title
        self.width = width
        self.text = text
        self.order = order
        self.weight = weight
        self.widens = widens


def _number(
    title: str, width: int, of: Callable[[Figures], int], weight: int, widens: bool = False
) -> Column:
    return Column(title, width, lambda row: str(of(row)), of, weight, widens)


def _disk(title: str, width: int, counter: str, weight: int, widens: bool = True) -> Column:
    def text(row: Figures) -> str:
        found = row.disk_sum(counter)
        return UNKNOWN if found is None else str(found)

    return Column(title, width, text, lambda row: row.disk_sum(counter) or 0, weight, widens)


COLUMNS = (
    Column("NAME", NAME_BYTES, lambda row: row.name, lambda row: folded(row.name), 100),
    Column("STATE", 6, lambda row: row.state, lambda row: _letters(row.state), 90),
    _number("CPU(sec)", 10, lambda row: row.cpu_seconds, 60),
    Column("CPU(%)", 6, lambda row: f"{row.cpu_percent:.1f}", lambda row: row.cpu_percent, 95),
    _number("MEM(k)", 10, lambda row: row.memory_kib, 85),
    Column("MEM(%)", 6, lambda row: f"{row.memory_percent:.1f}", lambda row: row.memory_kib, 80),
    Column(
        "MAXMEM(k)",
        10,
        lambda row: "no limit" if row.max_memory_kib is None else str(row.max_memory_kib),
        lambda row: float("inf") if row.max_memory_kib is None else row.max_memory_kib,
        50,
    ),
    Column(
        "MAXMEM(%)",
        9,
        lambda row: "n/a" if row.max_memory_kib is None else f"{row.max_memory_percent:.1f}",
        lambda row: float("inf") if row.max_memory_kib is None else row.max_memory_kib,
        20,
    ),
    _number("VCPUS", 5, lambda row: row.vcpus, 75),
    _number("NETS", 4, lambda row: len(row.vifs), 30),
    _number("NETTX(k)", 8, lambda row: row.network_kib("tx_bytes"), 70, widens=True),
    _number("NETRX(k)", 8, lambda row: row.network_kib("rx_bytes"), 70, widens=True),
    _number("VBDS", 4, lambda row: len(row.vbds), 30),
    _disk("VBD_OO", 8, "out_of_requests", 10, widens=False),
    _disk("VBD_RD", 8, "reads", 40),
    _disk("VBD_WR", 8, "writes", 40),
    _disk("VBD_RSECT", 10, "read_sectors", 65),
    _disk("VBD_WSECT", 10, "written_sectors", 65),
    _number("SSID", 4, lambda row: row.ssid, 5),
)
NAME, STATE = COLUMNS[0], COLUMNS[1]


def _letters(state: str) -> tuple[bool, ...]:
    return tuple(letter != "-" for letter in state)


def widths(rows: Iterable[Figures], columns: Sequence[Column] = COLUMNS) -> list[int]:
    """How wide each column is for these rows."""
    found = list(rows)
    return [
        max([column.width, *(_room(column.text(row)) for row in found)]) if column.widens else column.width
        for column in columns
    ]


def _room(text: str) -> int:
    """How wide xentop has a column for a number: it counts the digits of the next one, by a logarithm."""
    return len(text) if text == UNKNOWN else int(log10(float(int(text) + 1))) + 1


def ordered(rows: Iterable[Figures], by: Column, dom0_first: bool) -> list[Figures]:
    """Downward, but names and, among equals, numbers of domains upward."""
    found = sorted(rows, key=lambda row: row.domid)
    found.sort(key=by.order, reverse=by is not NAME)
    if dom0_first:
        found.sort(key=lambda row: row.domid != 0)
    return found
