"""The table of what domains cost, and the counting of the store's requests."""

import json
from pathlib import Path

import pytest

from tests.bench.domain_load import counted
from tests.bench.domain_table import Figures, few_of, judged, line, write
from tests.bench.domains import arguments
from tests.bench.host import Failed
from tests.bench.report import Origin

#: Everything costs 10, but for what is given.
KEYS = ("ms", "xend_cpu_ms", "simulator_cpu_ms", "create_requests", "create_other_requests", "memory_kib")
REST = (
    "destroy_ms", "destroy_xend_cpu_ms", "destroy_simulator_cpu_ms", "all_destroy_requests",
    "all_destroy_other_requests", "simulator_memory_kib", "bare_python_ms", "cold_xl_list_ms", "xl_list_ms",
)  # fmt: skip
LEFT = ("nodes_left", "descriptors_left", "cycle_nodes_left", "cycle_rss_mib", "next_cycle_rss_mib")
TRACE = """\
CREATE connection 0x1
IN 0x1 20261122 16:38:10 TRANSACTION_START ( )
OUT 0x1 20261122 16:38:10 TRANSACTION_START (1 )
IN 0x2 20261122 16:38:10 READ (state )
IN 0x1 20261122 16:38:10 INTRODUCE (1 2 3 )
"""


def figures(**different: float) -> Figures:
    made = {f"{when}_{key}": 10.0 for when in ("few", "all", "last") for key in KEYS}
    return made | dict.fromkeys(REST, 10.0) | dict.fromkeys(LEFT, 0.0) | different


@pytest.mark.parametrize(
    ("different", "short"),
    [
        ({}, []),
        ({"all_ms": 13.0}, []),
        ({"all_ms": 13.1}, ["growth from 100 to 1,000: time"]),
        ({"all_xend_cpu_ms": 20.0}, ["growth from 100 to 1,000: CPU of xend and its store"]),
        ({"all_simulator_cpu_ms": 20.0}, []),
        ({"all_create_requests": 20.0}, ["growth from 100 to 1,000: store requests of xend"]),
        (
            {"nodes_left": 1.0, "cycle_nodes_left": 1.0},
            ["nodes left of 1,000 domains", "500 cycles: nodes left"],
        ),
        ({"descriptors_left": 50.0}, ["500 cycles: descriptors left"]),
        ({"next_cycle_rss_mib": 50.0}, ["500 more cycles: memory left"]),
        ({"xl_list_ms": 201.0}, ["xl list of 1,000 domains"]),
        ({"cold_xl_list_ms": 71.0}, ["xl list, cold, beyond bare Python"]),
    ],
)
def test_what_falls_short(different: Figures, short: list[str]) -> None:
    verdicts = judged(figures(**different), 1000, 500)
    assert [each.name for each in verdicts if str(each).endswith("short")] == short
    assert sum(str(each).endswith(("met", "short")) for each in verdicts) == 11


def test_lines_and_files(tmp_path: Path) -> None:
    verdicts = judged(figures(), 200, 200)
    assert line(verdicts[0]).split() == ["create", "50", "domains:", "time,", "each", "10", "ms"]
    files = write(
        "domains", verdicts, figures(), Origin.of("a test"), tmp_path / "build", tmp_path / "copy.json"
    )
    markdown, numbers, copy = (path.read_text() for path in files)
    assert "| xl list of 200 domains | 10 ms | ≤ 200: met |" in markdown
    assert json.loads(numbers)["figures"]["all_ms"] == 10
    assert copy == numbers


def test_as_many_as_are_made_at_a_time_are_few() -> None:
    assert [few_of(domains) for domains in (100, 1000)] == [50, 100]
    with pytest.raises(SystemExit):
        arguments(["--domains", "99"])


def test_requests_are_counted_by_whose_they_are(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.write_text(TRACE)
    of_xend, of_others = counted(trace, 0)
    assert (of_xend, of_others) == ({"TRANSACTION_START": 1, "INTRODUCE": 1}, {"READ": 1})
    trace.write_text(TRACE + "IN 0x1 20261122 16:38:11 RM (/a )\n")
    assert counted(trace, len(TRACE)) == ({"RM": 1}, {})
    trace.write_text("")
    with pytest.raises(Failed, match="no domain was introduced"):
        counted(trace, 0)
