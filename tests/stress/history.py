"""Was there one order of all committed transactions that explains what each of them read?

Every write names its version and every writer reads what it replaces, so the order of an account's
versions is known and the question has a quick answer: the graph of who must precede whom has no cycle
(Adya, "Weak Consistency", 1999, serialisation graphs; real time added as in strict serialisability).
"""

import bisect
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.stress.bank import FIRST_VERSION


@dataclass(frozen=True)
class Committed:
    """A transaction that the store has accepted: when (monotonic ns), what it read, what it replaced.

    `reads` maps an account to the version seen; `writes` are the accounts that now have version `name`,
    all of them also read.
    """

    name: str
    began: int
    ended: int
    reads: dict[int, str] = field(default_factory=dict)
    writes: tuple[int, ...] = ()

    def to_line(self) -> str:
        return json.dumps([self.name, self.began, self.ended, list(self.reads.items()), self.writes]) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "Committed":
        name, began, ended, reads, writes = json.loads(line)
        return cls(name, began, ended, dict(reads), tuple(writes))


def load(files: Iterable[Path]) -> list[Committed]:
    """All transactions that the clients have written down."""
    return [Committed.from_line(line) for file in files for line in file.read_text().splitlines()]


def check(history: Sequence[Committed], final: Sequence[str]) -> list[str]:
    """What is wrong, one sentence each; empty when the history is strictly serialisable.

    `final` is the version of each account at the end.  Costs about 10 us per transaction.
    """
    replaced, problems = _versions(history)
    problems += _chains(history, replaced, final)
    return problems or _cycle(history, replaced) or _strays(history)


#: Which transaction (its index) replaced a version of an account.
_Replaced = dict[tuple[int, str], int]


def _versions(history: Sequence[Committed]) -> tuple[_Replaced, list[str]]:
    replaced: _Replaced = {}
    problems = []
    for index, this in enumerate(history):
        for account in this.writes:
            seen = this.reads[account]
            other = replaced.setdefault((account, seen), index)
            if other != index:
                problems.append(
                    f"lost update: {history[other].name} and {this.name} both replaced "
                    f"version {seen} of account {account}"
                )
    return replaced, problems


def _chains(history: Sequence[Committed], replaced: _Replaced, final: Sequence[str]) -> list[str]:
    """Every account's versions follow each other from the first to the last; nothing else was read."""
    written = {(account, this.name) for this in history for account in this.writes}
    known = written | {(account, FIRST_VERSION) for account in range(len(final))}
    problems = [
        f"{this.name} read version {version} of account {account}, which no committed transaction wrote"
        for this in history
        for account, version in this.reads.items()
        if (account, version) not in known
    ]
    for account, last in enumerate(final):
        version = FIRST_VERSION
        seen = {version}
        while (account, version) in replaced:
            version = history[replaced[account, version]].name
            if version in seen:
                return [*problems, f"version {version} of account {account} follows itself"]
            seen.add(version)
        if version != last:
            problems.append(
                f"account {account} ended with version {last}; the last in its history is {version}"
            )
    return problems


def _strays(history: Sequence[Committed]) -> list[str]:
    """Versions that replace themselves: they stand in nobody's way, and in no chain."""
    return [
        f"{this.name} read its own version of account {account}"
        for this in history
        for account in this.writes
        if this.reads[account] == this.name
    ]


def _cycle(history: Sequence[Committed], replaced: _Replaced) -> list[str]:
    """Sorts topologically; what cannot be sorted holds a cycle."""
    after = _must_precede(history, replaced)
    waiting_for = [0] * len(after)
    for followers in after:
        for follower in followers:
            waiting_for[follower] += 1
    ready = [node for node, count in enumerate(waiting_for) if count == 0]
    for node in ready:  # grows while it is walked
        for follower in after[node]:
            waiting_for[follower] -= 1
            if waiting_for[follower] == 0:
                ready.append(follower)
    stuck = [node for node, count in enumerate(waiting_for) if count]
    if not stuck:
        return []
    names = [history[node].name for node in _one_cycle(stuck, after) if node < len(history)]
    middle = names if len(names) <= 6 else [*names[:6], "..."]
    return [f"no serial order: {' before '.join([*middle, names[0]])}"]


def _one_cycle(stuck: Sequence[int], after: Sequence[Sequence[int]]) -> list[int]:
    """Each of these nodes follows another of them, so that going back and back must come round."""
    among = set(stuck)
    before = {follower: node for node in stuck for follower in after[node] if follower in among}
    position = {stuck[0]: 0}
    node = before[stuck[0]]
    while node not in position:
        position[node] = len(position)
        node = before[node]
    return list(position)[position[node] :][::-1]


def _must_precede(history: Sequence[Committed], replaced: _Replaced) -> list[list[int]]:
    """For each node those it precedes: transactions first, then one moment per end of a transaction."""
    writer = {(account, this.name): index for index, this in enumerate(history) for account in this.writes}
    after: list[list[int]] = [[] for _ in range(2 * len(history))]
    for index, this in enumerate(history):
        for read in this.reads.items():
            if read in writer and writer[read] != index:
                after[writer[read]].append(index)
            if replaced.get(read, index) != index:
                after[index].append(replaced[read])
    for node, follower in _in_time(history):
        after[node].append(follower)
    return after


def _in_time(history: Sequence[Committed]) -> Iterator[tuple[int, int]]:
    """Who has ended precedes whoever begins later: by way of moments, for pairs would be too many."""
    by_end = sorted(range(len(history)), key=lambda index: history[index].ended)
    ends = [history[index].ended for index in by_end]
    for moment, index in enumerate(by_end):
        yield index, len(history) + moment
        if moment > 0:
            yield len(history) + moment - 1, len(history) + moment
    for index, this in enumerate(history):
        moment = bisect.bisect_left(ends, this.began) - 1
        if moment >= 0:
            yield len(history) + moment, index
