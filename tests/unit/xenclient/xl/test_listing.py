"""xl list, vm-list, domid, domname: the exact text."""

import json
from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend, domain
from xenclient.cli.xl.domain_table import row, xm_flags
from xenclient.cli.xl.domains import flags
from xenclient.xend.errors import BusError

HEADER = "Name                                        ID   Mem VCPUs\tState\tTime(s)"
DOM0 = "Domain-0                                     0   512     4     r-----      61.3"
D1 = "d1                                           1   128     1     -b----       1.2"
D2 = "d2                                           2    63     1     ---s--       1.2"


def test_list(xl: Xl) -> None:
    assert xl("list") == (0, "\n".join([HEADER, DOM0, D1, D2, ""]), "")


@pytest.mark.parametrize("which", ["d1", "1", "00000000-0000-0000-0000-000000000001"])
def test_list_one(xl: Xl, which: str) -> None:
    assert xl("list", which) == (0, f"{HEADER}\n{D1}\n", "")


def test_list_nobody(xl: Xl) -> None:
    assert xl("list", "NOSUCH") == (
        1,
        "",
        "xl: no domain NOSUCH (xl list shows those there are)\n",
    )


def test_list_several_of_which_one_is_none(xl: Xl) -> None:
    status, text, errors = xl("list", "d1", "NOSUCH", "d2")
    assert (status, text) == (1, "\n".join([HEADER, D1, D2, ""]))
    assert errors == "xl: no domain NOSUCH (xl list shows those there are)\n"


def test_list_several_of_which_none_is_one(xl: Xl) -> None:
    assert xl("list", "no", "nobody")[:2] == (1, "")


@pytest.mark.parametrize(
    ("fields", "letters", "xm_letters"),
    [
        ({"blocked": False, "running": True}, "r-----", "r-----"),
        ({}, "-b----", "-b----"),
        ({"paused": True, "blocked": False}, "--p---", "--p---"),
        ({"shutdown": True, "blocked": False, "shutdown_reason": 0}, "---s--", "---s--"),
        ({"shutdown": True, "blocked": False, "shutdown_reason": 1}, "---sr-", "---s--"),
        ({"shutdown": True, "blocked": False, "shutdown_reason": 2}, "---ss-", "---s--"),
        ({"shutdown": True, "blocked": False, "shutdown_reason": 3}, "---sc-", "---sc-"),
        ({"shutdown": True, "blocked": False, "shutdown_reason": 4}, "---sw-", "---s--"),
        ({"shutdown": True, "blocked": False, "shutdown_reason": 5}, "---sS-", "---s--"),
        ({"shutdown": True, "blocked": False, "shutdown_reason": 6}, "---s?-", "---s--"),
        ({"shutdown": True, "blocked": False, "shutdown_reason": -1}, "---s?-", "---s--"),
        ({"shutdown": True, "blocked": False, "shutdown_reason": None}, "---s?-", "---s--"),
        ({"shutdown_reason": 3}, "-b----", "-b----"),
        ({"dying": True, "blocked": False}, "-----d", "-----d"),
        ({"dying": True, "paused": True, "shutdown": True, "shutdown_reason": 3}, "-bpscd", "-bpscd"),
    ],
)
def test_flags(fields: dict[str, Any], letters: str, xm_letters: str) -> None:
    assert flags(domain(1, "d", **fields)) == letters
    assert xm_flags(domain(1, "d", **fields)) == xm_letters


@pytest.mark.parametrize(
    ("memory_kib", "outstanding_kib", "shown"),
    [(1023, 0, "0"), (1024, 0, "1"), (131_071, 0, "127"), (131_071, 1, "128"), (512, 1535, "1")],
)
def test_memory_is_truncated_with_what_is_claimed(memory_kib: int, outstanding_kib: int, shown: str) -> None:
    fields = domain(1, "d", memory_kib=memory_kib, outstanding_kib=outstanding_kib)
    assert row(fields).split()[2] == shown


@pytest.mark.parametrize("name", ["a" * 39, "b" * 40, "c" * 60, "", None])
def test_there_are_six_columns_whatever_the_name(name: str) -> None:
    assert len(row(domain(12345, name, cpu_time_ns=10**17)).split()) == 6


def test_list_verbose(xl: Xl, xend: FakeXend) -> None:
    xend.domains[2]["shutdown_reason"] = 11
    _, text, _ = xl("list", "-v")
    header, _, d1, d2, _ = text.split("\n")
    assert header == HEADER + "   UUID                            Reason-Code\tSecurity Label"
    assert d1 == D1 + " 00000000-0000-0000-0000-000000000001        -                -"
    assert d2 == D2.replace("s--", "s?-") + " 00000000-0000-0000-0000-000000000002        b                -"


