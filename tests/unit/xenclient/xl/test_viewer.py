"""xl vncviewer and xl create -V: which viewer is run, and that no argument is a password."""

import os
from pathlib import Path

import pytest

from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend
from xenclient.cli.xl import viewer

SECRET = "s3cr3t"
#: A viewer that writes down what it is called with.
VIEWER = '#!/bin/sh\n{ echo "$0" "$@"; echo "env=$VNC_PASSWORD"; cat; } > "$OUT.new"; mv "$OUT.new" "$OUT"\n'


@pytest.fixture
def screen(xend: FakeXend) -> None:
    xend.answers = {"screen.show": {"address": "127.0.0.1", "port": 5903, "password": SECRET}}


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the viewer writes; PATH has this directory, and what the viewer needs."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("cat", "mv"):
        (tools / name).symlink_to(next(p for p in (f"/bin/{name}", f"/usr/bin/{name}") if os.path.exists(p)))
    monkeypatch.setenv("PATH", f"{tmp_path}:{tools}")
    monkeypatch.setenv("OUT", str(tmp_path / "out"))
    monkeypatch.delenv(viewer.VARIABLE, raising=False)
    return tmp_path / "out"


def install(directory: Path, name: str) -> str:
    path = directory / name
    path.write_text(VIEWER)
    path.chmod(0o755)
    return str(path)


def ran(out: Path, program: str, address: str, password: str | None) -> str:
    """What a viewer that was run in a child wrote."""
    if (child := os.fork()) == 0:
        try:
            viewer.Screen(address, 5903, password).replace_by(program)
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return out.read_text()


def test_a_viewer_is_told_where_the_screen_is(out: Path, tmp_path: Path) -> None:
    program = install(tmp_path, "vncviewer")
    assert viewer.viewer() == program
    assert ran(out, program, "127.0.0.1", None).startswith(f"{program} 127.0.0.1:3\nenv=\n")


@pytest.mark.parametrize(
    ("address", "where"),
    [("0.0.0.0", "localhost:3"), ("::", "localhost:3"), ("[::]", "localhost:3"), ("::1", "[::1]:3"),
     ("[::1]", "[::1]:3"), ("a.example", "a.example:3")],
)  # fmt: skip
def test_addresses(address: str, where: str) -> None:
    assert viewer.Screen(address, 5903, None).where == where


def test_a_password_is_on_the_standard_input(out: Path, tmp_path: Path) -> None:
    program = install(tmp_path, "xtightvncviewer")
    assert ran(out, viewer.viewer(), "127.0.0.1", SECRET) == (
        f"{program} 127.0.0.1:3 -autopass\nenv=\n{SECRET}\n"
    )


def test_the_password_of_tigervnc_is_in_its_environment(out: Path, tmp_path: Path) -> None:
    (tmp_path / "vncviewer").symlink_to(install(tmp_path, "xtigervncviewer"))
    said = ran(out, viewer.viewer(), "127.0.0.1", SECRET)
    assert said.startswith(f"{tmp_path}/vncviewer 127.0.0.1:3\nenv={SECRET}\n")


def test_another_viewer_is_named(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "vncviewer")
    mine = install(tmp_path, "mine")
    for named in (mine, "mine"):
        monkeypatch.setenv(viewer.VARIABLE, named)
        assert viewer.viewer() == mine


def test_no_viewer(xl: Xl, out: Path, monkeypatch: pytest.MonkeyPatch, xend: FakeXend, screen: None) -> None:
    for words in (
        ["vncviewer", "d1"],
        *([name, option, "/dev/null"] for name in ("create", "restore") for option in ("-V", "-A")),
    ):
        assert xl(*words) == (
            1,
            "",
            "xl: no VNC viewer is installed: none of vncviewer, xtightvncviewer, xtigervncviewer, "
            "gvncviewer, ssvncviewer is in PATH (apt install tigervnc-viewer, or pkgin install tigervnc; "
            "VNCVIEWER=PATH in the environment names another)\n",
        )
    assert xend.asked == []
    monkeypatch.setenv(viewer.VARIABLE, "mine")
    assert xl("vncviewer", "d1")[2] == (
        "xl: the viewer 'mine' that VNCVIEWER names is no program, or not in PATH\n"
    )


@pytest.mark.parametrize(("option", "password"), [("-V", ""), ("-A", SECRET)])
def test_a_domain_is_made_and_shown(
    xl: Xl, xend: FakeXend, screen: None, out: Path, tmp_path: Path, option: str, password: str
) -> None:
    install(tmp_path, "xtightvncviewer")
    file = tmp_path / "d9.cfg"
    file.write_text("name = 'd9'\n")
    status, _, said = xl("create", "-q", option, str(file))
    assert (status, said) == (0, "")
    assert xend.given["screen.show"] == {"domain": 9}
    os.wait()  # for the viewer
    assert f"127.0.0.1:3{' -autopass' if password else ''}\n" in out.read_text()
    assert out.read_text().endswith(f"env=\n{password}{chr(10) if password else ''}")
