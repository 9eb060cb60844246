"""The picture of a benchmark: ratios per workload, CPU per operation, latency against watches and nodes."""

import re

from tests.bench.picture import Canvas, bars, lines
from tests.bench.servers import NAMES
from tests.bench.table import Results, against_peer, figure_of
from tests.bench.targets import MORE_IS_BETTER, Targets
from tests.bench.workloads import figure_name

_BESIDE_WATCHES = re.compile(r"write beside ([\d,]+) watches")
_AT_NODES = re.compile(r"(read|write|create) at ([\d,]+) nodes")


def chart(results: Results, targets: Targets) -> str:
    """An SVG file's text."""
    canvas = Canvas()
    _ratios(canvas, results, targets)
    _cpu(canvas, results)
    lines(canvas, "Write latency (p50, µs) beside unrelated watches", _by_watches(results), "watches", True)
    for kind in ("read", "write", "create"):
        title = f"Latency of {kind} (p50, µs) by size of the store"
        lines(canvas, title, _by_nodes(results, kind), "nodes", True)
    return canvas.svg()


def _ratios(canvas: Canvas, results: Results, targets: Targets) -> None:
    """Times the better peer: more is better in every bar."""
    values, marks = {}, {}
    for name, measured in results.items():
        figure = figure_name(name)
        ratio = against_peer(measured, figure)
        if not ratio:
            continue
        values[name] = ratio if figure in MORE_IS_BETTER else 1 / ratio
        for target in targets.get(name, ()):
            if target.against == "peer" and target.figure == figure:
                marks[name] = target.bound if figure in MORE_IS_BETTER else 1 / target.bound
    bars(canvas, "Ours against the better peer (longer is better; red: what is to be reached)", values, marks)


def _cpu(canvas: Canvas, results: Results) -> None:
    values = {
        name: ratio
        for name, measured in results.items()
        if (ratio := against_peer(measured, "cpu_us_per_op"))
    }
    bars(canvas, "Our server's CPU per operation against the better peer's (less is better)", values, {})


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _series(points: dict[str, float], results: Results) -> dict[str, list[tuple[float, float]]]:
    """For every server the p50 over x, from rows by name."""
    series: dict[str, list[tuple[float, float]]] = {}
    for server, label in NAMES.items():
        line = [
            (x, value)
            for name, x in sorted(points.items(), key=lambda pair: pair[1])
            if (value := figure_of(results[name], server, "p50_us")) is not None
        ]
        if line:
            series[label.split(",")[0] + (" (log)" if server == "o" else "")] = line
    return series


def _by_watches(results: Results) -> dict[str, list[tuple[float, float]]]:
    found = {name: match for name in results if (match := _BESIDE_WATCHES.fullmatch(name))}
    return _series({name: max(_number(match[1]), 1) for name, match in found.items()}, results)


def _by_nodes(results: Results, kind: str) -> dict[str, list[tuple[float, float]]]:
    found = {name: match for name in results if (match := _AT_NODES.fullmatch(name))}
    return _series({name: _number(match[2]) for name, match in found.items() if match[1] == kind}, results)
