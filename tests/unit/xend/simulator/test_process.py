"""The simulated host as a process of its own, with a real xenstored: what outlives what."""

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgpack
import pytest
import trio

from tests.snapshot import snapshot
from tests.unit.xend.simulator.process import ANSWER_SECONDS, HostProcess, StoreProcess
from tests.unit.xend.simulator.world import MIB, Terminal, Toolstack
from xenclient.store import aio
from xend.hypervisor import Blueprint, HypervisorError, Image
from xend.hypervisor.simulator import Simulator
from xend.simulator.image import write_kernel

pytestmark = pytest.mark.trio

BLUEPRINT = Blueprint(uuid="00000000-0000-4000-8000-000000000001", max_vcpus=1, max_memory_kib=MIB)


@asynccontextmanager
async def toolstack(host: HostProcess, store: StoreProcess) -> AsyncIterator[Toolstack]:
    kernel = host.directory.parent / "kernel"
    write_kernel(kernel)
    async with (
        Simulator.connect(host.directory) as simulator,
        aio.Client(str(store.socket), timeout=ANSWER_SECONDS, reconnect=ANSWER_SECONDS) as client,
    ):
        yield Toolstack(simulator, client, kernel, random.Random(1))


async def test_a_life_with_the_store_killed_in_between(
    host_process: HostProcess, store_process: StoreProcess
) -> None:
    host_process.start()
    store_process.start()
    async with toolstack(host_process, store_process) as t:
        domid, rings = await t.create()
        vif = await t.attach(domid, "vif", 0)
        vbd = await t.attach(domid, "vbd", 51712)
        await t.host.unpause(domid)
        for back in (vif, vbd):
            await t.hotplug(back)
            await t.becomes(f"{back}/state", "4")
        terminal = Terminal(t.host, domid, rings)
        await terminal.open()
        await terminal.expect("login: ")
        await terminal.log_in_here()

        store_process.end(signal.SIGKILL)
        terminal.type("xenstore-read name\r")  # asked while nobody answers
        store_process.start()
        assert f"guest{domid}\r\n" in await terminal.expect("$ ")
        other, _ = await t.create()
        back = await t.attach(other, "vif", 0)  # dom0's watch is still there
        await t.host.unpause(other)
        await t.hotplug(back)
        await t.becomes(f"{back}/state", "4")

        await t.store.write(f"/local/domain/{domid}/control/shutdown", "reboot")
        info = await t.ends(domid)
        assert info.shutdown_reason == 1
        await t.becomes(f"{vif}/state", "6")
        await t.becomes(f"{vbd}/state", "6")
        terminal.ring.close()
        await t.host.destroy(domid)
        await t.becomes(f"/local/domain/{domid}/device/vif/0/state", None)
        assert await t.host.domain(domid) is None


async def test_a_second_one_is_refused_and_changes_nothing(host_process: HostProcess) -> None:
    host_process.start()
    async with Simulator.connect(host_process.directory):
        pass  # it is up, not only to be connected to
    before = snapshot(host_process.directory)
    for foreground in ([], ["--no-fork"]):
        done = await trio.run_process(
            [sys.executable, "-m", "xend.simulator", str(host_process.directory), *foreground],
            capture_stderr=True,
            check=False,
        )
        assert done.returncode == 1
        said = f"{host_process.socket} is served by another simulated host (pid {host_process.pid})"
        assert said in done.stderr.decode()
        assert snapshot(host_process.directory) == before


async def test_the_host_comes_back_as_after_a_reboot(
    host_process: HostProcess, store_process: StoreProcess
) -> None:
    """The store lives on: it sees its domains end, and serves dom0's new kernel and new domains."""
    host_process.start()
    store_process.start()
    async with toolstack(host_process, store_process) as t:
        domid, _ = await t.boot()
        await t.becomes(f"/local/domain/{domid}/control/feature-poweroff", "1")
        host_process.end(signal.SIGKILL)
        with pytest.raises(HypervisorError, match=r"went away|answers"):
            await t.host.domains()
        with pytest.raises(HypervisorError, match=r"start one: python -P -m xend\.simulator"):
            await t.host.domains()
        host_process.start()
        assert [info.domid for info in await t.host.domains()] == [0]
        domid, _ = await t.create()
        back = await t.attach(domid, "vif", 0)
        await t.host.unpause(domid)
        await t.hotplug(back)
        await t.becomes(f"{back}/state", "4")


