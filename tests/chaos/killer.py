"""Kills the store and starts it again, on the same run directory."""

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from tests.peers.daemons import Daemon, start_ours

#: Where that is planted: how many acknowledged changes are dropped at least, how long they are waited for.
DROPPED_LEAST, DROPPED_SECONDS = 20, 60.0
#: How often is looked how many there are, in seconds.
LOOK_SECONDS = 0.01


class Killer:
    """Has a store running, which `strike` kills by SIGKILL.

    plant: the number of the kill after which the journal is put back to what it was a moment before; 0: none.

    Attributes:
        recovered_ms: for each kill, the time from executing the next program to its first answer.
    """

    def __init__(self, rundir: Path, plant: int = 0) -> None:
        self.recovered_ms: list[float] = []
        self._rundir = rundir
        self._plant = plant
        self.daemon: Daemon = start_ours(rundir)

    @property
    def kills(self) -> int:
        return len(self.recovered_ms)

    def strike(self, acknowledged: Callable[[], int]) -> None:
        """Kill and restart; returns once the new store answers.

        acknowledged: how many changes are by now, of those that are dropped where that is planted.

        Raises:
            RuntimeError: it does not.
        """
        if self.kills + 1 == self._plant:
            self._kill_and_forget(acknowledged)
        else:
            self.daemon.kill()
        began = time.perf_counter()
        self.daemon = start_ours(self._rundir)
        self.recovered_ms.append((time.perf_counter() - began) * 1000)

    def _kill_and_forget(self, acknowledged: Callable[[], int]) -> None:
        journal, aside = self._rundir / "journal", self._rundir / "aside"
        shutil.copytree(journal, aside, ignore=shutil.ignore_patterns("*.new"))
        enough, end = acknowledged() + DROPPED_LEAST, time.monotonic() + DROPPED_SECONDS
        while acknowledged() < enough and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        self.daemon.kill()
        shutil.rmtree(journal)
        aside.rename(journal)

    def stop(self) -> str:
        """End it; returns what it has printed, all of them."""
        self.daemon.stop()
        return self.daemon.stderr()


class Moments:
    """When to strike: once in every interval, at a random moment of its second half."""

    def __init__(self, began: float, every: float, seed: int) -> None:
        self._began = began
        self._every = every
        self._random = random.Random(seed)
        self._number = 0

    def next(self) -> float:
        self._number += 1
        return self._began + (self._number - self._random.random() / 2) * self._every
