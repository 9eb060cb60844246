"""xl vcpu-list: the exact text, as Debian's xl 4.17 prints it (toolstack.md section 8)."""

import json
from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend
from xenclient.cli.xl.cpu_ranges import cpus_text

HEADER = "Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)\n"
FIRST = "d1                                   1     0    3   -b-      61.3  all / 0-1,3\n"
SECOND = "d1                                   1     1    -   --p       0.0  2 / none\n"


def vcpu(number: int, **fields: Any) -> dict[str, Any]:
    """One of an idle guest; `fields` differ."""
    return {
        "number": number,
        "online": True,
        "running": False,
        "blocked": True,
        "cpu": 3,
        "cpu_time_ns": 61_300_000_000,
        "hard_affinity": [0, 1, 2, 3],
        "soft_affinity": [0, 1, 3],
        **fields,
    }


@pytest.fixture(autouse=True)
def two_vcpus(xend: FakeXend) -> None:
    offline = {"online": False, "blocked": False, "cpu_time_ns": 0}
    xend.vcpus[1] = [vcpu(0), vcpu(1, **offline, hard_affinity=[2], soft_affinity=[])]
    xend.vcpus[0] = [vcpu(0, running=True, blocked=False, cpu=0, soft_affinity=[0, 1, 2, 3])]


def test_the_table(xl: Xl) -> None:
    assert xl("vcpu-list", "d1") == (0, HEADER + FIRST + SECOND, "")


def test_all_domains(xl: Xl) -> None:
    dom0 = "Domain-0                             0     0    0   r--      61.3  all / all\n"
    assert xl("vcpu-list") == (0, HEADER + dom0 + FIRST + SECOND, "")


def test_one_that_is_missing_does_not_keep_the_others(xl: Xl) -> None:
    status, text, errors = xl("vcpu-list", "nobody", "d1")
    assert (status, text) == (1, HEADER + FIRST + SECOND)
    assert "no domain nobody" in errors


def test_json(xl: Xl) -> None:
    (found,) = json.loads(xl("vcpu-list", "d1", "--json")[1])
    assert (found["name"], [each["number"] for each in found["vcpus"]]) == ("d1", [0, 1])


CPUS = [
    ([], "none"),
    ([0], "0"),
    ([0, 1, 2, 3], "all"),
    ([0, 1, 3], "0-1,3"),
    ([3, 1], "1,3"),
    ([1, 2, 3], "1-3"),
]


@pytest.mark.parametrize(("cpus", "text"), CPUS)
def test_cpus(cpus: list[int], text: str) -> None:
    assert cpus_text(cpus, 4) == text
