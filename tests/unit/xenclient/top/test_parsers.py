"""What programs that read xentop's lines take for granted, each as it reads them.

They are OpenNebula's driver, munin's xen-multi, StatsdWidgets, mackerel's agent, go-xentop and graphite's
collector.
"""

import re
from typing import Any

import pytest

from tests.unit.xenclient.top.answers import answer, domain, vbd, vif
from xenclient.cli.top.choices import Choices
from xenclient.cli.top.figures import figures
from xenclient.cli.top.lines import Lines

HEADER = (
    "      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) MAXMEM(%) VCPUS NETS NETTX(k) NETRX(k) "
    "VBDS   VBD_OO   VBD_RD   VBD_WR  VBD_RSECT  VBD_WSECT SSID"
)
DOM0 = (
    "  Domain-0 -----r     123457   50.0    4194304   25.0   no limit       n/a     7    0        0        0 "
    "   0        0        0        0          0          0    0"
)


def look(at_s: float, cpu_ns: int) -> dict[str, Any]:
    """dom0 without a limit, and two guests: a web server, and one that was shut down."""
    return answer(
        at_s,
        domain(
            0, "Domain-0", running=True, blocked=False, max_memory_kib=None, memory_kib=4 << 20, max_vcpus=7,
            cpu_time_ns=123_456_000_000_000 + cpu_ns // 2,
        ),
        domain(
            3, "one-42", cpu_time_ns=80_000_000_000 + cpu_ns, vifs=[vif(0, 5120, 1, 0, 0, 2048, 2, 0, 0)],
            vbds=[vbd(51712, 0, 240, 12, 5120, 96)],
        ),
        domain(4, "my  db\n", shutdown=True, blocked=False, shutdown_reason=0),
    )  # fmt: skip


def printed(looks: int, *options: str) -> str:
    """What so many looks print; each second a guest uses a second, and dom0 half of one."""
    choices = Choices()
    for option in options:
        setattr(choices, option, True)
    lines, answers = Lines(choices), [look(second, second * 10**9) for second in range(1, looks + 1)]
    pairs = zip(answers, [None, *answers], strict=False)
    return b"".join(lines.of(figures(found, before)) for found, before in pairs).decode()


def test_the_lines() -> None:
    first, second = printed(2).splitlines()[:4], printed(2).splitlines()[4:]
    assert first[0] == second[0] == HEADER
    assert second[1].replace("123456", "123457") == DOM0
    assert [line.split()[0] for line in second] == ["NAME", "Domain-0", "my__db_", "one-42"]
    assert [line.split()[3] for line in first if "one-42" in line] == ["0.0"]
    assert [line.split()[3] for line in second if "one-42" in line] == ["100.0"]


