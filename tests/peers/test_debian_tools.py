"""Debian's own command lines, unmodified, talk to this project's daemon as they do to C xenstored."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.peers.daemons import C_XENSTORED, Daemon, need, start_c, start_ours
from tests.peers.debian import XEN_BIN

pytestmark = pytest.mark.peer

TOOL_SECONDS = 60


class Run(NamedTuple):
    """What a command did: exit status, standard output, standard error."""

    status: int
    output: str
    errors: str


def run(daemon: Daemon, command: str, *arguments: str) -> Run:
    """Run /usr/bin/COMMAND against the daemon's socket.

    An argument of `BYTES*n` stands for that many bytes.
    """
    expanded = [eval_size(argument) for argument in arguments]
    result = subprocess.run(
        [tool(command), *expanded],
        env={"XENSTORED_PATH": str(daemon.socket), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=TOOL_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    return Run(result.returncode, result.stdout, result.stderr)


def eval_size(argument: str) -> str:
    return "x" * int(argument[len("BYTES*") :]) if argument.startswith("BYTES*") else argument


def tool(command: str) -> Path:
    """Where a command is; the xenstore-control in /usr/bin is a wrapper that refuses to run without Xen."""
    return (XEN_BIN if command in ("xenstore-control", "test-xenstore") else Path("/usr/bin")) / command


#: Run from top to bottom on a fresh store; each line builds on those before it.
SCRIPT = [line.split() for line in """
xenstore-ls
xenstore-ls -f -p /
xenstore-ls /missing
xenstore-ls -p /tool
xenstore-list /
xenstore-list -p /
xenstore-list /missing
xenstore-write /a/b/c value
xenstore-write /a/b/d one /a/b/e two
xenstore-write /a/b/
xenstore-write /a//b value
xenstore-write /a.b value
xenstore-write a/relative value
xenstore-read a/relative
xenstore-read /local/domain/0/a/relative
xenstore-read /a/b/c
xenstore-read -p /a/b/c /a/b/d /a/b/e
xenstore-read /a/b/c /a/b/missing
xenstore-read /a
xenstore-read @releaseDomain
xenstore-exists /a/b/c
xenstore-exists /a/b/missing
xenstore-exists /a/b/c /a/b/missing
xenstore-exists /
xenstore-list /a/b
xenstore-list -p /a/b /a
xenstore-write /a/b/c changed
xenstore-list /a/b
xenstore-ls -f /a
xenstore-ls -p /a
xenstore-ls -f -p /a
xenstore-write /long BYTES*3000
xenstore-read /long
xenstore-ls /
xenstore-write /toolong BYTES*4096
xenstore-chmod /a/b/c r0 b3
xenstore-chmod /a/b/c n0 r3 w4
xenstore-chmod -r /a/b n7 r8
xenstore-chmod -u -r /a/b/d r9
xenstore-chmod /a/missing r0
xenstore-chmod /a/b q0
xenstore-chmod /a/b
xenstore-ls -p /a
xenstore-write /a/b/child-of-foreign-directory x
xenstore-ls -p /a/b
xenstore-rm /a/b/c
xenstore-rm /a/b/c
xenstore-rm /a/missing/deeper
xenstore-rm /
xenstore-list /a/b
xenstore-write /a/b/c again
xenstore-list /a/b
xenstore-rm -t /a/b/c /a/b/d
xenstore-ls /
xenstore-rm -t /a/b/e
xenstore-rm -t /a/b/child-of-foreign-directory
xenstore-ls /
xenstore-rm /long /local
xenstore-ls -f /
""".splitlines() if line]  # fmt: skip

#: Commands of xenstore-control whose answer Xen 4.17 and newer share.
CONTROL = [line.split() for line in """
xenstore-control check
xenstore-control print hello
xenstore-control no-such-command
xenstore-control quota 4711
xenstore-control quota set nodes none
xenstore-control quota set no-such-quota 5
""".splitlines() if line]  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, Daemon]]:
    """C xenstored and ours, both fresh."""
    need(C_XENSTORED, *(tool(command) for command in {line[0] for line in SCRIPT + CONTROL}))
    with (
        start_c(tmp_path_factory.mktemp("c")) as theirs,
        start_ours(tmp_path_factory.mktemp("ours"), is_forked=True) as ours,
    ):
        yield theirs, ours


def test_the_script_prints_the_same(both: tuple[Daemon, Daemon]) -> None:
    theirs, ours = both
    for line in SCRIPT:
        expected = run(theirs, *line)
        assert run(ours, *line) == expected, f"differs after: {' '.join(line)}"


def test_a_listing_longer_than_a_message(both: tuple[Daemon, Daemon]) -> None:
    """libxenstore falls back from DIRECTORY (E2BIG) to DIRECTORY_PART."""
    results = []
    for daemon in both:
        for first in range(0, 900, 100):
            pairs = [f"/big/child-number-{n}" for n in range(first, first + 100)]
            assert (
                run(daemon, "xenstore-write", *(word for path in pairs for word in (path, "v"))).status == 0
            )
        results.append([run(daemon, "xenstore-list", "/big"), run(daemon, "xenstore-ls", "/big")])
        assert run(daemon, "xenstore-rm", "/big").status == 0
    assert results[0][0].output.splitlines() == [f"child-number-{n}" for n in range(900)]
    assert results[1] == results[0]


@pytest.mark.parametrize("line", CONTROL, ids=" ".join)
def test_control_answers_the_same(both: tuple[Daemon, Daemon], line: list[str]) -> None:
    theirs, ours = both
    expected = run(theirs, *line)
    answer = run(ours, *line)
    # After an unknown command or argument the tool prints the daemon's list of commands, which grew.
    assert (answer.status, answer.output) == (expected.status, expected.output)
    assert answer.errors.splitlines()[:1] == expected.errors.splitlines()[:1]


def test_control_lists_quotas(both: tuple[Daemon, Daemon]) -> None:
    """Ours answers as Xen 4.22, whose names and columns differ from 4.17's."""
    _, ours = both
    lines = run(ours, "xenstore-control", "quota").output.splitlines()
    assert lines[0] == "Quota settings:"
    assert lines[1].startswith("nodes            :     1000 ")


def test_watch_prints_the_same(both: tuple[Daemon, Daemon]) -> None:
    assert watched(both[1]) == watched(both[0])


def watched(daemon: Daemon) -> list[str]:
    """What xenstore-watch prints of a few changes; its first lines are the initial events."""
    watch = subprocess.Popen(
        [tool("xenstore-watch"), "-n", "7", "/w", "@releaseDomain"],
        env={"XENSTORED_PATH": str(daemon.socket)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watch.stdout is not None
    with watch.stdout as output:
        lines = [output.readline(), output.readline()]
        run(daemon, "xenstore-write", "/w/a", "1", "/w/b", "2")
        run(daemon, "xenstore-write", "/elsewhere", "1")
        run(daemon, "xenstore-chmod", "/w/a", "r0")
        run(daemon, "xenstore-rm", "/w/a")
        run(daemon, "xenstore-rm", "/w")
        lines += output.readlines()
    assert watch.wait(TOOL_SECONDS) == 0
    run(daemon, "xenstore-rm", "/elsewhere")
    return lines


@pytest.mark.parametrize("which", [0, 1], ids=["c", "ours"])
def test_xens_own_test_program_passes(both: tuple[Daemon, Daemon], which: int) -> None:
    result = run(both[which], "test-xenstore", "-i", "1000")
    assert result.status == 0, result
    assert len(result.output.splitlines()) == 12
    left = run(both[which], "xenstore-ls", "/local/domain/0/xenstore-test")
    assert left.output == ""
