"""The table of docs/performance.md, and the picture that is drawn from it."""

import pytest

from tests.bench.overview import PAGE, PICTURE, overview, worst_ratios
from tests.bench.summary import summary
from tests.bench.targets import GOALS
from tests.bench.test_table import RESULTS


def test_the_picture_is_that_of_the_table() -> None:
    assert PICTURE.read_text() == overview(PAGE.read_text()), "python -m tests.bench.overview draws it anew"


def test_the_table_is_one_of_ours() -> None:
    header, rule, *_ = summary(RESULTS, GOALS["foundation"]).splitlines()
    assert f"\n{header}\n{rule}\n" in PAGE.read_text()


def test_a_workload_is_shown_at_its_worst() -> None:
    ratios = worst_ratios(summary(RESULTS, GOALS["foundation"]))
    assert ratios == {
        "write beside 0 / 100,000 watches": pytest.approx(1.57),
        "close 100 connections with 100,000 watches": pytest.approx(2 / 5),
    }
