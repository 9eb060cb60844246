"""xl list --columns and --no-header: what scripts read."""

import json
from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend, domain
from tests.unit.xenclient.xl.test_listing import D1, D2, DOM0
from xenclient.cli.xl.commands.list import NAMES


def test_names_and_domids(xl: Xl) -> None:
    rows = "Domain-0\t0\nd1\t1\nd2\t2\n"
    assert xl("list", "--columns", "name,domid", "--no-header") == (0, rows, "")
    assert xl("list", "--columns=name,domid") == (0, "name\tdomid\n" + rows, "")
    assert xl("list", "--columns=domid", "--no-header", "d2") == (0, "2\n", "")
    assert xl("list", "--columns=flags,state,flags", "d2") == (
        0, "flags\tstate\tflags\n---s--\tshutdown\t---s--\n", "",
    )  # fmt: skip


def test_the_table_without_its_header(xl: Xl) -> None:
    assert xl("list", "--no-header") == (0, "\n".join([DOM0, D1, D2, ""]), "")
    assert xl("list", "--no-header", "-v", "d1")[1].startswith(D1)


def test_every_column_is_there(xl: Xl, xend: FakeXend) -> None:
    _, text, _ = xl("list", f"--columns={','.join(NAMES)}", "d1")
    header, row = (line.split("\t") for line in text.splitlines())
    assert header == list(NAMES)
    known = {**xend.domains[1], "flags": "-b----"}
    expected = {name: "-" if known[name] is None else str(known[name]) for name in NAMES}
    assert dict(zip(header, row, strict=True)) == expected


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("two words", "two words"),
        ("a 0 b", "a 0 b"),
        ("it's $HOME", "it's $HOME"),
        (" begins and ends so ", " begins and ends so "),
        ("a\tb", "a       b"),
        ("a\nb\x1b[31m", "a?b?[31m"),
        ("", "(null)"),
        (None, "(null)"),
    ],
)
def test_a_line_a_domain_whatever_its_name(xl: Xl, xend: FakeXend, name: Any, cell: str) -> None:
    xend.domains[1:] = [domain(1, name)]
    assert xl("list", "--columns=domid,name,state", "--no-header")[1].splitlines()[1] == f"1\t{cell}\trunning"


def test_json_has_the_columns_only(xl: Xl) -> None:
    status, text, errors = xl("list", "--columns=name,domid,shutdown_reason", "--json", "d1")
    assert (status, errors) == (0, "")
    assert json.loads(text) == [{"name": "d1", "domid": 1, "shutdown_reason": None}]


@pytest.mark.parametrize("columns", ["", "name,", "Name", "name domid", "nonsense", "name,devices"])
def test_a_wrong_name_is_told_with_those_there_are(xl: Xl, columns: str) -> None:
    wrong = next(name for name in columns.split(",") if name not in NAMES)
    status, text, errors = xl("list", f"--columns={columns}")
    assert (status, text) == (1, "")
    assert errors.startswith(f"xl: list: --columns {wrong!r} is none of name, domid, uuid, ")


def test_either_columns_or_a_layout(xl: Xl) -> None:
    for option, name in (
        ("-l", "long"),
        ("-v", "verbose"),
        ("-c", "cpupool"),
        ("-n", "numa"),
        ("-Z", "context"),
    ):
        status, text, errors = xl("list", "--columns=name", option)
        assert (status, text) == (1, "")
        assert errors.startswith(f"xl: list: --columns or --{name}, not both")


def test_nobody(xl: Xl) -> None:
    assert xl("list", "--columns=name", "no") == (1, "", "xl: no domain no (xl list shows those there are)\n")
    status, text, _ = xl("list", "--columns=name", "--no-header", "no", "d1")
    assert (status, text) == (1, "d1\n")
