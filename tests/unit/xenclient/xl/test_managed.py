"""xl new, start, edit, delete, list --all and autostart --enable: what they ask and what they print."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend
from tests.unit.xenclient.xl.test_listing import D1, DOM0, HEADER
from xenclient.xend.errors import BusError

WARNING = {"message": "web:2: that"}
READ = {"file": "web", "path": "/etc/xen/web", "directory": "/etc/xen", "text": b"memory=1\n", "digest": "d"}
AT = time.mktime((2026, 11, 30, 5, 6, 7, 0, 0, -1))


def row(name: str, **fields: Any) -> dict[str, Any]:
    """As managed.list has one that is down."""
    known = {"up": False, "memory_kib": 65536, "vcpus": 2, "end": None, "error": None, "autostart": False}
    return {"name": name, **known, **fields}


ROWS = [
    row("a"),
    row("b", autostart=True),
    row("c", end={"what": "shutdown", "at": AT, "reason": "poweroff"}, autostart=True),
    row("d", end={"what": "destroyed", "at": AT, "reason": None}),
    row("e", end={"what": "failed", "at": AT, "reason": "no\x1b room"}),
    row(
        "f", error={"message": "f:1: wrong; and 1 more", "problems": [{"message": "f:1: wrong"}]}, vcpus=None
    ),
    row("g", error={"message": "g cannot be read", "cause": "Permission denied"}),
    row("d1", up=True),
]
WHY = {
    "a": "never started",
    "b": "never started; starts with the host",
    "c": "shut down 2026-11-30 05:06:07: poweroff; starts with the host",
    "d": "destroyed 2026-11-30 05:06:07",
    "e": "failed 2026-11-30 05:06:07: no? room",
    "f": "its configuration is wrong: f:1: wrong",
    "g": "its configuration is wrong: g cannot be read: Permission denied",
}


def lines(*names: str) -> str:
    return "".join(
        f"{name:<40}     -    64     {'-' if name == 'f' else 2}     ------       0.0  {WHY[name]}\n"
        for name in names
    )


def test_list_all(xl: Xl, xend: FakeXend) -> None:
    xend.domains = xend.domains[:2]
    xend.answers["managed.list"] = ROWS
    assert xl("list", "--all") == (0, f"{HEADER}\n{DOM0}\n{D1}\n{lines(*WHY)}", "")
    assert xl("list", "-a", "--no-header", "c", "d1") == (0, f"{D1}\n{lines('c')}", "")
    status, text, errors = xl("list", "-a", "a", "nobody")
    assert (status, text.count("\n"), "nobody" in errors) == (1, 0, True)
    assert [each["state"] for each in json.loads(xl("list", "-a", "--json")[1])][1:] == [
        "running",
        *["down"] * 7,
    ]
    assert xl("list", "-a", "--columns", "name")[0] == 1
    xend.fails["managed.list"] = BusError("bad_config", "DIR may be written by others", {})
    assert xl("list", "-a") == (1, f"{HEADER}\n{DOM0}\n{D1}\n", "xl: DIR may be written by others\n")


def test_new(xl: Xl, xend: FakeXend, tmp_path: Path) -> None:
    (tmp_path / "w.cfg").write_text("memory=1\n")
    xend.answers["managed.new"] = {"name": "web", "path": "/etc/xen/web", "warnings": [WARNING]}
    told = (0, "web is configured in /etc/xen/web\n", "xl: warning: web:2: that\n")
    assert xl("new", str(tmp_path / "w.cfg")) == told
    given = xend.given["managed.new"]
    assert (given["text"], given["name"], "path" in given) == ("memory=1\n", "w.cfg", False)


def test_start(xl: Xl, xend: FakeXend) -> None:
    xend.answers["managed.read"] = READ
    assert xl("start", "-p", "web") == (0, "", "")
    method, parameters = xend.asked[0]
    assert (method, parameters["paused"], parameters["text"]) == ("domain.create", True, b"memory=1\n")
    assert (parameters["name"], parameters["path"], parameters["directory"]) == (
        "web",
        "/etc/xen/web",
        "/etc/xen",
    )
    assert xl("start", "-N", "web") == (0, "first step\nsecond step\n", "")
    assert "one domain with -c" in xl("start", "-c", "web", "db")[2]
    xend.fails["managed.read"] = BusError("no_such_domain", "no domain x is configured", {})
    assert xl("start", "x", "y") == (1, "", "xl: no domain x is configured\n" * 2)


def test_delete(xl: Xl, xend: FakeXend) -> None:
    xend.answers["managed.delete"] = {"name": "web", "removed": ["/etc/xen/auto/web", "/etc/xen/web"]}
    assert xl("delete", "web") == (0, "removed /etc/xen/auto/web\nremoved /etc/xen/web\n", "")


def test_autostart_by_command(xl: Xl, xend: FakeXend) -> None:
    for word, text in (("enable", "web starts"), ("disable", "web does not start")):
        xend.answers[f"autostart.{word}"] = [
            {"name": "web", "changed": True},
            {"name": "db", "changed": False},
        ]
        status, printed, _ = xl("autostart", f"--{word}", "web", "db")
        assert (status, printed.splitlines()[0]) == (0, f"{text} with the host")
        assert printed.splitlines()[1].endswith(", as before")
        assert xend.given[f"autostart.{word}"] == {"names": ["web", "db"]}
    assert "not both" in xl("autostart", "--enable", "--disable", "web")[2]
    assert "needs names" in xl("autostart", "--enable")[2]


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the editor does, a shell script whose last argument is the file."""
    script = tmp_path / "editor"
    monkeypatch.setenv("EDITOR", f"sh '{script}'")
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return script