def test_opennebula_takes_the_second_half_and_fields_by_their_place() -> None:
    lines = printed(2).splitlines()
    half = lines[len(lines) // 2 :]
    assert "NAME  STATE" in half[0]
    found = {}
    for line in half[1:]:
        fields = line.replace("no limit", "nolimit").split()
        assert len(fields) == 19
        found[fields[0]] = {
            "state": fields[1].replace("-", "")[-1],
            "cpu": float(fields[3]),
            "memory": int(fields[4]),
            "nettx": int(fields[10]),
            "netrx": int(fields[11]),
        }
    assert found["one-42"] == {"state": "b", "cpu": 100.0, "memory": 256 << 10, "nettx": 2, "netrx": 5}
    assert found["my__db_"]["state"] == "s"
    assert found["Domain-0"]["cpu"] == 50.0


def test_munins_xen_multi_takes_nineteen_fields_and_the_least_of_the_looks_after_the_first() -> None:
    looks = 0
    seconds: dict[str, int] = {}
    for line in printed(4, "full_name").splitlines():
        fields = line.replace("no limit", "no_limit").split()
        assert len(fields) == 19
        if fields[0] == "NAME":
            looks += 1
        elif looks > 1:
            name = re.sub(r"\W", "_", fields[0])
            seconds[name] = min(seconds.get(name, 10**9), int(fields[2]))
    assert (looks, seconds["one_42"], seconds["Domain_0"]) == (4, 82, 123457)


def test_statsdwidgets_takes_rows_of_nineteen_words_only() -> None:
    titles = HEADER.split()
    rows = [line.split() for line in printed(1, "full_name").splitlines()]
    assert rows[0] == titles
    assert {row[0] for row in rows if len(row) == 19 and row != titles} == {"my__db_", "one-42"}
    assert [len(row) for row in rows if row[0] == "Domain-0"] == [20]  # "no limit" is two: it passes over it


def test_mackerel_finds_columns_by_their_titles() -> None:
    lines = printed(1, "full_name").splitlines()
    index = {title: place for place, title in enumerate(lines[0].split())}
    (row,) = [line for line in lines if line.split()[0] == "one-42"]
    assert row.split()[index["VBD_WSECT"]] == "96"
    (row,) = [line for line in lines if line.split()[0] == "Domain-0"]
    assert "n/a" in row
    assert row.split()[index["VCPUS"] + 1] == "7"


def test_go_xentop_cuts_columns_where_the_titles_end() -> None:
    lines = printed(1).splitlines()
    ends = [match.end() for match in re.finditer(r"\S+", lines[0])]
    for line in lines[1:]:
        cells = [line[begin:end].strip() for begin, end in zip([0, *ends], ends, strict=False)]
        assert len(cells) == 19
        assert cells[6] in ("no limit", str(257 << 10))
        assert cells[7] in ("n/a", "1.6")


@pytest.mark.parametrize(
    ("options", "pattern", "found"),
    [
        (["networks"], r"^Net(\d+) RX: +(\d+)bytes .* TX: +(\d+)bytes", [("0", "5120", "2048")]),
        (["vbds"], r"^VBD (\w+) (\d+) .*RD: +(\d+)", [("BlkBack", "51712", "240")]),
    ],
)
def test_what_graphites_collector_matches(options: list[str], pattern: str, found: list[Any]) -> None:
    assert re.findall(pattern, printed(1, *options), re.MULTILINE) == found


def test_dom0_first_on_request() -> None:
    choices = Choices()
    choices.dom0_first = True
    found = answer(1, domain(1, "a"), domain(0, "Domain-0"), domain(2, "Zed"))
    lines = Lines(choices).of(figures(found, None)).splitlines()
    assert [line.split()[0] for line in lines] == [b"NAME", b"Domain-0", b"a", b"Zed"]


def test_what_has_no_name_is_no_domain_for_programs() -> None:
    found = answer(1, domain(1, "a"), domain(2, "(null)", dying=True))
    assert len(Lines(Choices()).of(figures(found, None)).splitlines()) == 2


@pytest.mark.parametrize(
    ("later", "percent"),
    [
        (answer(2, domain(1, "a", cpu_time_ns=10**9)), 50.0),
        (answer(2, domain(1, "a", cpu_time_ns=0)), 0.0),  # it counts anew
        (answer(2, domain(1, "a", cpu_time_ns=10**9, uuid="another")), 0.0),
        (answer(2, domain(1, "a", cpu_time_ns=10**9), epoch=2), 0.0),  # another xend
        (answer(0, domain(1, "a", cpu_time_ns=10**9)), 0.0),
        (answer(2, domain(9, "a", cpu_time_ns=10**9)), 0.0),
    ],
)
def test_a_share_is_of_two_looks_at_the_same_domain(later: dict[str, Any], percent: float) -> None:
    before = answer(0, domain(1, "a", cpu_time_ns=0))
    assert [row.cpu_percent for row in figures(later, before)] == [percent]


def test_what_nobody_counts_is_left_out_or_a_hyphen() -> None:
    found = answer(1, domain(1, "a", vifs=[vif(0), vif(1, *range(8))], vbds=[vbd(1), vbd(2)]))
    choices = Choices()
    choices.networks = choices.vbds = True
    row, network, *disks = Lines(choices).of(figures(found, None)).decode().splitlines()[1:]
    assert row.split()[9:18] == ["2", "0", "0", "2", "-", "-", "-", "-", "-"]
    assert network.startswith("Net0 RX:        0bytes")
    assert [line.split("OO:")[1].split()[0] for line in disks] == ["-", "-"]
    counted = answer(1, domain(1, "a", vbds=[vbd(1), vbd(2, None, 1, 2, 3, 4)]))  # as NetBSD has it
    row = Lines(choices).of(figures(counted, None)).decode().splitlines()[1]
    assert row.split()[13:18] == ["0", "1", "2", "3", "4"]
