"""What stands on the screen: a pure function of figures, of what was chosen, and of the screen's size."""

from __future__ import annotations

import unicodedata

from xenclient.cli.top.columns import COLUMNS, NAME, ordered, widths
from xenclient.cli.top.host_cpus import table
from xenclient.cli.top.lines import details

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from xenclient.cli.top.columns import Column
    from xenclient.cli.top.figures import Figures
    from xenclient.cli.top.view import View

    #: Pieces of a line from the left: text, and how it looks.
    Line = list[tuple[str, str]]

#: How a piece looks.
PLAIN, REVERSE, BOLD, HEADER, ACTIVE = "plain", "reverse", "bold", "header", "active"
#: Lines above and below the domains.
HEAD, FOOT = 4, 1
#: The letters of a state, and what a domain is counted as: the first of these that it is.
COUNTED = (("r", "running"), ("b", "blocked"), ("p", "paused"), ("s", "shutdown"), ("c", "crashed"))
DYING = "dying"
#: What stands before the key's letter and behind it, and the choice that it toggles.
KEYS = (
    ("", "D", "elay", ""),
    ("", "N", "etworks", "networks"),
    ("v", "B", "ds", "vbds"),
    ("", "V", "CPUs", "vcpus"),
    ("", "R", "epeat header", "repeat_header"),
    ("", "F", "ull names", "full_name"),
    ("", "S", "ort order", ""),
    ("", "Q", "uit", ""),
)


def frame(
    rows: Sequence[Figures],
    host: Mapping[str, Any],
    view: View,
    height: int,
    width: int,
    clock: str,
    busy: Sequence[float] | None = None,
) -> list[Line]:
    """The lines, at most `height`, none wider than `width`.

    Args:
        host: as stats.list tells of it.
        clock: the time of the day of these figures.
        busy: how busy each CPU of the host is, in percent; None: that is not shown.
    """
    shown = ordered(rows, view.sort, view.choices.dom0_first)
    columns = visible(shown, view, width)
    body = [*_body(shown[view.scrolled(len(shown)) :], columns, view)]
    body += [[(text, PLAIN)] for text in ([] if busy is None else table(busy))]
    room = max(0, height - HEAD - FOOT)
    lines = [*_head(shown, host, view, clock), _header(columns, view), *_first(body, room)]
    lines = lines[: max(0, height - FOOT)]
    lines += [[] for _ in range(height - FOOT - len(lines))]
    return [_cut(line, width) for line in (*lines, _foot(view))][:height]


def visible(rows: Sequence[Figures], view: View, width: int) -> list[tuple[Column, int]]:
    """The columns that there is room for, and how wide each is."""
    wide = widths(rows)
    if view.choices.full_name:
        wide[0] = max([wide[0], *(columns_of(row.name) for row in rows)])
    every = list(zip(COLUMNS, wide, strict=True))
    if view.shift:
        return _fitting([every[0], *every[1 + view.shift :]], width)
    while len(every) > 1 and sum(each + 1 for _, each in every) - 1 > width:
        every.remove(min(reversed(every), key=lambda pair: pair[0].weight))
    return every


def columns_of(text: str) -> int:
    """How many columns of a terminal it takes."""
    return sum(map(_columns_of_character, text))


def _columns_of_character(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _fitting(every: Iterable[tuple[Column, int]], width: int) -> list[tuple[Column, int]]:
    found: list[tuple[Column, int]] = []
    used = -1
    for column, wide in every:
        used += wide + 1
        if found and used > width:
            break
        found.append((column, wide))
    return found


def _head(rows: Sequence[Figures], host: Mapping[str, Any], view: View, clock: str) -> Iterator[Line]:
    version = f"{host['xen_major']}.{host['xen_minor']}{host['xen_extra']}"
    first: Line = [(f"xentop - {clock}   Xen {version}", PLAIN)]
    if view.trouble:
        first += [("   ", PLAIN), (view.trouble, REVERSE)]
    yield first
    yield [(_summary(rows), PLAIN)]
    total, free = host["total_memory_kib"], host["free_memory_kib"]
    memory = f"Mem: {total}k total, {total - free}k used, {free}k free"
    yield [(f"{memory}    CPUs: {host['nr_cpus']} @ {host['cpu_khz'] // 1000}MHz", PLAIN)]


def _summary(rows: Sequence[Figures]) -> str:
    words = [word for _, word in COUNTED] + [DYING]
    counts = dict.fromkeys(words, 0)
    for row in rows:
        is_what = next((word for letter, word in COUNTED if letter in row.state), DYING)
        if is_what is not DYING or "d" in row.state:
            counts[is_what] += 1
    return f"{len(rows)} domains: " + ", ".join(f"{counts[word]} {word}" for word in words)


def _header(columns: Sequence[tuple[Column, int]], view: View) -> Line:
    line: Line = []
    for column, wide in columns:
        looks = BOLD if column is view.sort else HEADER
        line += [(" " if line else "", HEADER), (_right(column.title, wide), looks)]
    return line


def _body(rows: Sequence[Figures], columns: Sequence[tuple[Column, int]], view: View) -> Iterator[Line]:
    for place, row in enumerate(rows):
        if view.choices.repeat_header and place:
            yield _header(columns, view)
        line: Line = []
        for column, wide in columns:
            looks = BOLD if column is view.sort and column is not NAME else PLAIN
            line += [(" " if line else "", PLAIN), (_right(column.text(row), wide), looks)]
        yield line
        for text in details(row, view.choices):
            yield [(text, PLAIN)]


def _first(lines: Iterable[Line], number: int) -> Iterator[Line]:
    for _, line in zip(range(number), lines, strict=False):
        yield line


def _foot(view: View) -> Line:
    if view.prompt is not None:
        return [(f"Seconds between two looks, now {view.choices.delay_s:g}: {view.prompt}", PLAIN)]
    line: Line = []
    for before, hot, rest, choice in KEYS:
        is_active = bool(choice) and getattr(view.choices, choice)
        line += [("  " + before, PLAIN), (hot, REVERSE), (rest, ACTIVE if is_active else PLAIN)]
    return line


def _right(text: str, width: int) -> str:
    """At the right of a column, its end cut off where it is wider."""
    while columns_of(text) > width:
        text = text[:-1]
    return " " * (width - columns_of(text)) + text


def _cut(line: Line, width: int) -> Line:
    found: Line = []
    for text, looks in line:
        kept = text
        while columns_of(kept) > width:
            kept = kept[:-1]
        width -= columns_of(kept)
        if kept:
            found.append((kept, looks))
    return found
