"""Judging what came of it."""

from collections.abc import Iterable, Iterator, Sequence

from tests.chaos.run import Outcome
from tests.chaos.tenant import END
from tests.stress import verdict
from tests.stress.bank import Balance
from tests.stress.run import Outcome as Transfers

#: What a store may say at its start, and when it is told to stop; anything else is a fault.
_INNOCENT = ("recovered from ", "serving ", "SIGTERM: stopping")
#: A frame that was being written when the store was killed: nobody had an answer.
_TORN = ("journal: dropped ", "a frame is damaged or incomplete")


def faults(outcome: Outcome) -> list[str]:
    """What is wrong, one sentence each."""
    found = [*outcome.faults, *_complaints(outcome.said.splitlines())]
    found += verdict.faults(Transfers(outcome.history, outcome.balances, []))
    for number, known in enumerate(outcome.known):
        found += stale(number, known, outcome.balances)
    for domid, (bells, increments, counter) in outcome.guests.items():
        found += bells_missed(domid, bells, outcome.rung[domid])
        if increments != counter:
            found.append(f"guest {domid} has increased its counter {increments} times, it says {counter}")
    return found


def stale(number: int, known: Sequence[Balance], balances: Sequence[Balance]) -> list[str]:
    """Accounts of which a watcher did not get the last event."""
    wrong = [account for account, balance in enumerate(balances) if known[account] != balance]
    return [f"watcher {number} was not told of the last change of account {account}" for account in wrong]


def bells_missed(domid: int, bells: Sequence[str], rung: int) -> list[str]:
    """What of a guest's events differs from one for each bell, in order, between the first and the last."""
    due = ["", *map(str, range(rung)), END]
    if list(bells) == due:
        return []
    pairs = zip([*bells, "none"], [*due, "none"], strict=False)
    told, expected = next((told, expected) for told, expected in pairs if told != expected)
    return [
        f"guest {domid} got {len(bells)} events, {len(due)} were due: {told!r} instead of {expected!r} first"
    ]


def _complaints(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        text = line.removeprefix("xenstored: ")
        if not text.startswith(_INNOCENT) and not all(part in text for part in _TORN):
            yield f"a store said: {text}"