def left(tmp_path: Path) -> list[bytes]:
    """What was written and is kept."""
    return [path.read_bytes() for path in tmp_path.glob("xl-edit-*/*")]


def test_edit(xl: Xl, xend: FakeXend, editor: Path, tmp_path: Path) -> None:
    xend.answers["managed.read"] = READ
    editor.write_text("")
    assert xl("edit", "web") == (0, "", "/etc/xen/web is as it was\n")
    editor.write_text('echo vcpus=2 >>"$1"\n')
    xend.answers["managed.replace"] = {"path": "/etc/xen/web", "is_up": True, "warnings": [WARNING]}
    status, text, errors = xl("edit", "web")
    assert (status, text, errors) == (
        0,
        "/etc/xen/web is changed; it runs, and has this once it is shut down and started\n",
        "xl: warning: web:2: that\n",
    )
    assert xend.given["managed.replace"] == {"name": "web", "text": b"memory=1\nvcpus=2\n", "was": "d"}
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BusError("bad_config", "web:2: no", {"problems": [{"message": "web:2: no"}]}), "xl: web:2: no\n"),
        (BusError("name_in_use", "taken", {}), "xl: taken\n"),
        (BusError("wrong_state", "changed meanwhile", {}), "xl: changed meanwhile\n"),
    ],
)
def test_an_edit_that_is_refused_is_kept(
    xl: Xl, xend: FakeXend, editor: Path, tmp_path: Path, error: BusError, told: str
) -> None:
    xend.answers["managed.read"] = READ
    xend.fails["managed.replace"] = error
    editor.write_text('echo vcpus=2 >>"$1"\n')
    status, text, errors = xl("edit", "web")
    assert (status, text, told in errors) == (1, "", True)
    assert "/etc/xen/web is as it was; what you wrote is in " in errors
    assert left(tmp_path) == [b"memory=1\nvcpus=2\n"]


def test_an_editor_that_fails(
    xl: Xl, xend: FakeXend, editor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    xend.answers["managed.read"] = READ
    editor.write_text("exit 3\n")
    status, _, errors = xl("edit", "web")
    assert (status, "failed (status 3)" in errors, left(tmp_path)) == (1, True, [])
    monkeypatch.setenv("EDITOR", str(tmp_path))
    assert xl("edit", "web") == (
        1,
        "",
        f"xl: cannot run the editor {tmp_path}: Permission denied (EDITOR=... names another)\n",
    )
    xend.answers["managed.read"] = {**READ, "file": "x" * 300}  # no file can be made, as on a full disk
    status, _, errors = xl("edit", "web")
    assert errors.startswith(f"xl: cannot write a copy for the editor below {tmp_path}/xl-edit-")
    assert (status, left(tmp_path), list(tmp_path.glob("xl-edit-*"))) == (1, [], [])
