"""Our command lines beside Debian's, on a store that says what no real one will; and what they send."""

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.peers.canned import Answer, Asked, CannedStore
from tests.peers.daemons import need
from tests.peers.programs import OURS, THEIRS, Run, need_programs, run

pytestmark = pytest.mark.peer

#: What a store answers to a type of request: always the same, or what a function that it starts with says.
Answers = Answer | Callable[[], Callable[[Asked], Answer]]


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    need_programs()


Table = dict[str, Answers]


def canned(side: Path, path: Path, table: Table, line: str) -> tuple[Run, list[Asked]]:
    """What the program did and sent, on a store that answers from the table, by default OK."""
    started = {
        name: answers() if callable(answers) else answers for name, answers in (DEFAULT | table).items()
    }

    def answer(asked: Asked) -> Answer:
        found = started.get(asked.name, b"OK\0")
        return found(asked) if callable(found) else found

    name, *arguments = shlex.split(line)
    path.unlink(missing_ok=True)
    with CannedStore(path, answer) as store:
        result = run(side, path, name, *arguments)
    return result, store.asked


def both(tmp_path: Path, table: Table, line: str) -> tuple[tuple[Run, list[Asked]], tuple[Run, list[Asked]]]:
    """Theirs and ours."""
    path = tmp_path / "socket"
    return canned(THEIRS, path, table, line), canned(OURS, path, table, line)


def in_turn(*answers: Answer) -> Callable[[], Callable[[Asked], Answer]]:
    """Answers one after the other, the last one again and again."""

    def start() -> Callable[[Asked], Answer]:
        rest = list(answers)
        return lambda asked: rest.pop(0) if len(rest) > 1 else rest[0]

    return start


def only(path: bytes, answer: Answer, otherwise: Answer) -> Callable[[], Callable[[Asked], Answer]]:
    """An answer for one path."""
    return lambda: lambda asked: answer if asked.payload.startswith(path + b"\0") else otherwise


