"""xl config-check: what it prints of xend's answer, its exit status, and what it does without a xend."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend
from xenclient.xend.errors import BusError, ConnectError

CONFIG = {
    "c_info": {"name": "web", "type": "pv"},
    "b_info": {"avail_vcpus": [0, 1], "type.pv": {}},
    "disks": [{"vdev": "xvda"}, {"vdev": "xvdb"}],
}
SHOWN = """\
c_info:
    name: web
    type: pv
b_info:
    avail_vcpus: 0, 1
    type.pv:
disks 0:
    vdev: xvda
disks 1:
    vdev: xvdb
"""
ONE: list[dict[str, Any]] = [{"message": "web:1: this", "hint": "that"}]
REPORTS: list[tuple[dict[str, Any], int, str, str]] = [
    ({}, 0, "nothing to say", ""),
    ({"notes": ONE}, 0, "1 note", "xl: note: web:1: this (that)\n"),
    ({"warnings": ONE * 2}, 1, "2 warnings", "xl: warning: web:1: this (that)\n" * 2),
    (
        {"problems": ONE, "warnings": ONE, "config": None},
        2,
        "1 error, 1 warning",
        "xl: web:1: this (that)\nxl: warning: web:1: this (that)\n",
    ),
]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "web"
    path.write_text('kernel = "/netbsd"\nmemory = 32\npae = 1\n')
    return str(path)


@pytest.mark.parametrize(("found", "status", "verdict", "told"), REPORTS)
def test_what_is_printed(
    xl: Xl, xend: FakeXend, file: str, found: dict[str, Any], status: int, verdict: str, told: str
) -> None:
    report = {"problems": [], "warnings": [], "notes": [], "config": CONFIG, "checked": "host", **found}
    xend.answers["config.check"] = report
    shown = "" if report["config"] is None else SHOWN
    assert xl("config-check", file, "memory=64") == (status, f"{shown}{file}: {verdict}\n", told)
    assert xl("config-check", "-q", file) == (status, f"{file}: {verdict}\n", told)
    code, text, errors = xl("config-check", "--json", file)
    assert (code, errors) == (status, "")
    assert json.loads(text) == {"file": file, "status": status, **report}
    assert xend.given["config.check"]["text"].startswith("kernel")


def test_without_a_xend_the_text_alone_is_looked_at(xl: Xl, xend: FakeXend, file: str) -> None:
    xend.fails["config.check"] = ConnectError("no socket at /s: is xend running?", 2, "/s")  # type: ignore[assignment]
    status, text, errors = xl("config-check", file)
    assert (status, errors.count("\n")) == (0, text.count("note"))
    assert "    target_memkb: 32768\n" in text
    assert text.endswith("; only its text was looked at: no socket at /s: is xend running?\n")
    status, text, errors = xl("config-check", file, "memory='much'", "foo=1", "extra='root=/dev/xvda1'")
    assert (status, text.startswith(f"{file}: 1 error, 1 warning")) == (2, True)
    assert errors.startswith("xl: command line:memory='much': memory = \"much\": expected a number")
    assert xl("config-check", file, "extra='root=/dev/xvda1'")[0] == 1


def test_what_xend_refuses_and_wrong_words(xl: Xl, xend: FakeXend, file: str) -> None:
    xend.fails["config.check"] = BusError("not_permitted", "you may not", {})
    assert xl("config-check", file) == (2, "", "xl: you may not\n")
    assert xl("config-check", file, "x")[2].startswith("xl: config-check: 'x' is no KEY=VALUE")
    assert xl("config-check", "nosuch")[0] == 2
    status, text, _ = xl("config-check", "--json", "nosuch")
    assert (status, list(json.loads(text))) == (2, ["error"])
