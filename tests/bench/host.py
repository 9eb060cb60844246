"""A simulated host of its own for a measurement: the real xend with its embedded store, the real simulator.

Everything is below a scratch directory, in memory where the system allows it, as /var/run mostly is.  The
hotplug scripts are a compiled program (`native/hotplug.c`), so that what is measured is xend.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.bench.programs import program
from tests.bench.servers import SCRATCH
from tests.peers.process import Watchdog, cpu_seconds, rss_bytes
from xend.simulator.image import write_kernel

START_SECONDS = 30.0
STOP_SECONDS = 20.0
LOOK_SECONDS = 0.02
KERNEL = "/kernel"
DISK_BYTES = 1 << 20
SCRIPTS = ("block", "vif-bridge")
MEMORY_MIB = 32


class Failed(Exception):
    """The host did not come up, or did not do what it was asked for."""


@dataclass(frozen=True)
class Shape:
    """How many devices a domain has."""

    vifs: int = 1
    vbds: int = 1

    @property
    def devices(self) -> int:
        return self.vifs + self.vbds


#: What a domain has whose devices do not matter.
ONE_OF_EACH = Shape()


@dataclass(frozen=True)
class Cost:
    """What xend (its embedded store included) and the simulator had used at a moment."""

    wall_s: float
    xend_cpu_s: float
    simulator_cpu_s: float

    def __sub__(self, other: Self) -> Self:
        return type(self)(
            self.wall_s - other.wall_s,
            self.xend_cpu_s - other.xend_cpu_s,
            self.simulator_cpu_s - other.simulator_cpu_s,
        )


class MeasuredHost:
    """Both processes.

    Attributes:
        xend, simulator: process ids.
        bus: xend's socket.
        store: the embedded store's socket.
    """

    def __init__(self, directory: Path, xend: int, simulator: int) -> None:
        self.directory = directory
        self.xend = xend
        self.simulator = simulator
        self.bus = directory / "socket"
        self.store = directory / "xenstored" / "socket"

    def configuration(self, name: str, shape: Shape = ONE_OF_EACH) -> str:
        """A domain, whose disks are put there if they are missing."""
        vifs = ", ".join(["'bridge=bridge0'"] * shape.vifs)
        disks = [f"'{self.disk(f'{name}-{number}')},{number:#x},w'" for number in range(shape.vbds)]
        return f"""
name = "{name}"
kernel = "{KERNEL}"
memory = {MEMORY_MIB}
vif = [ {vifs} ]
disk = [ {", ".join(disks)} ]
"""

    def disk(self, name: str) -> str:
        """The target that a disk is of this name, which is put there if it is missing."""
        with open(f"{self.directory}/root/disks/{name}", "ab") as image:
            image.truncate(DISK_BYTES)
        return f"file:/disks/{name}"

    def cost(self) -> Cost:
        """Up to now."""
        return Cost(time.monotonic(), cpu_seconds(self.xend), cpu_seconds(self.simulator))

    def rss(self) -> int:
        """xend's resident memory, in bytes."""
        return rss_bytes(self.xend)

    def simulator_rss(self) -> int:
        """The simulator's, in bytes."""
        return rss_bytes(self.simulator)

    def descriptors(self) -> int:
        """How many files xend has open."""
        listing = Path(f"/proc/{self.xend}/fd")
        if listing.is_dir():
            return len(os.listdir(listing))
        lines = subprocess.run(["fstat", "-p", str(self.xend)], capture_output=True, text=True).stdout
        return len(lines.splitlines()) - 1


@contextmanager
def measured_host(domains: int) -> Iterator[MeasuredHost]:
    """A host with room for so many domains, as long as the block runs.

    Raises:
        Failed: it did not come up; the text holds what it said.
    """
    scratch = Path(tempfile.mkdtemp(prefix="xend-bench-", dir=SCRATCH))
    try:
        _furnish(scratch)
        with (
            _process(scratch, "simulator", _simulator(scratch, domains), scratch / "sim/host.socket") as sim,
            _process(scratch, "xend", _xend(scratch), scratch / "socket") as xend,
        ):
            yield MeasuredHost(scratch, xend, sim)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _furnish(scratch: Path) -> None:
    (scratch / "root").mkdir()
    write_kernel(scratch / f"root{KERNEL}")
    (scratch / "root/disks").mkdir()
    (scratch / "etc/scripts").mkdir(parents=True)
    for name in SCRIPTS:
        shutil.copy(program("hotplug"), scratch / "etc/scripts" / name)


def _simulator(scratch: Path, domains: int) -> list[str]:
    memory_mib = 1024 + domains * MEMORY_MIB
    command = [sys.executable, "-m", "xend.simulator", str(scratch / "sim")]
    return [*command, "--no-fork", "--seed", "1", "--memory-mib", str(memory_mib)]


def _xend(scratch: Path) -> list[str]:
    places = {
        "hypervisor": f"sim:{scratch / 'sim'}",
        "rundir": scratch,
        "config-dir": scratch / "etc",
        "log-dir": scratch / "log",
        "root": scratch / "root",
        "platform": "linux",
    }
    options = [f"--{name}={place}" for name, place in places.items()]
    return [sys.executable, "-m", "xend", "--no-fork", *options]


@contextmanager
def _process(scratch: Path, name: str, command: list[str], socket: Path) -> Iterator[int]:
    """The process id of a command that is up once its socket is there."""
    with open(scratch / f"{name}.stderr", "wb") as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
    watchdog = Watchdog(process.pid)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not socket.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                said = (scratch / f"{name}.stderr").read_text(errors="replace")
                raise Failed(f"{name} did not come up: {said[-500:]}")
            time.sleep(LOOK_SECONDS)
        yield process.pid
    finally:
        watchdog.dismiss()
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        process.kill()
        process.wait()
