"""Concurrent transactions are strictly serialisable, in the order of their commits.

Every history is also spoilt in many ways, to show that the check would notice.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import pytest

from tests.model.history import (
    Inconsistent,
    Recording,
    Step,
    check,
    conflicts_committed,
    first_tree,
    lost_writes,
    stale_listings,
    stale_reads,
)
from tests.model.requests import OK
from tests.model.tree import Actor
from xenstore.wire import MessageType as Type

pytestmark = pytest.mark.slow

Spoil = Callable[[Sequence[Step]], Iterator[list[Step]]]
TWO_SOCKETS = [Actor(0, True), Actor(0, True)]


def ends(recording: Recording) -> list[str]:
    return [step.refused for step in recording.steps if step.type == Type.TRANSACTION_END]


@pytest.mark.parametrize(("seed", "sockets"), [(1, 1), (2, 4), (3, 12), (4, 40)])
def test_recorded_histories_are_serialisable(seed: int, sockets: int) -> None:
    recording = Recording(seed, sockets).run(transactions=2600)
    check(recording.steps, recording.actors, recording.first_tree)
    assert ends(recording).count("") > 1000
    assert ends(recording).count("EAGAIN") > 50
    assert recording.world.store.check() == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_long_histories_are_serialisable(seed: int) -> None:
    recording = Recording(seed, sockets=seed % 20 + 1).run(transactions=20_000)
    check(recording.steps, recording.actors, recording.first_tree)


@pytest.mark.parametrize("spoil", [stale_reads, stale_listings, lost_writes, conflicts_committed])
def test_planted_faults_are_found(spoil: Spoil) -> None:
    recording = Recording(seed=5, sockets=6).run(transactions=400)
    check(recording.steps, recording.actors, recording.first_tree)
    spoilt = list(islice(spoil(recording.steps), 60))
    assert len(spoilt) >= 20
    for steps in spoilt:
        with pytest.raises(Inconsistent):
            check(steps, recording.actors, recording.first_tree)


def begin(client: int, tx_id: int) -> Step:
    return Step(client, tx_id, Type.TRANSACTION_START, b"\0", b"%d\0" % tx_id, "")


def commit(client: int, tx_id: int) -> Step:
    return Step(client, tx_id, Type.TRANSACTION_END, b"T\0", OK, "")


def read(client: int, tx_id: int, path: bytes, value: bytes) -> Step:
    return Step(client, tx_id, Type.READ, path + b"\0", value, "")


def write(client: int, tx_id: int, path: bytes, value: bytes) -> Step:
    return Step(client, tx_id, Type.WRITE, path + b"\0" + value, OK, "")


A_AND_B = [write(0, 0, b"/k/a", b"0"), write(0, 0, b"/k/b", b"0")]

ANOMALIES = {
    "lost update": [
        *[begin(0, 1), begin(1, 1), read(0, 1, b"/k/a", b"0"), read(1, 1, b"/k/a", b"0")],
        *[write(0, 1, b"/k/a", b"1"), write(1, 1, b"/k/a", b"1"), commit(0, 1), commit(1, 1)],
    ],
    "write skew": [
        *[begin(0, 1), begin(1, 1), read(0, 1, b"/k/a", b"0"), read(1, 1, b"/k/b", b"0")],
        *[write(0, 1, b"/k/b", b"1"), write(1, 1, b"/k/a", b"1"), commit(0, 1), commit(1, 1)],
    ],
    "two reads of one value": [
        *[begin(0, 1), read(0, 1, b"/k/a", b"0"), write(1, 0, b"/k/a", b"1"), read(0, 1, b"/k/a", b"1")],
    ],
    "dirty read": [begin(0, 1), write(0, 1, b"/k/a", b"1"), read(1, 0, b"/k/a", b"1")],
    "own write unseen": [begin(0, 1), write(0, 1, b"/k/a", b"1"), read(0, 1, b"/k/a", b"0")],
    "two snapshots": [
        *[begin(0, 1), read(0, 1, b"/k/a", b"0"), write(1, 0, b"/k/b", b"1"), read(0, 1, b"/k/b", b"1")],
    ],
}


@pytest.mark.parametrize("name", ANOMALIES)
def test_textbook_anomalies_are_found(name: str) -> None:
    check(A_AND_B, TWO_SOCKETS, first_tree())
    with pytest.raises(Inconsistent):
        check([*A_AND_B, *ANOMALIES[name]], TWO_SOCKETS, first_tree())
