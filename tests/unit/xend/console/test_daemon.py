"""xenconsoled as a process, on a simulated host and a real store: started, killed, started again, stopped."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from tests.snapshot import snapshot
from tests.unit.xend.console.reader import Reader
from tests.unit.xend.simulator.conftest import host_process, short_path, store_process
from tests.unit.xend.simulator.process import HostProcess, StoreProcess
from tests.unit.xend.simulator.world import Toolstack
from xenclient.store import aio
from xend.hypervisor.simulator import Simulator
from xend.simulator.image import write_kernel

__all__ = ["host_process", "short_path", "store_process"]

SECONDS = 60


class Daemon:
    """xenconsoled in the background."""

    def __init__(self, directory: Path, host: HostProcess, store: StoreProcess) -> None:
        self.logs = directory / "logs"
        self._pid_file = directory / "pid"
        self._command = [sys.executable, "-m", "xend.console", "--log=all"]
        self._command += ["--log-dir", str(self.logs), "--pid-file", str(self._pid_file)]
        self._command += ["--hypervisor", f"sim:{host.directory}", "--store", str(store.socket)]
        self._pid = 0

    async def start(self) -> None:
        """Returns once it serves."""
        run = await trio.run_process(self._command, capture_stderr=True)
        assert run.stderr == b""
        self._pid = int(self._pid_file.read_text())

    async def again(self) -> subprocess.CompletedProcess[bytes]:
        """Another one, while it runs."""
        return await trio.run_process(self._command, capture_stderr=True, check=False)

    async def end(self, number: int) -> None:
        """Send a signal; returns once it is gone."""
        os.kill(self._pid, number)
        with suppress(ProcessLookupError):
            while True:  # it is nobody's child here
                os.kill(self._pid, 0)
                await trio.sleep(0.01)
        self._pid = 0

    def clean_up(self) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)


@pytest.fixture
def daemon(
    short_path: Path,
    host_process: HostProcess,
    store_process: StoreProcess,
) -> Iterator[Daemon]:
    host_process.start()
    store_process.start()
    daemon = Daemon(short_path, host_process, store_process)
    yield daemon
    daemon.clean_up()


async def tty_of(store: aio.Client, domid: int, other_than: bytes = b"") -> str:
    """The name of its pty, once it has a new one."""
    path = f"/local/domain/{domid}/console/tty"
    async with store.watch(path) as watch:
        async for _ in watch:
            tty = await store.read(path)
            if tty not in (b"", other_than):
                return tty.decode()
    raise AssertionError("unreachable")


async def read_to(reader: Reader, what: bytes) -> None:
    text = b""
    while what not in text:
        piece = await reader.read(1)
        assert piece, text
        text += piece


async def live(daemon: Daemon, toolstack: Toolstack) -> None:
    domid, rings = await toolstack.create()
    console = f"/local/domain/{domid}/console"
    for node, value in {"tty": "", "ring-ref": rings.console_gfn, "port": rings.console_port}.items():
        await toolstack.store.write(f"{console}/{node}", str(value))
    await daemon.start()
    before = snapshot(daemon.logs.parent)
    second = await daemon.again()
    assert second.returncode == 1
    assert b"is held by a running daemon" in second.stderr
    assert snapshot(daemon.logs.parent) == before
    await toolstack.host.unpause(domid)
    first = await tty_of(toolstack.store, domid)
    with Reader(first) as reader:
        await read_to(reader, b"login: ")
        os.write(reader.fd, b"root\r")
        await read_to(reader, b"$ ")
        await daemon.end(signal.SIGKILL)
    await toolstack.store.write(f"{console}/tty", "stale")
    await daemon.start()
    with Reader(await tty_of(toolstack.store, domid, other_than=b"stale")) as reader:
        os.write(reader.fd, b"uptime\r")
        await read_to(reader, b"uptime")
        await read_to(reader, b"$ ")
        await daemon.end(signal.SIGTERM)
        assert await reader.read(1) == b""
    assert await toolstack.store.read(f"{console}/tty") == b""
    await daemon.start()
    await toolstack.host.destroy(domid)
    while await toolstack.host.domain(domid) is not None:  # dying, as long as its console is mapped
        await trio.sleep(0.01)
    await daemon.end(signal.SIGTERM)
    log = (daemon.logs / f"guest-guest{domid}.log").read_bytes()
    assert log.count(b"login: ") == 1
    assert b"uptime" in log
    assert (daemon.logs / "hypervisor.log").read_bytes() != b""


def test_a_life(daemon: Daemon, host_process: HostProcess, store_process: StoreProcess) -> None:
    async def main() -> None:
        kernel = host_process.directory.parent / "kernel"
        write_kernel(kernel)
        with trio.fail_after(SECONDS):
            async with (
                Simulator.connect(host_process.directory) as simulator,
                aio.Client(str(store_process.socket)) as store,
            ):
                await live(daemon, Toolstack(simulator, store, kernel, random.Random(1)))

    trio.run(main)