@pytest.mark.parametrize(
    ("options", "header", "cells"),
    [
        (["-Z"], "   Security Label", "                -"),
        (["-c"], "         Cpupool", "          Pool-0"),
        (["-n"], " NODE Affinity", " all"),
        (["-cn"], "         Cpupool NODE Affinity", "          Pool-0 all"),
    ],
)
def test_list_columns(xl: Xl, options: list[str], header: str, cells: str) -> None:
    assert xl("list", *options, "d1") == (0, f"{HEADER}{header}\n{D1}{cells}\n", "")


def test_list_long(xl: Xl) -> None:
    status, text, _ = xl("list", "-l")
    assert status == 0
    assert [(each["domid"], each["config"]["c_info"]["name"]) for each in json.loads(text)] == [
        (0, "Domain-0"),
        (1, "d1"),
        (2, "d2"),
    ]
    assert text.startswith('[\n    {\n        "domid": 0,\n')


def test_list_long_of_one(xl: Xl) -> None:
    assert [each["domid"] for each in json.loads(xl("list", "-l", "d2")[1])] == [2]


@pytest.mark.parametrize(
    ("code", "status", "told"), [("no_such_domain", 0, ""), ("internal", 1, "xl: it broke\n")]
)
def test_list_long_of_domains_whose_configuration_is_not_got(
    xl: Xl, xend: FakeXend, code: str, status: int, told: str
) -> None:
    xend.fails["domain.config"] = BusError(code, "it broke", {})
    assert xl("list", "-l", "d1") == (status, "[]\n", told)


def test_list_long_of_a_domain_that_is_not_xends(xl: Xl, xend: FakeXend) -> None:
    xend.fails["domain.config"] = BusError("wrong_state", "Domain-0 was not created by this xend", {})
    (dom0,) = json.loads(xl("list", "-l", "0")[1])
    assert (dom0["domid"], dom0["config"]["c_info"]["name"]) == (0, "Domain-0")


def test_list_json(xl: Xl, xend: FakeXend) -> None:
    assert json.loads(xl("list", "--json")[1]) == xend.domains
    assert json.loads(xl("list", "--json", "d1")[1]) == [xend.domains[1]]


def test_list_json_nobody(xl: Xl) -> None:
    status, text, errors = xl("list", "--json", "NOSUCH")
    assert (status, json.loads(text)["error"]["code"]) == (1, "no_such_domain")
    assert errors.startswith("xl: no domain NOSUCH")


def test_list_by_the_name_of_xm(xl: Xl) -> None:
    status, text, errors = xl("list", program_name="/usr/sbin/xm")
    assert (status, errors) == (0, "")
    assert text == (
        "Name                                        ID   Mem VCPUs      State   Time(s)\n"
        "Domain-0                                     0   512     4     r-----     61.3\n"
        "d1                                           1   128     1     -b----      1.2\n"
        "d2                                           2    63     1     ---s--      1.2\n"
    )


def test_vm_list(xl: Xl) -> None:
    assert xl("vm-list") == (
        0,
        "UUID                                  ID    name\n"
        "00000000-0000-0000-0000-000000000000  0    Domain-0                      \n"
        "00000000-0000-0000-0000-000000000001  1    d1                            \n"
        "00000000-0000-0000-0000-000000000002  2    d2                            \n",
        "",
    )


@pytest.mark.parametrize("command", ["list", "vm-list", "claims"])
def test_programs_see_no_lines_of_domains_between_two_lives(xl: Xl, xend: FakeXend, command: str) -> None:
    xend.domains[1] |= {"domid": None, "state": "waiting"}
    status, text, errors = xl(command)
    assert (status, errors) == (0, "")
    assert "d1" not in text
    assert "d2" in text


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["domid", "d2"], (0, "2\n", "")),
        (["domid", "Domain-0"], (0, "0\n", "")),
        (["domid", "no"], (1, "", "xl: no domain no (xl list shows those there are)\n")),
        (["domname", "2"], (0, "d2\n", "")),
        (["domname", "7"], (1, "", "xl: no domain 7 (xl list shows those there are)\n")),
        (["domname", "d2"], (1, "", "xl: domname: 'd2' is no domid (usage: xl domname DOMID)\n")),
    ],
)
def test_identity(xl: Xl, words: list[str], answer: tuple[int, str, str]) -> None:
    assert xl(*words) == answer


def test_identity_json(xl: Xl) -> None:
    assert json.loads(xl("domid", "--json", "d2")[1]) == {"domid": 2}
    assert json.loads(xl("domname", "--json", "2")[1]) == {"name": "d2"}