async def test_the_host_starts_before_the_store(
    host_process: HostProcess, store_process: StoreProcess
) -> None:
    host_process.start()
    async with Simulator.connect(host_process.directory) as simulator:
        domid = await simulator.create(BLUEPRINT)
        store_process.start()
        async with aio.Client(str(store_process.socket)) as client:
            assert await client.is_domain_introduced(domid)


async def test_a_holder_that_is_gone_lets_go_of_its_console(host_process: HostProcess) -> None:
    host_process.start()
    kernel = host_process.directory.parent / "kernel"
    write_kernel(kernel)
    async with Simulator.connect(host_process.directory) as other:
        async with Simulator.connect(host_process.directory) as simulator:
            domid = await simulator.create(BLUEPRINT)
            image = Image(blueprint=BLUEPRINT, memory_kib=MIB, kernel=str(kernel))
            rings = await simulator.build(domid, image)
            await simulator.open_console(domid, 0, rings.console_port)
            await other.destroy(domid)
            info = await other.domain(domid)
            assert info is not None
            assert info.is_dying
        with trio.fail_after(ANSWER_SECONDS):
            while await other.domain(domid) is not None:
                await trio.sleep(0)


async def test_many_tasks_call_at_once_and_some_are_cancelled(host_process: HostProcess) -> None:
    """Each gets its own answer; a call is done or not done."""
    host_process.start()
    async with Simulator.connect(host_process.directory) as simulator:
        made: dict[str, int] = {}

        async def create(number: int) -> None:
            name = f"00000000-0000-4000-8000-{number:012}"
            with trio.CancelScope() as scope:
                if number % 3 == 0:
                    scope.cancel()
                elif number % 3 == 1:
                    trio.lowlevel.current_trio_token().run_sync_soon(scope.cancel)
                made[name] = await simulator.create(
                    Blueprint(uuid=name, max_vcpus=1, max_memory_kib=number * 4)
                )

        async with trio.open_nursery() as nursery:
            for number in range(90):
                nursery.start_soon(create, number)
        there = {info.uuid: info.domid for info in await simulator.domains() if info.domid}
        assert there == made
        assert len(made) >= 30


class TestTheProgram:
    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "xend.simulator", *arguments],
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
        )

    async def test_it_is_ready_when_its_caller_goes_on_and_ends_with_sigterm(self, short_path: Path) -> None:
        directory = short_path / "new" / "h"
        words = ("--cpus", "2", "--memory-mib", "1024", "--flavour", "netbsd", "--iommu")
        done = self.run(str(directory), *words)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        pid = int((directory / "host.pid").read_text())
        try:
            async with Simulator.connect(directory) as simulator:
                info = await simulator.host_info()
                assert (info.nr_cpus, info.total_memory_kib) == (2, MIB * MIB)
                assert info.virt_caps[-1] == "pv_directio"
                assert b"netbsd" in await simulator.message_buffer()
                await simulator.create(BLUEPRINT)
                assert (directory / "1" / "store.page").exists()
                again = self.run(str(directory))
                assert again.returncode == 1
                assert again.stderr.count("\n") == 1
                assert f"(pid {pid})" in again.stderr
        finally:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(os.fspath(directory / "host.socket"))
                os.kill(pid, signal.SIGTERM)
                client.settimeout(ANSWER_SECONDS)
                with suppress(ConnectionResetError):  # it had not accepted this one yet
                    assert client.recv(1) == b""
        with trio.fail_after(ANSWER_SECONDS):
            while (directory / "host.pid").exists():
                await trio.sleep(0.01)
        assert not (directory / "1").exists()
        assert not (directory / "host.socket").exists()

    async def test_it_ends_when_idle(self, host_process: HostProcess) -> None:
        process = HostProcess(host_process.directory, "--exit-when-idle")
        process.start()
        try:
            async with Simulator.connect(process.directory) as simulator:
                domid = await simulator.create(BLUEPRINT)
            async with Simulator.connect(process.directory) as simulator:
                await simulator.destroy(domid)
            assert process.wait() == 0
        finally:
            process.clean_up()

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (["--cpus", "0"], "1 to 4095 CPUs"),
            (["--memory-mib", "12"], "128 MiB"),
            (["--flavour", "plan9"], "invalid choice"),
        ],
    )
    async def test_bad_usage(self, short_path: Path, arguments: list[str], complaint: str) -> None:
        done = self.run(str(short_path / "h"), *arguments)
        assert done.returncode == 2
        assert complaint in done.stderr

    @pytest.mark.parametrize("options", [[], ["--no-fork"]])
    async def test_a_directory_that_cannot_be(self, short_path: Path, options: list[str]) -> None:
        (short_path / "file").touch()
        for directory in (short_path / "file" / "h", short_path / ("x" * 100)):
            done = self.run(str(directory), *options)
            assert done.returncode == 1
            assert done.stderr.count("\n") == 1
            assert str(directory) in done.stderr


