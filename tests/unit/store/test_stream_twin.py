"""Two equal stores with the same history, one of them put through a stream at random points, say the same."""

import random

import pytest

from tests.unit.store.random_store import nodes_of
from tests.unit.store.test_export import CLIENTS, Twin, random_request
from xenstore import stream
from xenstore.image import capture, restore
from xenstore.store import Store


def move(twin: Twin) -> None:
    """The whole store made anew out of its stream, as a live update does."""
    sockets = [name for name in CLIENTS if twin.sessions[name].privileged]
    fds = [(fd, twin.sessions[name]) for fd, name in enumerate(sockets, 10)]
    old = twin.world.store
    data = b"".join(stream.write(capture(old, fds), old, private=True))
    store = Store(hypervisor=twin.world.hypervisor)
    clients = restore(stream.read(data, store), store)
    store.now = old.now
    twin.world.store = store
    for fd, name in enumerate(sockets, 10):
        twin.sessions[name] = clients[fd]
    for domid, session in store.introduced.items():
        twin.sessions[f"guest {domid}"] = session


def act(chance: random.Random, twins: tuple[Twin, Twin], unfed: dict[str, bytes]) -> None:
    name = chance.choice(CLIENTS)
    if chance.random() < 0.65:
        unfed[name] += random_request(chance)
        size = chance.choice([3, 20, len(unfed[name])])
        for twin in twins:
            twin.sessions[name].feed(unfed[name][:size])
        unfed[name] = unfed[name][size:]
    else:
        limit = chance.choice([1, 10, 16, 100, 10_000])
        for twin in twins:
            twin.take(name, limit)


def check_a_history(seed: int) -> None:
    chance = random.Random(seed)
    twins = moved, still = Twin(), Twin()
    unfed = dict.fromkeys(CLIENTS, b"")
    for _ in range(200):
        act(chance, twins, unfed)
        if chance.random() < 0.05:
            move(moved)
            assert moved.world.store.check() == []
        assert moved.output == still.output
    for twin in twins:
        twin.settle()
    assert moved.output == still.output
    assert nodes_of(moved.world.store) == nodes_of(still.world.store)
    for domid in (0, 1, 2):
        usage = moved.world.store.usage(domid)
        assert usage == still.world.store.usage(domid)


@pytest.mark.parametrize("seed", range(60))
def test_a_store_moved_at_any_point_says_the_same(seed: int) -> None:
    check_a_history(seed)


@pytest.mark.long
def test_two_thousand_histories() -> None:
    for seed in range(1000, 3000):
        check_a_history(seed)
