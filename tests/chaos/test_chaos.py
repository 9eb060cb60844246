"""The program: passes on a good store, finds what was planted, and each of its checks can fail."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.chaos.crew import Member
from tests.chaos.run import Outcome
from tests.chaos.verdict import bells_missed, faults, stale
from tests.peers.daemons import ROOT
from tests.stress.bank import FIRST_VERSION, OPENING_BALANCE, Balance


def chaos(*words: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "tests.chaos",
        "--seconds",
        "3",
        "--clients",
        "6",
        "--guests",
        "3",
        *words,
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)


def test_ours_survives() -> None:
    done = chaos()
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "PASSED: " in done.stdout
    assert " committed " in done.stdout


def test_dropped_changes_are_found() -> None:
    done = chaos("--plant", "--seconds", "8", "--every", "6")
    assert (done.returncode, done.stderr) == (0, "")
    assert "FOUND" in done.stdout


BALANCES = [Balance(OPENING_BALANCE, FIRST_VERSION)] * 2
GOOD = {1: (["", "0", "1", "end"], 5, 5)}


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    said = (
        "xenstored: recovered from /r/journal: 7 nodes and 1 domains, as of change 3\n"
        "xenstored: journal: dropped /r/log.1: after frame 3: a frame is damaged or incomplete\n"
        "xenstored: serving /r/socket and the rings of 1 domains on sim:/r\n"
        "xenstored: SIGTERM: stopping\n"
    )
    assert faults(Outcome([], BALANCES, rung={1: 2}, guests=GOOD, said=said, known=[BALANCES])) == []


@pytest.mark.parametrize(
    ("outcome", "fault"),
    [
        (Outcome(said="xenstored: check: 3 nodes counted, 4 found"), "check: 3 nodes counted"),
        (Outcome(said="xenstored: journal: dropped /r/log.2: it belongs to another journal"), "dropped"),
        (Outcome(faults=["guest 3: died"]), "guest 3: died"),
        (Outcome(rung={1: 2}, guests={1: (["", "0", "1", "end"], 5, 6)}), "5 times, it says 6"),
        (Outcome(rung={1: 3}, guests=GOOD), "4 events, 5 were due"),
        (Outcome(balances=BALANCES[:1], known=[[Balance(7, "0.1")]]), "last change of account 0"),
    ],
)
def test_faults(outcome: Outcome, fault: str) -> None:
    assert any(fault in found for found in faults(outcome))


@pytest.mark.parametrize(
    ("bells", "first"),
    [
        (["", "1", "end"], "'1' instead of '0'"),
        (["", "0", "0", "1", "end"], "'0' instead of '1'"),
        (["", "", "0", "1", "end"], "'' instead of '0'"),
        (["", "1", "0", "end"], "'1' instead of '0'"),
        (["", "0", "1"], "'none' instead of 'end'"),
    ],
)
def test_events_missing_twice_or_in_disorder(bells: list[str], first: str) -> None:
    assert bells_missed(1, ["", "0", "1", "end"], 2) == []
    assert first in bells_missed(1, bells, 2)[0]


def test_a_watcher_that_was_told_everything() -> None:
    assert stale(0, BALANCES, BALANCES) == []


def die() -> None:
    raise ValueError("of shame")


def test_members_leave_results_and_faults_behind(tmp_path: Path) -> None:
    members = [Member("good", lambda: [1, 2], tmp_path), Member("bad one", die, tmp_path)]
    for member in members:
        member.start()
    deadline = time.monotonic() + 60
    assert [member.result(deadline) for member in members] == [
        ([1, 2], None),
        (None, "bad one: ValueError: of shame"),
    ]
