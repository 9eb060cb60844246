"""From medians to verdicts, and the reports made of them."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.bench import report, servers, targets
from tests.bench.__main__ import choose, main, present
from tests.bench.growth import measure_growth
from tests.bench.measure import Measured, suits
from tests.bench.restart import measure_restarts
from tests.bench.summary import summary
from tests.bench.table import against_peer, better_peer, cell, judge, short
from tests.bench.targets import GOALS, Target, at_most, base_of, cpu, flat, journal, null, peer
from tests.bench.workloads import BY_NAME, COLD_START, WORKLOADS


def runs(*values: float, figure: str = "ops_per_s") -> Measured:
    return Measured([{figure: value, "p50_us": 1e6 / value} for value in values])


RESULTS = {
    "write beside 0 watches": {
        "ours": runs(90, 120, 110),
        "c": runs(100, 50, 60),
        "o": runs(40),
        "o-nolog": runs(70, 80, 10),
        "null": runs(200),
    },
    "write beside 100,000 watches": {
        "ours": runs(100),
        "base": runs(90, 120, 110),
        "c": Measured(problem="too slow"),
    },
    "close 100 connections with 100,000 watches": {
        "ours": runs(5, figure="close_ms"),
        "c": runs(8, figure="close_ms"),
        "o": runs(2, figure="close_ms"),
    },
    "cost of the journal: write, 8 clients": {
        "ours": runs(12, figure="us_per_op"),
        "no-journal": runs(10, figure="us_per_op"),
    },
    "read, 1 client": {"ours": Measured(problem="died", failed=True), "c": runs(1)},
}
BESIDE_NONE, BESIDE_MANY, CLOSE, JOURNAL, DEAD = RESULTS


def test_medians_of_alternating_runs() -> None:
    assert runs(90, 120, 110).medians["ops_per_s"] == 110
    assert Measured(problem="too slow").medians == {}


def test_the_better_peer_is_the_one_with_the_better_figure() -> None:
    assert better_peer(RESULTS[BESIDE_NONE], "ops_per_s") == ("o-nolog", 70)
    assert better_peer(RESULTS[CLOSE], "close_ms") == ("o", 2)
    assert better_peer(RESULTS[BESIDE_MANY], "ops_per_s") is None


@pytest.mark.parametrize(
    ("row", "target", "value", "met"),
    [
        (BESIDE_NONE, peer(1.5), 110 / 70, True),
        (BESIDE_NONE, peer(1.6), 110 / 70, False),
        (BESIDE_NONE, null(0.5), 0.55, True),
        (BESIDE_NONE, null(0.6), 0.55, False),
        (BESIDE_MANY, flat(1.5, BESIDE_NONE), 100 / 110, True),
        (BESIDE_MANY, flat(1.05, BESIDE_NONE), 100 / 110, False),
        (BESIDE_MANY, flat(1.2, BESIDE_NONE, "p50_us"), 1.1, True),
        (BESIDE_MANY, peer(1), None, None),
        (BESIDE_NONE, flat(1.5, BESIDE_MANY), None, None),
        (BESIDE_NONE, cpu(0.5), None, None),
        (CLOSE, peer(3, "close_ms"), 2.5, True),
        (CLOSE, peer(2, "close_ms"), 2.5, False),
        (CLOSE, at_most("close_ms", 5), 5, True),
        (CLOSE, at_most("close_ms", 4), 5, False),
        (JOURNAL, journal(1.25)[0], 1.2, True),
        (JOURNAL, journal(1.15)[0], 1.2, False),
        (JOURNAL, journal(1.15)[1], None, None),
        (DEAD, peer(0.9), None, None),
    ],
)
def test_verdicts(row: str, target: Target, value: float | None, met: bool | None) -> None:
    verdict = judge(target, row, RESULTS)
    assert verdict.value == pytest.approx(value)
    assert verdict.met is met


def test_ratio_without_ours_is_none() -> None:
    assert against_peer(RESULTS[DEAD], "ops_per_s") is None


def test_rows_of_one_line_in_the_summary() -> None:
    rows = (
        "read, 1 client",
        "read, 8 clients",
        "read, 8 connections 16 deep",
        "read, 64 connections 16 deep",
    )
    results = {
        **{row: {"ours": runs(30), "c": runs(10 + i), "null": runs(60)} for i, row in enumerate(rows)},
        "resident memory, empty": {"ours": runs(29.5, figure="rss_mb")},
        "recovery of 1,000 nodes": {"ours": runs(35, figure="ms")},
        "recovery of 100,000 nodes": {"ours": runs(60, figure="ms")},
    }
    goals = {"read, 8 clients": (peer(9), null(0.4)), "resident memory, empty": (at_most("rss_mb", 30),)}
    assert summary(results, goals).splitlines()[2:] == [
        "| read: 1 / 8 clients | 3 / 2.73 | 0.5 / 0.5 |  | "
        "8: ops_per_s ≥ 9 of the better peer: short (2.73) |",
        "| read, connections × deep: 8 × 16 / 64 × 16 | 2.5 / 2.31 | 0.5 / 0.5 |  |  |",
        "| resident memory, empty (rss_mb) | ours 29.5 |  |  | met |",
        "| recovery of 1,000 / 100,000 nodes (ms) | ours 35 / 60 |  |  |  |",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.8512, "0.851"),
        (12.34, "12.3"),
        (999.4, "999"),
        (1234, "1234"),
        (12_345, "12.3k"),
        (167_000, "167k"),
        (4_700_000, "4.7M"),
        (999_900, "1M"),
    ],
)
def test_numbers_in_narrow_columns(value: float | None, text: str) -> None:
    assert short(value) == text


def test_cells_say_why_there_is_no_number() -> None:
    assert cell(RESULTS[BESIDE_MANY], "c", "ops_per_s") == "gave up"
    assert cell(RESULTS[DEAD], "ours", "ops_per_s") == "failed"
    assert cell(RESULTS[BESIDE_MANY], "o", "ops_per_s") == "-"


def test_every_target_names_a_workload() -> None:
    assert targets.unknown_rows() == set()


def test_every_workload_has_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(WORKLOADS)
    assert COLD_START not in BY_NAME


@pytest.mark.parametrize("goal", GOALS)
def test_a_row_is_compared_with_one_other_at_most(goal: str) -> None:
    for row, bounds in GOALS[goal].items():
        assert {target.row for target in bounds if target.row} <= {base_of(row, GOALS[goal])}


def test_reports(tmp_path: Path) -> None:
    origin = report.Origin.of("python -m tests.bench")
    files = report.write(RESULTS, GOALS["foundation"], origin, tmp_path)
    text = (tmp_path / "results.md").read_text()
    assert "| write beside 0 watches | ops_per_s | 110 | 60 | 40 | 70 | 200 | 1.57 | 0.55 |" in text
    assert "close 100 connections with 100,000 watches | close_ms | 5 | 8 | 2 |" in text
    assert "read, 1 client, ours: died" in text
    assert (
        "| write beside 0 / 100,000 watches | 1.57 / - | 0.55 / - |" in (tmp_path / "summary.md").read_text()
    )
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert rows[BESIDE_MANY]["targets"][0]["met"] is True
    assert rows[BESIDE_NONE]["servers"]["c"]["median"]["ops_per_s"] == 60
    assert ElementTree.parse(tmp_path / "results.svg").getroot().tag.endswith("svg")
    assert [file.name for file in files] == ["results.md", "summary.md", "results.json", "results.svg"]


def test_a_line_of_the_terminal_has_every_column() -> None:
    line = report.line(BESIDE_NONE, RESULTS, GOALS["foundation"])
    assert line.split()[4:] == ["ops_per_s", "110", "60", "40", "70", "200", "1.57", "0.55", "-"]


def test_the_journal_is_measured_with_it_and_without() -> None:
    assert [name for name in servers.NAMES if suits(BY_NAME[JOURNAL], name)] == ["ours", "no-journal"]
    assert not suits(BY_NAME[DEAD], "no-journal")


def test_the_file_system_of_a_directory() -> None:
    assert report.file_system(Path("/nowhere/near")).endswith(" (/nowhere/near)")


def test_restarts_are_measured() -> None:
    rows = measure_restarts(1000, 1)
    assert [row["ours"].problem for row in rows.values()] == ["", "", ""]
    recovery, image, update = (row["ours"].runs[0] for row in rows.values())
    assert recovery["ms"] > 0 < recovery["rss_mb"]
    assert image["max_us"] > 0
    assert update["pause_ms"] > image["max_us"] / 1e6


def test_the_growth_of_a_journal_is_measured() -> None:
    (measured,) = (row["ours"] for row in measure_growth(8, 3900, 1, 0.3).values())
    assert measured.problem == ""
    assert 0 < measured.runs[0]["journal_mb"] <= 64
    assert measured.runs[0]["ms"] > 0


def test_selection() -> None:
    assert {w.name for w in choose(False, "fan-out")} == {
        "fan-out to 10",
        "fan-out to 100",
        "fan-out to 1,000",
    }
    assert {w.name for w in choose(False, "read, 8 clients")} == {
        "read, 8 clients",
        "read, 8 clients beside 5,000 idle",
        "read, 8 clients beside 1,000 unread events",
    }
    assert {w.name for w in choose(False, "read, ? client*")} >= {"read, 1 client", "read, 8 clients"}
    assert len(choose(False, None)) < len(choose(True, None)) == len(WORKLOADS)


def test_unknown_server_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--against", "ours,d"])
    assert "not d" in capsys.readouterr().err


def test_without_debians_packages_ours_and_null_are_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(servers, "C_XENSTORED", tmp_path / "xenstored")
    monkeypatch.setattr(servers, "O_XENSTORED", tmp_path / "oxenstored")
    assert present(list(servers.NAMES)) == ["ours", "null", "no-journal"]
    assert "c is left out" in (said := capsys.readouterr().out)
    assert said.count("install Debian's xen-system-amd64") == 3


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    assert "read, 1 client\n" in capsys.readouterr().out
