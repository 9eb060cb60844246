"""Plain SVG: bars beside a line at 1, and lines over an axis.  No more than the two reports need."""

from collections.abc import Mapping, Sequence
from html import escape
from math import log10

WIDTH = 900
COLOURS = ("#1f6fb4", "#c0392b", "#2e8b57", "#8e6bbf", "#7f8c8d")
_BAR, _GAP, _LABEL = 14, 6, 330


class Canvas:
    """Shapes, one below the other; `svg()` is the file."""

    def __init__(self) -> None:
        self._shapes: list[str] = []
        self.height = 10.0

    def text(self, x: float, y: float, text: str, anchor: str = "start", size: int = 12) -> None:
        self._shapes.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'
        )

    def rect(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        size = f'width="{max(width, 0.5):.1f}" height="{height:.1f}"'
        self._shapes.append(f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{colour}"/>')

    def path(self, points: Sequence[tuple[float, float]], colour: str, width: float = 1.5) -> None:
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._shapes.append(
            f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        )

    def svg(self) -> str:
        size = f'width="{WIDTH}" height="{self.height:.0f}" viewBox="0 0 {WIDTH} {self.height:.0f}"'
        background = f'<rect width="{WIDTH}" height="{self.height:.0f}" fill="#ffffff"/>'
        shapes = "\n".join(self._shapes)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">\n'
            f"{background}\n{shapes}\n</svg>\n"
        )


def bars(canvas: Canvas, title: str, values: Mapping[str, float], marks: Mapping[str, float]) -> None:
    """A bar per value on a logarithmic axis, a line at 1, and a mark where a value ought to be."""
    if not values:
        return
    low = min(0.1, *values.values(), *marks.values())
    high = max(10.0, *values.values(), *marks.values())

    def x(value: float) -> float:
        return _LABEL + (WIDTH - _LABEL - 70) * log10(max(value, low) / low) / log10(high / low)

    canvas.text(10, canvas.height + 16, title, size=15)
    top = y = canvas.height + 28
    for name, value in values.items():
        canvas.text(_LABEL - 8, y + 11, name, "end")
        canvas.rect(x(1) if value >= 1 else x(value), y, abs(x(value) - x(1)), _BAR, COLOURS[0])
        canvas.text(x(max(value, 1)) + 6, y + 11, f"{value:.3g}")
        if name in marks:
            canvas.rect(x(marks[name]) - 1, y - 2, 2, _BAR + 4, COLOURS[1])
        y += _BAR + _GAP
    canvas.path([(x(1), top - 4), (x(1), y)], "#000000", 1)
    canvas.height = y + 20


def lines(
    canvas: Canvas,
    title: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    x_title: str,
    logarithmic: bool = False,
) -> None:
    """A line per series of (x, y) points; the axes start at 0, or at the least value if logarithmic."""
    points = [point for line in series.values() for point in line]
    if not points:
        return
    box_left, box_right, box_height = 80.0, WIDTH - 220.0, 220.0
    top = canvas.height + 30
    across, up = _scale([x for x, _ in points], logarithmic), _scale([y for _, y in points], logarithmic)
    canvas.text(10, canvas.height + 16, title, size=15)
    canvas.path([(box_left, top), (box_left, top + box_height), (box_right, top + box_height)], "#000000", 1)
    for number, (name, line) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        corners = [
            (box_left + across(x) * (box_right - box_left), top + box_height * (1 - up(y))) for x, y in line
        ]
        canvas.path(corners, colour)
        for corner_x, corner_y in corners if len(corners) < 20 else ():
            canvas.rect(corner_x - 2, corner_y - 2, 4, 4, colour)
        canvas.rect(box_right + 20, top + 20 * number, 12, 12, colour)
        canvas.text(box_right + 38, top + 20 * number + 11, name)
    _axis_ends(canvas, points, logarithmic, (box_left, box_right, top, top + box_height))
    canvas.text((box_left + box_right) / 2, top + box_height + 18, x_title, "middle")
    canvas.height = top + box_height + 40


class _scale:
    """Maps a value to 0..1 of an axis."""

    def __init__(self, values: Sequence[float], logarithmic: bool) -> None:
        self._logarithmic = logarithmic
        self._low = self._bend(min(values)) if logarithmic else 0.0
        self._span = (self._bend(max(values)) - self._low) or 1.0

    def _bend(self, value: float) -> float:
        return log10(max(value, 1e-9)) if self._logarithmic else value

    def __call__(self, value: float) -> float:
        return (self._bend(value) - self._low) / self._span


def _axis_ends(
    canvas: Canvas,
    points: Sequence[tuple[float, float]],
    logarithmic: bool,
    box: tuple[float, float, float, float],
) -> None:
    left, right, top, bottom = box
    xs, ys = [x for x, _ in points], [y for _, y in points]
    canvas.text(left - 6, top + 10, f"{max(ys):,.6g}", "end")
    canvas.text(left - 6, bottom, f"{min(ys) if logarithmic else 0:,.6g}", "end")
    canvas.text(left, bottom + 18, f"{min(xs) if logarithmic else 0:,.6g}")
    canvas.text(right, bottom + 18, f"{max(xs):,.6g}", "end")
