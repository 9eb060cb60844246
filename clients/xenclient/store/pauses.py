"""How long is waited before something is tried again: a connection, a transaction that conflicted."""

from __future__ import annotations

import os

from xenclient.store.core import Pause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIRST_PAUSE_SECONDS = 0.001
LONGEST_PAUSE_SECONDS = 0.1


def randomness() -> float:
    """At least 0, below 1; `random` would double a command line's start-up time."""
    return int.from_bytes(os.urandom(4), "big") / 2**32


def pauses(first: float, longest: float, random: Callable[[], float]) -> Iterator[float]:
    """Seconds to wait after each failure: doubling up to `longest`, each shortened by up to half."""
    seconds = first
    while True:
        yield seconds * (1 - random() / 2)
        seconds = min(longest, seconds * 2)


def conflict_pauses(random: Callable[[], float]) -> Iterator[Pause]:
    """What to do after each EAGAIN, without end."""
    waits = pauses(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, random)
    for conflicts, seconds in enumerate(waits, start=1):
        yield Pause(seconds, f"a transaction to commit ({conflicts} conflicts)")