DEFAULT: Table = {"TRANSACTION_START": b"7\0"}
CHILDREN = in_turn(b"a\0b\0", b"")
ANSWERS: list[tuple[str, Table]] = [
    ("read /a", {"READ": bytes(range(256))}),
    ("read -R /a", {"READ": bytes(range(256))}),
    ("read /a", {"READ": "EACCES"}),
    ("read /a", {"READ": "ESOMETHING"}),
    ("read /a /b", {"TRANSACTION_START": "ENOSPC"}),
    ("read /a /b", {"TRANSACTION_END": "ENOSPC"}),
    ("read /a /b", {"TRANSACTION_END": in_turn("EAGAIN", "EAGAIN", b"OK\0"), "READ": b"v"}),
    ("exists /a /b", {"READ": "EIO"}),
    ("ls", {"DIRECTORY": CHILDREN, "READ": bytes(range(0, 256, 7))}),
    ("ls", {"DIRECTORY": CHILDREN, "READ": "EACCES"}),
    ("ls -f", {"DIRECTORY": CHILDREN, "READ": "EACCES"}),
    ("ls -p", {"DIRECTORY": CHILDREN, "READ": "EACCES", "GET_PERMS": b"n0\0r3\0"}),
    ("ls -p", {"DIRECTORY": CHILDREN, "READ": b"", "GET_PERMS": b"n0\0r3\0b32757\0"}),
    ("ls -fp", {"DIRECTORY": CHILDREN, "READ": b"x", "GET_PERMS": "EACCES"}),
    ("ls -p", {"DIRECTORY": CHILDREN, "READ": b"x" * 200, "GET_PERMS": "EACCES"}),
    ("ls", {"DIRECTORY": "EACCES"}),
    ("ls", {"DIRECTORY": only(b"/", b"a\0b\0", "EACCES"), "READ": b""}),
    ("ls", {"DIRECTORY": only(b"/", b"a\0b\0", "ENOENT"), "READ": b""}),
    ("chmod -r /a n0", {"DIRECTORY": "EACCES"}),
    ("chmod -r /a n0", {"DIRECTORY": CHILDREN, "SET_PERMS": only(b"/a/b", "EACCES", b"OK\0")}),
    ("chmod -u /a/b n0", {"SET_PERMS": only(b"/a", "EACCES", b"OK\0")}),
    ("chmod -u a/b/c n0", {}),
    ("rm -t /a/b/c", {"READ": b"", "DIRECTORY": b"", "RM": only(b"/a/b", "EACCES", b"OK\0")}),
    ("rm -t /a/b/c", {"READ": "EACCES"}),
    ("watch /a", {"WATCH": "ENOSPC"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "table"), ANSWERS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_odd_answers(tmp_path: Path, line: str, table: Table) -> None:
    (theirs, _), (ours, _) = both(tmp_path, table, line)
    assert ours == theirs


CHMODS = [
    "r-5",
    "r99999999999",
    "r9223372036854775808",
    "r4294967295",
    "'r\t7'",
    "'r- 7'",
    "b 007x",
]


@pytest.mark.parametrize("mode", CHMODS)
def test_chmod_sends_the_domids_atoi_reads(tmp_path: Path, mode: str) -> None:
    (_, theirs), (_, ours) = both(tmp_path, {}, f"chmod /a {mode}")
    assert [a.payload for a in ours if a.name == "SET_PERMS"] == [
        a.payload for a in theirs if a.name == "SET_PERMS"
    ]


OK = b"OK\0"
CONTROLS: list[tuple[str, Answers]] = [
    ("control", OK),
    ("control check", OK),
    ("control check", b""),
    ("control check", b"\0"),
    ("control check", b"text\nmore\n\0"),
    ("control check", b"no end"),
    ("control check", b"first\0second\0"),
    ("control log on", OK),
    ("control print a 'b c' ''", OK),
    ("control -h", OK),
    ("control --help", OK),
    ("control quota set nodes 5", OK),
    ("control no-such-command", in_turn("EINVAL", b"check\t\nhelp\t\n\0")),
    ("control no-such-command", in_turn("EINVAL", b"")),
    ("control no-such-command", "EINVAL"),
    ("control help", "EINVAL"),
    ("control check", "ENOENT"),
    ("control check", "EACCES"),
    ("control live-update", OK),
    ("control live-update -c", OK),
    ("control live-update -t", OK),
    ("control live-update -c words", OK),
    ("control live-update /bin/x", OK),
    ("control live-update -c 'some words' /bin/x", OK),
    ("control live-update -F /bin/x", OK),
    ("control live-update -t 10 /bin/x", OK),
    ("control live-update -t 5x /bin/x", OK),
    ("control live-update -t abc /bin/x", OK),
    ("control live-update -t 0 /bin/x", OK),
    ("control live-update -t -5 /bin/x", OK),
    ("control live-update -F -t 7 -c words /bin/x", OK),
    ("control live-update /bin/x -F", OK),
    ("control live-update /bin/x /bin/y", OK),
    ("control live-update -a", OK),
    ("control live-update ''", OK),
    ("control live-update -t 1 /bin/x", in_turn(OK, b"BUSY\0")),
    ("control live-update -t 4 -F /bin/x", in_turn(OK, b"BUSY\0", OK)),
    ("control live-update /bin/x", b"no such file\0"),
    ("control live-update /bin/x", b""),
    ("control live-update /bin/x", "EINVAL"),
    ("control live-update -c words /bin/x", in_turn(OK, b"bad words\0", OK)),
    ("control live-update -c words /bin/x", in_turn(OK, "ENOENT", OK)),
    ("control live-update /bin/x", in_turn(OK, b"Domains with long running transactions:\n\0", OK)),
    ("control live-update /bin/x", in_turn(OK, b"", OK)),
    ("control live-update /bin/x", in_turn(OK, "EACCES", OK)),
]


@pytest.mark.parametrize(("line", "answers"), CONTROLS)
def test_control_sends_and_prints_the_same(tmp_path: Path, line: str, answers: Answers) -> None:
    theirs, ours = both(tmp_path, {"CONTROL": answers, "READ": "ENOENT"}, line)
    assert ours == theirs


XC_STUB = """
static char handle[65536];
void *xc_interface_open(void *logger, void *other_logger, unsigned flags) { return handle; }
int xc_interface_close(void *interface) { return 0; }
"""
TRANSFERS = [OK, b"no\0", "EINVAL", in_turn(OK, b"no\0", OK), in_turn(OK, "EINVAL", OK)]


@pytest.mark.parametrize("answers", TRANSFERS)
def test_live_update_of_a_store_in_its_own_domain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: Answers
) -> None:
    """The program goes over in pieces; theirs reads it by way of the hypervisor's library."""
    need(Path("cc"))
    (tmp_path / "xc.c").write_text(XC_STUB)
    stub = tmp_path / "xc.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", stub, tmp_path / "xc.c"], check=True)
    binary = tmp_path / "binary"
    binary.write_bytes(bytes(range(256)) * 20)
    table: Table = {"CONTROL": answers, "READ": b"5"}
    monkeypatch.setenv("LD_PRELOAD", str(stub))
    theirs, ours = both(tmp_path, table, f"control live-update -c words {binary}")
    assert ours == theirs