BAD_REQUESTS = {
    "no array": msgpack.packb({"a": 1}),
    "no such method": msgpack.packb([1, "serve", {}]),
    "a hidden method": msgpack.packb([1, "_serve", {}]),
    "no map": msgpack.packb([1, "domains", []]),
    "a number": msgpack.packb(7),
    "no MessagePack": b"\xc1" * 10,
    "too long": msgpack.packb([1, "domains", {"x": "y" * (1 << 20)}]),
    "deep": b"\x91" * 5000,
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
async def test_who_makes_no_sense_is_hung_up_on(host_process: HostProcess, name: str) -> None:
    host_process.start()
    stream = await trio.open_unix_socket(os.fspath(host_process.socket))
    with trio.fail_after(ANSWER_SECONDS):
        try:
            await stream.send_all(BAD_REQUESTS[name])
            assert await stream.receive_some() == b""
        except trio.BrokenResourceError:
            pass  # that is hung up on, too
    async with Simulator.connect(host_process.directory) as simulator:
        assert await simulator.domains()


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("create", {"uuid": 1, "max_vcpus": "x", "max_memory_kib": None}),
        ("create", {"uuid": "x"}),
        ("claim", {"domid": 1}),
        ("claim", {"domid": [1], "memory_kib": 4}),
        ("build", {"domid": 1, "kernel": 5, "ramdisk": 7, "command_line": None, "vcpus": "1"}),
        ("build", {"domid": 1, "blueprint": {"uuid": 1}, "memory_kib": 4, "kernel": "/"}),
        ("build", {"domid": 1, "blueprint": 5, "memory_kib": 4, "kernel": "/"}),
        ("set_affinity", {"domid": 1, "vcpu": 0, "hard": 5, "soft": None}),
        ("set_affinity", {"domid": 1, "vcpu": 0, "hard": [None], "soft": "x"}),
        ("allow_access", {"domid": 1, "memory": [5]}),
        ("allow_access", {"domid": 1, "irqs": ["x"]}),
        ("soft_reset", {"domid": 1}),
        ("domains", {"more": 1}),
    ],
)
async def test_arguments_of_another_kind_are_refused(
    host_process: HostProcess, method: str, arguments: dict[str, object]
) -> None:
    host_process.start()
    async with Simulator.connect(host_process.directory) as simulator:
        await simulator.create(BLUEPRINT)
        await simulator.claim(1, 4)
        with pytest.raises(HypervisorError):
            await simulator._call(method, **arguments)
        assert len(await simulator.domains()) == 2


async def test_nobody_there(short_path: Path) -> None:
    with pytest.raises(HypervisorError, match=r"no simulated host answers at .*host\.socket"):
        async with Simulator.connect(short_path):
            pass


async def test_an_error_of_the_block_comes_out_as_it_is(host_process: HostProcess) -> None:
    host_process.start()
    with pytest.raises(ZeroDivisionError):
        async with Simulator.connect(host_process.directory):
            raise ZeroDivisionError
