"""--json: one array, or one object a line for events, or one object for an error; never Xen's text."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.canned import Answer, Asked, CannedStore
from xenclient.cli import control, xenstore

TREE = {b"/": b"a\0", b"/a": b"b\0", b"/a/b": b""}
VALUES = {b"/a": b"text\n\xc3\xbc", b"/a/b": b"\0\xff"}


def answer(asked: Asked) -> Answer:
    path = asked.payload.split(b"\0")[0]
    match asked.name:
        case "DIRECTORY":
            return TREE.get(path, "ENOENT")
        case "READ":
            return VALUES.get(path, "ENOENT")
        case "GET_PERMS":
            return b"n0\0r3\0"
        case "TRANSACTION_START":
            return b"7\0"
        case "CONTROL":
            return b"answer\n\0" if path == b"quota" else "EINVAL"
    return b"OK\0"


@pytest.fixture
def printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Iterator[Callable[..., tuple[int, Any]]]:
    """Runs a program; its status and what it printed, read as JSON."""

    def run(program: Callable[[], int], *arguments: str) -> tuple[int, Any]:
        monkeypatch.setattr("sys.argv", ["xenstore-program", *arguments])
        status = program()
        return status, json.loads(capfdbinary.readouterr().out)

    monkeypatch.setenv("XENSTORED_PATH", str(tmp_path / "socket"))
    with CannedStore(tmp_path / "socket", answer):
        yield run


UMLAUT, BINARY = "text\n\u00fc", {"base64": "AP8="}
PRINTED: list[tuple[Callable[[], int], list[str], int, Any]] = [
    (xenstore.ls, ["--json"], 0, [{"path": "/a", "value": UMLAUT}, {"path": "/a/b", "value": BINARY}]),
    (xenstore.ls, ["--json", "-p", "/a"], 0, [{"path": "/a/b", "value": BINARY, "perms": ["n0", "r3"]}]),
    (
        xenstore.read,
        ["/a", "--json", "/a/b"],
        0,
        [{"path": "/a", "value": UMLAUT}, {"path": "/a/b", "value": BINARY}],
    ),
    (
        xenstore.list_,
        ["--json", "/", "/a/b"],
        0,
        [{"path": "/", "children": ["a"]}, {"path": "/a/b", "children": []}],
    ),
    (
        xenstore.exists,
        ["--json", "/a", "/n"],
        1,
        [{"path": "/a", "exists": True}, {"path": "/n", "exists": False}],
    ),
    (xenstore.write, ["--json", "/a", r"x\n"], 0, [{"path": "/a", "value": "x\n"}]),
    (xenstore.rm, ["--json", "/a"], 0, [{"path": "/a"}]),
    (xenstore.chmod, ["--json", "/a", "n0", "b7"], 0, [{"path": "/a", "perms": ["n0", "b7"]}]),
    (control.main, ["--json", "quota"], 0, [{"answer": "answer\n"}]),
    (
        xenstore.read,
        ["--json", "/n"],
        1,
        {
            "error": {
                "text": "xenstore-program: couldn't read path /n",
                "name": "ENOENT",
                "cause": "READ /n: ENOENT (no such node, watch, transaction or domain)",
            }
        },
    ),
    (
        control.main,
        ["--json", "nonsense"],
        3,
        {
            "error": {
                "text": "Error when executing command.",
                "name": "EINVAL",
                "cause": "CONTROL nonsense: EINVAL (malformed path, argument or request)",
            }
        },
    ),
]


@pytest.mark.parametrize(("program", "arguments", "status", "expected"), PRINTED)
def test_what_is_printed(
    printed: Callable[..., tuple[int, Any]],
    program: Callable[[], int],
    arguments: list[str],
    status: int,
    expected: Any,
) -> None:
    assert printed(program, *arguments) == (status, expected)


def test_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The text on standard error is Xen's; JSON has room for what to do."""
    monkeypatch.setenv("XENSTORED_PATH", f"{tmp_path}/none")
    monkeypatch.setattr("sys.argv", ["xenstore-ls", "--json"])
    assert xenstore.ls() == 1
    output, errors = capfdbinary.readouterr()
    assert errors == b"xenstore-ls: xs_open: No such file or directory\n"
    assert json.loads(output)["error"]["cause"].startswith(f"no socket at {tmp_path}/none: start xenstored")
