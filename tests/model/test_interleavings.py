"""All interleavings of two transactions of three operations, with the one result each may have."""

import random
from itertools import combinations_with_replacement

import pytest

from tests.chance import seeds
from tests.model.interleaving import (
    EVERYTHING,
    LIST_P,
    MKDIR_X,
    MKDIR_Z,
    PERMS_X,
    READ_X,
    READ_Y,
    RM_X,
    WRITE_NEW,
    WRITE_X,
    WRITE_X_SAME,
    WRITE_Y,
    Program,
    Trials,
    expected,
    interleavings,
    programs_of,
)

ORDERS = list(interleavings())
CORE = programs_of([READ_X, WRITE_X, RM_X, LIST_P])
ALL = programs_of(EVERYTHING)
OK = b"OK\0"


def check_all_orders(trials: Trials, programs: tuple[Program, Program]) -> None:
    for order in ORDERS:
        assert trials.run(programs, order) == expected(programs, order), (programs, order)


def test_there_are_seventy_interleavings() -> None:
    assert len(set(ORDERS)) == 70


@pytest.mark.slow
def test_every_pair_of_core_programs() -> None:
    """Read, write and remove a node, and list its parent."""
    trials = Trials()
    for programs in combinations_with_replacement(CORE, 2):
        check_all_orders(trials, programs)
    assert trials.world.store.check() == []


def sample(seed: int, count: int) -> None:
    chance = random.Random(seed)
    trials = Trials()
    for _ in range(count):
        check_all_orders(trials, (chance.choice(ALL), chance.choice(ALL)))
    assert trials.world.store.check() == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds(1, of=4))
def test_some_pairs_of_all_programs(seed: int) -> None:
    sample(seed, count=250)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_pairs_of_all_programs(seed: int) -> None:
    sample(seed, count=5000)


#: What the design promises never to fail for: nothing that one saw is changed by the other.
COMPATIBLE: dict[str, tuple[Program, Program]] = {
    "different children": ((WRITE_NEW, MKDIR_X, READ_X), (MKDIR_Z, READ_Y, WRITE_Y)),
    "a child added beside reads of another": ((READ_X, READ_X, WRITE_X_SAME), (WRITE_NEW, MKDIR_Z, READ_Y)),
    "the same value written": ((READ_X, WRITE_X_SAME, READ_X), (WRITE_X_SAME, READ_X, WRITE_X_SAME)),
    "writes that nobody reads": ((WRITE_X, WRITE_X, WRITE_X), (WRITE_X_SAME, WRITE_Y, MKDIR_X)),
    "permissions that nobody reads": ((PERMS_X, PERMS_X, WRITE_Y), (WRITE_X, MKDIR_X, READ_X)),
    "listings and writes to children": ((LIST_P, WRITE_Y, LIST_P), (WRITE_X, READ_X, LIST_P)),
    "reads alone": ((READ_X, LIST_P, READ_Y), (RM_X, WRITE_NEW, LIST_P)),
}


@pytest.mark.parametrize("name", COMPATIBLE)
def test_compatible_transactions_both_commit(name: str) -> None:
    trials = Trials()
    for order in ORDERS:
        assert trials.run(COMPATIBLE[name], order).ends == (OK, OK), order


def test_a_listing_conflicts_with_a_new_child() -> None:
    trials = Trials()
    programs = (LIST_P, READ_X, WRITE_X), (WRITE_NEW, READ_Y, READ_Y)
    ends = {trials.run(programs, order).ends for order in ORDERS}
    assert ends == {(OK, OK), (b"EAGAIN\0", OK)}
