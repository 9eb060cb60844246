"""The check of histories: planted faults are found, and it agrees with trying every order."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stress.bank import FIRST_VERSION
from tests.stress.history import Committed, check, load

OPENING = FIRST_VERSION


def tx(name: str, began: int, ended: int, reads: dict[int, str], *writes: int) -> Committed:
    return Committed(name, began, ended, reads, writes)


#: A sentence, a history, the last versions of its accounts, what is said about it (nothing: it is good).
HISTORIES = [
    ("nothing happened", [], [OPENING], ""),
    (
        "one after the other",
        [tx("a", 0, 1, {0: OPENING, 1: OPENING}, 0, 1), tx("b", 2, 3, {0: "a", 1: "a"}, 0)],
        ["b", "a"],
        "",
    ),
    (
        "at the same time, in the order opposite to their beginnings",
        [tx("a", 0, 9, {0: "b"}, 0), tx("b", 1, 8, {0: OPENING}, 0)],
        ["a"],
        "",
    ),
    (
        "a reader that overlaps a writer may see what was before it",
        [tx("a", 0, 5, {0: OPENING}, 0), tx("b", 4, 9, {0: OPENING})],
        ["a"],
        "",
    ),
    (
        "two writers replaced one version",
        [tx("a", 0, 5, {0: OPENING}, 0), tx("b", 0, 5, {0: OPENING}, 0)],
        ["b"],
        "lost update: a and b both replaced version opening of account 0",
    ),
    (
        "a version out of nowhere",
        [tx("a", 0, 5, {0: "z"})],
        [OPENING],
        "a read version z of account 0, which no committed transaction wrote",
    ),
    (
        "the last write is missing",
        [tx("a", 0, 5, {0: OPENING}, 0)],
        [OPENING],
        "account 0 ended with version opening; the last in its history is a",
    ),
    (
        "write skew: each read what the other replaced",
        [tx("a", 0, 5, {0: OPENING, 1: OPENING}, 0), tx("b", 0, 5, {0: OPENING, 1: OPENING}, 1)],
        ["a", "b"],
        "no serial order: b before a before b",
    ),
    (
        "a stale read: the write had ended before the reader began",
        [tx("a", 0, 1, {0: OPENING}, 0), tx("b", 2, 3, {0: OPENING})],
        ["a"],
        "no serial order",
    ),
    (
        "a read of the future",
        [tx("b", 0, 1, {0: "a"}), tx("a", 2, 3, {0: OPENING}, 0)],
        ["a"],
        "no serial order",
    ),
    (
        "an audit that saw one half of a transfer",
        [tx("a", 0, 9, {0: OPENING, 1: OPENING}, 0, 1), tx("b", 0, 9, {0: "a", 1: OPENING})],
        ["a", "a"],
        "no serial order",
    ),
    (
        "versions in a circle",
        [tx("a", 0, 5, {0: "b"}, 0), tx("b", 0, 5, {0: "a"}, 0)],
        [OPENING],
        "no serial order",
    ),
]


@pytest.mark.parametrize(("sentence", "history", "final", "said"), HISTORIES, ids=[h[0] for h in HISTORIES])
def test_table(sentence: str, history: list[Committed], final: list[str], said: str) -> None:
    found = check(history, final)
    assert bool(found) == bool(said)
    assert not said or said in found[0]


def explains(order: Sequence[Committed], final: Sequence[str]) -> bool:
    """Run in this order, every read sees what it saw, the end is the end, and nothing precedes its past."""
    now = [OPENING] * len(final)
    for position, this in enumerate(order):
        if any(now[account] != version for account, version in this.reads.items()):
            return False
        if any(later.ended < this.began for later in order[position:]):
            return False
        for account in this.writes:
            now[account] = this.name
    return now == list(final)


ACCOUNTS = 2


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Committed], list[str]]:
    """A serial history with its times, in which afterwards some reads and times are changed at will."""
    now = [OPENING] * ACCOUNTS
    history = []
    for number in range(draw(st.integers(0, 5))):
        accounts = draw(st.lists(st.integers(0, ACCOUNTS - 1), unique=True, min_size=1))
        writes = tuple(draw(st.lists(st.sampled_from(accounts), unique=True)))
        began = number * 4 - draw(st.integers(0, 9))
        reads = {account: now[account] for account in accounts}
        if draw(st.integers(0, 3)) == 0:
            reads[accounts[0]] = draw(st.sampled_from([OPENING, "0", "1", "2", "3", "4"]))
        history.append(Committed(str(number), began, began + draw(st.integers(1, 12)), reads, writes))
        for account in writes:
            now[account] = str(number)
    return draw(st.permutations(history)), now


@settings(max_examples=500, deadline=None)
@given(histories())
def test_agrees_with_trying_every_order(example: tuple[list[Committed], list[str]]) -> None:
    history, final = example
    possible = any(explains(order, final) for order in itertools.permutations(history))
    assert (check(history, final) == []) is possible


def test_the_order_of_lines_and_files_does_not_matter(tmp_path: Path) -> None:
    first, second = tx("a", 0, 1, {0: OPENING, 1: OPENING}, 0), tx("b", 2, 3, {0: "a"}, 0)
    (tmp_path / "1").write_text(second.to_line())
    (tmp_path / "2").write_text(first.to_line())
    assert load([tmp_path / "1", tmp_path / "2"]) == [second, first]


def test_ten_thousand_transactions_and_one_stale_read() -> None:
    history = [tx(str(n), 2 * n, 2 * n + 1, {0: str(n - 1) if n else OPENING}, 0) for n in range(10_000)]
    assert check(history, ["9999"]) == []
    stale = tx("reader", 10_000, 10_001, {0: "100"})
    assert "no serial order" in check([*history, stale], ["9999"])[0]
