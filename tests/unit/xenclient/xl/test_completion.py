"""What may stand next on a command line, and the three shells that ask."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.daemons import lacking
from tests.unit.xenclient.xl.bus import Bus
from tests.unit.xenclient.xl.conftest import Xl
from tests.unit.xenclient.xl.fake_xend import FakeXend, domain, vbd, vif
from tests.unit.xenclient.xl.process import SCRIPT
from xenclient.cli.xl.table import COMMANDS

CONTRIB = Path(__file__).parents[4] / "contrib/completion"


@pytest.fixture(autouse=True)
def host(xend: FakeXend, monkeypatch: pytest.MonkeyPatch) -> None:
    """With devices, and domains whose names a shell would execute, or a terminal obey."""
    xend.devices = [vif(1, 0), vif(1, 1), vbd(1, 51712, "xvda"), vbd(1, 51728, "xvdb")]
    xend.domains += [domain(3, "$(reboot)"), domain(4, "\x1b[31md"), domain(5, "d\x9b\u202e")]
    xend.answers = {"managed.list": [{"name": "db", "up": True}, {"name": "web", "up": False}]}
    monkeypatch.setattr(FakeXend, "__enter__", lambda self: self, raising=False)
    monkeypatch.setattr(FakeXend, "__exit__", lambda self, *_: None, raising=False)


def words(xl: Xl, *typed: str) -> list[str]:
    status, out, errors = xl("__complete", *typed)
    assert (status, errors) == (0, "")
    return [line.split("\t")[0] for line in out.splitlines()]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["cre"], ["create", ":words"]),
        (["-v", "mem-"], ["mem-set", "mem-max", ":words"]),
        (["console", ""], ["Domain-0", "d1", "d2", ":words"]),
        (["destroy", "d1", "d"], ["d1", "d2", ":words"]),
        (["rename", "d1", ""], [":words"]),
        (["create", "-f", "x"], [":files"]),
        (["create", "--pa"], ["--paused", ":words"]),
        (["shutdown", "-w", ""], ["Domain-0", "d1", "d2", ":words"]),
        (["block-detach", "d1", ""], ["xvda", "xvdb", ":words"]),
        (["network-detach", "d1", ""], ["0", "1", ":words"]),
        (["cd-insert", "d1", "xvda", "/"], [":files"]),
        (["help", "vcpu-l"], ["vcpu-list", ":words"]),
        (["button-press", "d1", ""], ["power", "sleep", ":words"]),
        (["console", "-e", "x", "d1"], ["d1", ":words"]),
        (["nosuch", ""], [":words"]),
        (["uptime", "d1", "d2", "D"], ["Domain-0", ":words"]),
        (["restore", ""], [":files"]),
        (["save", "d1", "file", ""], [":files"]),
        (["create", ""], ["web", ":files"]),
        (["start", ""], ["web", ":words"]),
        (["edit", ""], ["db", "web", ":words"]),
        (["console", "-t", ""], ["pv", "serial", ":words"]),
        (["events", "--kind", "d"], ["domain", "device", ":words"]),
    ],
)
def test_words(xl: Xl, typed: list[str], expected: list[str]) -> None:
    assert words(xl, *typed) == expected


def test_every_sub_command_is_offered_with_what_it_does(xl: Xl) -> None:
    out = xl("__complete", "")[1]
    assert out.splitlines()[:-1] == [f"{row.name}\t{row.text}" for row in COMMANDS]


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_every_sub_command_completes_its_options(xl: Xl, row: object) -> None:
    name = row.name  # type: ignore[attr-defined]
    assert "--help" in words(xl, name, "--")
    for typed in ([name, ""], [name, "d1", ""], [name, "d1", "x", ""]):
        assert words(xl, *typed)[-1] in (":files", ":words")


@pytest.fixture
def environment(tmp_path: Path, xend: FakeXend) -> Iterator[dict[str, str]]:
    """Where xl is a program that finds the fake xend."""
    bus = Bus(tmp_path / "socket", xend)
    program = tmp_path / "bin/xl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{SCRIPT}" "$@"\n')
    program.chmod(0o755)
    yield {
        "PATH": f"{program.parent}:{os.environ['PATH']}", "XEND_SOCKET": str(tmp_path / "socket"),
        "HOME": str(tmp_path), "TERM": "dumb", "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    bus.close()


def run(environment: dict[str, str], directory: Path, *argv: str) -> list[str]:
    if shutil.which(argv[0]) is None:
        lacking(f"not installed: {argv[0]}")
    done = subprocess.run(argv, env=environment, cwd=directory, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""  # the status says whether something was found
    return done.stdout.split()


BASH = """source "$0/xl.bash"; COMP_WORDS=(xl "$@"); COMP_CWORD=$#
_xend_xl; printf '%s\\n' "${COMPREPLY[@]}" """
ZSH = """compdef() { :; }; _describe() { print -l -- "${(@)found%%:*}"; }; _files() { print -l -- *; }
words=(xl "$@"); CURRENT=$#words; f() { source "$0"; }; source %s/_xl"""
FISH = "source %s/xl.fish; complete -C '%s' | string replace -r '\\t.*' ''"
SHELLS = [
    (["cre"], ["create"]),
    (["console", "d"], ["d1", "d2"]),
    (["console", "$"], []),
    (["block-detach", "d1", "xvd"], ["xvda", "xvdb"]),
    (["create", "a-f"], ["a-file"]),
]


@pytest.mark.peer
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(("typed", "expected"), SHELLS)
def test_shells(
    environment: dict[str, str], tmp_path: Path, shell: str, typed: list[str], expected: list[str]
) -> None:
    (tmp_path / "a-file").touch()
    if shell == "bash":
        found = run(environment, tmp_path, "bash", "-c", BASH, str(CONTRIB), *typed)
    elif shell == "zsh":
        found = run(environment, tmp_path, "zsh", "-fc", ZSH % CONTRIB, "zsh", *typed)
        expected = ["a-file", "bin", "socket"] if expected == ["a-file"] else expected
        found = [word for word in found if not word.startswith(".")]
    else:
        found = run(
            environment, tmp_path, "fish", "--no-config", "-c", FISH % (CONTRIB, " ".join(["xl", *typed]))
        )
    if typed[-1] == "$":
        assert "$(reboot)" not in found  # whatever else the shell offers itself
    else:
        assert sorted(found) == sorted(expected)
