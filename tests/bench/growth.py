"""How large the journal becomes while clients write as fast as they can, and what a kill costs then."""

import tempfile
import threading
import time
from pathlib import Path

from tests.bench.measure import MIB, Failed, GaveUp, Measured, load
from tests.bench.restart import killed
from tests.bench.servers import OURS, SCRATCH
from tests.bench.workloads import JOURNAL, Workload

#: How often the files are looked at, in seconds.
LOOK_SECONDS = 0.005


def measure_growth(clients: int, size: int, runs: int, seconds: float) -> dict[str, dict[str, Measured]]:
    """The row of so many clients that each overwrite a node of their own with values of `size` bytes.

    Figures: journal_mb (2**20 bytes of the disk that all files of the journal took together, at most), ms
    (from executing the program to its first answer, after a kill in the midst of that), and those of the load
    generator."""
    measured = Measured()
    workload = Workload("", f"write clients={clients} bytes={size}")
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="xend-bench-", dir=SCRATCH) as scratch:
            try:
                with killed(Path(scratch)) as (daemon, _), Largest(Path(scratch, "journal")) as largest:
                    figures = load(daemon, workload, seconds)
                with killed(Path(scratch)) as (_, took):
                    measured.runs.append(figures | {"journal_mb": largest.size / MIB, "ms": took})
            except (Failed, GaveUp, RuntimeError, OSError) as error:
                measured.problem, measured.failed = str(error), True
                break
    return {JOURNAL[clients, size]: {OURS: measured}}


class Largest:
    """Looks at a directory again and again; a context manager.

    Attributes:
        size: the most that its files took of the disk at a time, in bytes.
    """

    def __init__(self, directory: Path) -> None:
        self.size = 0
        self._directory = directory
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._end.is_set():
            self.size = max(self.size, size_of(self._directory))
            time.sleep(LOOK_SECONDS)

    def __enter__(self) -> "Largest":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._end.set()
        self._thread.join()


def size_of(directory: Path) -> int:
    """Bytes of the disk that the files of a directory take; each once, although they change their names
    meanwhile."""
    blocks: dict[int, int] = {}
    for path in directory.iterdir():
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        blocks[status.st_ino] = status.st_blocks * 512
    return sum(blocks.values())
