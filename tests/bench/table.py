"""From medians to what the table says: ratios against the better peer, shares of null, targets met."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.bench.measure import Measured
from tests.bench.servers import BARE, BASE, NULL, OURS, PEERS
from tests.bench.targets import MORE_IS_BETTER, Target

#: Results by workload and server.
Results = Mapping[str, Mapping[str, Measured]]


@dataclass(frozen=True)
class Verdict:
    """A target and what came of it; `value` is None where something to compare was not measured."""

    target: Target
    value: float | None

    @property
    def met(self) -> bool | None:
        if self.value is None:
            return None
        if self.target.figure in MORE_IS_BETTER:
            return self.value >= self.target.bound
        return self.value <= self.target.bound

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.target}: not measured"
        return f"{self.target}: " + ("met" if self.met else "short") + f" ({self.value:.3g})"


def figure_of(measured: Mapping[str, Measured], server: str, figure: str) -> float | None:
    """A server's median, None where it has no run."""
    return measured[server].medians.get(figure) if server in measured else None


def better_peer(measured: Mapping[str, Measured], figure: str) -> tuple[str, float] | None:
    """The peer with the best median of a figure, and that median; None without any."""
    values = {peer: value for peer in PEERS if (value := figure_of(measured, peer, figure)) is not None}
    if not values:
        return None
    best = max if figure in MORE_IS_BETTER else min
    name = best(values, key=values.__getitem__)
    return name, values[name]


def against_peer(measured: Mapping[str, Measured], figure: str) -> float | None:
    """Our figure divided by the better peer's."""
    peer = better_peer(measured, figure)
    return ratio(figure_of(measured, OURS, figure), peer[1] if peer else None)


def against_null(measured: Mapping[str, Measured]) -> float | None:
    """Our operations per second divided by the null server's."""
    return ratio(figure_of(measured, OURS, "ops_per_s"), figure_of(measured, NULL, "ops_per_s"))


def ratio(ours: float | None, theirs: float | None) -> float | None:
    return None if ours is None or not theirs else ours / theirs


def judge(target: Target, name: str, results: Results) -> Verdict:
    """What became of one target of the row `name`."""
    measured = results[name]
    ours = figure_of(measured, OURS, target.figure)
    if target.against == "peer":
        return Verdict(target, against_peer(measured, target.figure))
    if target.against == "null":
        return Verdict(target, against_null(measured))
    if target.against == "bare":
        return Verdict(target, ratio(ours, figure_of(measured, BARE, target.figure)))
    if target.against == "row":
        return Verdict(target, ratio(ours, figure_of(measured, BASE, target.figure)))
    return Verdict(target, ours)


def judge_all(targets: Iterable[Target], name: str, results: Results) -> list[Verdict]:
    return [judge(target, name, results) for target in targets]


def short(value: float | None) -> str:
    """A number for a narrow column: 167k, 12.3, 0.85; a dash for None."""
    if value is None:
        return "-"
    for least, factor, unit in ((1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if abs(value) >= least * 0.9995:
            return f"{value / factor:.3g}{unit}"
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"


def cell(measured: Mapping[str, Measured], server: str, figure: str) -> str:
    """A server's figure, or what kept it from having one."""
    if server not in measured:
        return "-"
    if measured[server].runs:
        return short(figure_of(measured, server, figure))
    return "failed" if measured[server].failed else "gave up"
