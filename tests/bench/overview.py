"""The picture of docs/performance.md, drawn from its table: a bar a workload, at its worst.

    python -m tests.bench.overview

Writes docs/performance.svg.
"""

import re
from pathlib import Path

from tests.bench.picture import Canvas, bars
from tests.bench.targets import MORE_IS_BETTER

PAGE = Path(__file__).parents[2] / "docs/performance.md"
PICTURE = PAGE.with_suffix(".svg")

#: A line of `tests.bench.summary`: the workload, the figure unless it is operations a second, the ratios.
_RATIO = r"(?:[\d.]+|-)"
_LINE = re.compile(
    rf"^\| (?P<workload>[^|]+?)(?: \((?P<figure>\w+)\))? \| (?P<ratios>{_RATIO}(?: / {_RATIO})*) \|",
    re.MULTILINE,
)
_TITLE = "Ours against the better of Xen's two daemons: each workload at its worst (longer is better)"


def worst_ratios(page: str) -> dict[str, float]:
    """By workload, how many times better than the better peer it is where that is least.

    Workloads without a figure of a peer's are left out.
    """
    found: dict[str, float] = {}
    for line in _LINE.finditer(page):
        ratios = [float(text) for text in line["ratios"].split(" / ") if text != "-"]
        more_is_better = (line["figure"] or "ops_per_s") in MORE_IS_BETTER
        workload = re.sub(r": [\d /×]+( clients)?$", "", line["workload"])
        found[workload] = min(ratios) if more_is_better else 1 / max(ratios)
    return found


def overview(page: str) -> str:
    """An SVG file's text."""
    canvas = Canvas()
    bars(canvas, _TITLE, worst_ratios(page), {})
    return canvas.svg()


if __name__ == "__main__":
    PICTURE.write_text(overview(PAGE.read_text()))
