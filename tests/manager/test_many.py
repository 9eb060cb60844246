"""Fifty domains created and destroyed at once, and nothing of them stays."""

import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

from tests.manager.daemon import PATIENCE_SECONDS
from tests.manager.place import DOMAIN, Place
from tests.peers.process import rss_bytes

NAMES = [f"d{number}" for number in range(50)]
#: What xend may grow by from one such round to the next: what it remembers of operations and events.
GROWTH_MAX_BYTES = 8 << 20


def test_many_at_once(place: Place) -> None:
    pid = place.start()
    with place.client() as client:
        client.hello()
        held = descriptors(pid)
    before = place.snapshot()
    a_round(place)
    size = rss_bytes(pid)
    a_round(place)
    assert place.snapshot() == before
    assert rss_bytes(pid) < size + GROWTH_MAX_BYTES
    await_descriptors(place, held)


def a_round(place: Place) -> None:
    """All are created at the same time, then all destroyed, while somebody lists them."""

    def create(name: str) -> None:
        with place.client() as client:
            client.create(DOMAIN.format(name=name), extra=["disk=[]"])

    def destroy(name: str) -> None:
        with place.client() as client:
            client.destroy(name)

    assert at_once(place, create) > 0
    assert sorted(place.names()) == sorted(NAMES)
    assert at_once(place, destroy) > 0


def at_once(place: Place, function: Callable[[str], None]) -> int:
    """Calls it for each name, all at the same time; how often `xl list` was answered meanwhile."""
    with ThreadPoolExecutor(len(NAMES)) as threads:
        running = [threads.submit(function, name) for name in NAMES]
        listed = 0
        while not all(each.done() for each in running):
            rows = place.said("xl", "list").splitlines()
            assert 2 <= len(rows) <= 2 + len(NAMES)
            listed += 1
        wait(running)
    for each in running:
        each.result()
    return listed


def descriptors(pid: int) -> "Counter[str]":
    """What a process has open, where the system shows it; sockets as one, files by their names."""
    try:
        names = os.listdir(f"/proc/{pid}/fd")
        return Counter(os.readlink(f"/proc/{pid}/fd/{name}").split(":")[0] for name in names)
    except FileNotFoundError:
        return Counter()


def await_descriptors(place: Place, at_most: "Counter[str]") -> None:
    """Ptys that were not read stay open for a moment; returns once xend holds no more than this."""
    assert place.xend.pid is not None
    deadline = time.monotonic() + PATIENCE_SECONDS
    with place.client() as client:
        while (held := descriptors(place.xend.pid)) - at_most:
            assert time.monotonic() < deadline, held - at_most
            client.hello()
