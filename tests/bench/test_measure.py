"""Real runs, as short as they can be: the null server, Debian's daemons, ours."""

from pathlib import Path

import pytest

from tests.bench import measure
from tests.bench.cold import measure_cold_start
from tests.bench.measure import Effort
from tests.bench.workloads import COLD_PYTHON, COLD_SCRIPT, COLD_START, Workload
from tests.peers.daemons import C_XENSTORED, O_XENSTORED, need

SHORTEST = Effort(runs=1, seconds=0.02, budget=30)

#: One of each kind, small.
KINDS = [
    Workload("read", "read clients=2 idle=3"),
    Workload("write", "write clients=2 watches=20 holders=2 depth=4"),
    Workload("directory", "directory children=30"),
    Workload("create", "create clients=2 nodes=50"),
    Workload("create among siblings", "create children=20", null=False),
    Workload("transaction", "transaction clients=2"),
    Workload("one key", "transaction clients=2 shared=1", null=False),
    Workload("transfer", "transfer clients=2", null=False),
    Workload("counter", "counter clients=3", null=False),
    Workload("fan-out", "fanout clients=5"),
    Workload("subtree", "subtree children=150 watches=150 holders=3", null=False),
    Workload("siblings", "wide children=50", null=False),
    Workload("close", "close watches=20 holders=4", null=False),
    Workload("hold", "hold nodes=50", null=False),
]


def run(server: str, workload: Workload) -> measure.Figures:
    measured = measure.measure(workload, [server], SHORTEST, lambda _: None)[server]
    assert measured.problem == ""
    return measured.medians


@pytest.mark.parametrize("workload", [w for w in KINDS if w.null], ids=lambda w: w.name)
def test_null_serves_what_it_is_asked_to(workload: Workload) -> None:
    assert run("null", workload)["ops"] > 0


@pytest.mark.parametrize("workload", KINDS, ids=lambda w: w.name)
def test_ours_serves_every_workload(workload: Workload) -> None:
    assert run("ours", workload)["rss_mb"] > 1


@pytest.mark.peer
@pytest.mark.parametrize("server", ["c", "o", "o-nolog"])
@pytest.mark.parametrize("workload", KINDS, ids=lambda w: w.name)
def test_debians_daemons_serve_every_workload(server: str, workload: Workload) -> None:
    need(C_XENSTORED, O_XENSTORED)
    assert run(server, workload)["rss_mb"] > 1


def test_a_failure_ends_the_runs_of_that_server_alone() -> None:
    impossible = Workload("impossible", "counter clients=2")
    measured = measure.measure(impossible, ["null", "ours"], Effort(2, 0.02, 30), lambda _: None)
    assert "the counter says" in measured["null"].problem
    assert measured["null"].failed
    assert measured["null"].runs == []
    assert len(measured["ours"].runs) == 2


def test_the_budget_bounds_the_number_of_runs() -> None:
    measured = measure.measure(KINDS[0], ["null"], Effort(1000, 0.02, budget=0.01), lambda _: None)
    assert len(measured["null"].runs) == 1


def test_what_ours_is_compared_with_runs_in_the_same_rounds() -> None:
    ran: list[str] = []
    base = Workload("other", "directory children=3")
    measured = measure.measure(KINDS[0], ["null", "ours"], Effort(2, 0.02, 30), ran.append, base)
    assert [text.rsplit(", ")[1] for text in ran] == ["null", "ours", "base"] * 2
    assert len(measured["base"].runs) == 2


def test_a_server_that_cannot_start_is_a_problem_not_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object) -> None:
        raise RuntimeError("does not answer")

    monkeypatch.setattr(measure, "start", start)
    measured = measure.measure(KINDS[0], ["ours"], SHORTEST, lambda _: None)
    assert measured["ours"].problem == "does not answer"


def test_cold_start_is_compared_with_bare_python(tmp_path: Path) -> None:
    rows = measure_cold_start(1, tmp_path)
    assert rows[COLD_PYTHON]["ours"].medians["ms"] > 0
    assert rows[COLD_START]["ours"].medians["ms"] > 0
    assert rows[COLD_SCRIPT]["ours"].medians["ms"] > 0
