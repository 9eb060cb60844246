"""From the figures of `devices` to a table."""

import statistics
from collections.abc import Sequence

from tests.bench.domain_table import GROWTH, TIMES, Figures, Row, Verdict, few_of, figure, judged_rows, ratio
from tests.bench.host import Shape
from tests.bench.libxl_requests import RECORDED

KINDS = ("vif", "vbd")
#: The devices of each domain.
SHAPE = Shape(vifs=4, vbds=4)


def percentiles(what: str, times: Sequence[float]) -> Figures:
    """Median and 99th percentile."""
    last = statistics.quantiles(times, n=100)[98]
    return {f"{what}_median_ms": statistics.median(times), f"{what}_p99_ms": last}


def judged(figures: Figures, domains: int) -> list[Verdict]:
    """The table of a measurement."""
    return judged_rows(figures, _rows(domains))


def _rows(domains: int) -> list[Row]:
    many, few = f"{domains:,}", f"{few_of(domains):,}"
    return [
        *_costs("few", f"create {few} domains of {SHAPE.devices}"),
        *_costs("all", f"create {many} domains of {SHAPE.devices}"),
        *_growth(f"create, growth from {few} to {many}", "all", "few"),
        *_costs("destroy_few", f"destroy {few} domains of {SHAPE.devices}"),
        *_costs("destroy", f"destroy {many} domains of {SHAPE.devices}"),
        *_growth(f"destroy, growth from {few} to {many}", "destroy", "destroy_few"),
        Row(f"nodes left of {many} domains", "", figure("nodes_left"), 0),
        *(
            Row(f"hot {what} among {many} domains: {which}", "ms", figure(f"{what}_{which}_ms"))
            for what in ("attach", "detach")
            for which in ("median", "p99")
        ),
        *_requests(),
    ]


def _costs(when: str, title: str) -> list[Row]:
    return [Row(f"{title}: {what}, a device", "ms", figure(f"{when}_{key}")) for what, key in TIMES]


def _growth(title: str, many: str, few: str) -> list[Row]:
    return [
        Row(f"{title}: {what}", "times", ratio(f"{many}_{key}", f"{few}_{key}"), GROWTH)
        for what, key in TIMES[:2]
    ]


def _requests() -> list[Row]:
    """Each to be fewer than libxl's."""
    rows = [
        (f"{what}: store requests, a device", what, statistics.mean(RECORDED[what].values()))
        for what in ("create", "destroy")
    ]
    rows += [
        (f"hot {what} of a {kind}: store requests", f"{what}_{kind}", RECORDED[recorded][kind])
        for what, recorded in (("attach", "create"), ("detach", "destroy"))
        for kind in KINDS
    ]
    return [
        Row(f"{name} (libxl: {libxl:g})", "", figure(f"{key}_requests"), libxl - 1)
        for name, key, libxl in rows
    ]
