"""A simulated host and a store in this process, and a toolstack that writes what libxl would."""

import random
import socket
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import trio

from xenclient.store import aio
from xend.hypervisor import Blueprint, DomainInfo, DomainType, Hypervisor, Image, Rings
from xend.simulator.description import Hardware
from xend.simulator.host import SimulatedHost
from xend.simulator.image import write_kernel
from xenstore._pump import Pump
from xenstore._ring import Consumer, Page, Producer
from xenstore.daemon.locks import Held
from xenstore.errors import ENOENT
from xenstore.platform.sim import SimulatedPlatform
from xenstore.server.drive import serve
from xenstore.server.rings import Rings as StoreRings
from xenstore.store import Store

#: More than anything here takes, in seconds of trio's clock.
PATIENCE_SECONDS = 60.0
MIB = 1024


class Terminal:
    """Somebody at a domain's console."""

    def __init__(self, host: Hypervisor, domid: int, rings: Rings) -> None:
        self._host = host
        self._domid = domid
        self._rings = rings
        self.text = ""

    async def open(self) -> None:
        self.ring = await self._host.open_console(
            self._domid, self._rings.console_gfn, self._rings.console_port
        )
        page = Page(self.ring.page)
        self._input = Producer(page, 0, 1024, 3076, 3072)
        self._output = Consumer(page, 1024, 2048, 3084, 3080)

    async def expect(self, what: str) -> str:
        """The text up to and with `what`, which is waited for."""
        with trio.fail_after(PATIENCE_SECONDS):
            while what not in self.text:
                self.look()
                if what not in self.text:
                    with trio.move_on_after(1):
                        await self.ring.wait()
        before, _, self.text = self.text.partition(what)
        return before + what

    def look(self) -> None:
        data = self._output.read()
        assert data is not None
        if data:
            self.text += data.decode()
            self.ring.notify()

    def type(self, text: str) -> None:
        assert self._input.write(text.encode()) == len(text.encode())
        self.ring.notify()

    async def run(self, command: str) -> str:
        """What a command in the shell prints."""
        self.type(command + "\r")
        await self.expect(command + "\r\n")
        return (await self.expect("$ ")).removesuffix("$ ")

    async def log_in_here(self) -> None:
        """With the login on the screen."""
        self.type("root\r")
        await self.expect("$ ")


class Toolstack:
    """Makes domains and devices as libxl does, without its steps' order mattering here.

    kernel: a file that is taken for a kernel.
    """

    def __init__(self, host: Hypervisor, store: aio.Client, kernel: Path, source: random.Random) -> None:
        self.host = host
        self.store = store
        self._kernel = kernel
        self._source = source

    async def create(
        self,
        command_line: str = "",
        *,
        memory_kib: int = 64 * MIB,
        max_memory_kib: int | None = None,
        type: DomainType = "pv",
    ) -> tuple[int, Rings]:
        """A paused domain, with nodes, introduced."""
        most = max_memory_kib or memory_kib
        name = str(uuid.UUID(int=self._source.getrandbits(128)))
        blueprint = Blueprint(uuid=name, type=type, max_vcpus=1, max_memory_kib=most)
        domid = await self.host.create(blueprint)
        image = Image(
            blueprint=blueprint, memory_kib=memory_kib, kernel=str(self._kernel), command_line=command_line
        )
        rings = await self.host.build(domid, image)
        await self.write_nodes(domid, rings, name, memory_kib, most)
        return domid, rings

    async def write_nodes(self, domid: int, rings: Rings, name: str, memory_kib: int, most: int) -> None:
        home, guests = f"/local/domain/{domid}", [f"n{domid}"]
        readable = ["n0", f"r{domid}"]

        async def write(t: aio.Transaction) -> None:
            with suppress(ENOENT):
                await t.rm(home)  # another domain's of the same number
            await t.mkdir(home)
            await t.set_perms(home, readable)
            for node, value in {
                "vm": f"/vm/{name}",
                "name": f"guest{domid}",
                "domid": str(domid),
                "memory/target": str(memory_kib),
                "memory/static-max": str(most),
                "device": "",
                "control": "",
            }.items():
                await t.write(f"{home}/{node}", value)
            for node in ("shutdown", "feature-poweroff", "feature-reboot", "feature-suspend", "sysrq"):
                await t.write(f"{home}/control/{node}", "")
                await t.set_perms(f"{home}/control/{node}", guests)
            await t.write(f"{home}/data", "")
            await t.set_perms(f"{home}/data", guests)

        await self.store.run_transaction(write)
        await self.store.introduce(domid, rings.store_gfn, rings.store_port)

    async def boot(self, command_line: str = "", **options: Any) -> tuple[int, Rings]:
        """A domain that runs."""
        domid, rings = await self.create(command_line, **options)
        await self.host.unpause(domid)
        return domid, rings

    async def attach(self, domid: int, kind: str, devid: int, **nodes: str) -> str:
        """A device with both ends' nodes; returns the path of the backend."""
        front = f"/local/domain/{domid}/device/{kind}/{devid}"
        back = f"/local/domain/0/backend/{kind}/{domid}/{devid}"

        async def write(t: aio.Transaction) -> None:
            for path, perms in ((front, [f"n{domid}", "r0"]), (back, ["n0", f"r{domid}"])):
                with suppress(ENOENT):
                    await t.rm(path)
                await t.mkdir(path)
                await t.set_perms(path, perms)
            for name, value in {"backend": back, "backend-id": "0", "state": "1"}.items():
                await t.write(f"{front}/{name}", value)
            keys = {"frontend": front, "frontend-id": str(domid), "online": "1", "state": "1"}
            if kind == "vif":
                keys |= {"mac": "00:16:3e:01:02:03", "handle": str(devid), "hotplug-status": ""}
            else:
                keys |= {"params": "/nowhere", "mode": "w", "dev": "xvda"}
            for name, value in (keys | nodes).items():
                await t.write(f"{back}/{name}", value)

        await self.store.run_transaction(write)
        return back

    async def hotplug(self, back: str, number: str = "7:0") -> None:
        """What the script of a device writes once the backend waits."""
        await self.becomes(f"{back}/state", "2")
        if "/vbd/" in back:
            await self.store.write(f"{back}/physical-device", number)
        await self.store.write(f"{back}/hotplug-status", "connected")

    async def becomes(self, path: str, value: str | None) -> None:
        """Returns once a node has a value; None: is gone."""
        with trio.fail_after(PATIENCE_SECONDS):
            async with self.store.watch(path) as watch:
                while await self.value(path) != value:
                    await watch.next()

    async def settle(self) -> None:
        """Returns once nobody in this world has anything left to do, their regular looks aside."""
        await trio.sleep(1)

    async def value(self, path: str) -> str | None:
        try:
            return (await self.store.read(path)).decode()
        except ENOENT:
            return None

    async def ends(self, domid: int) -> DomainInfo:
        """A domain that shut down, as it is then."""
        with trio.fail_after(PATIENCE_SECONDS):
            async with self.store.watch("@releaseDomain") as watch:
                while True:
                    info = await self.host.domain(domid)
                    assert info is not None
                    if info.is_shutdown:
                        return info
                    await watch.next()


@attrs.define
class World(Toolstack):
    """Everything in one process.

    Attributes:
        log: what the store says.
    """

    host: SimulatedHost
    store: aio.Client
    _kernel: Path
    _source: random.Random
    log: list[str]

    def terminal(self, domid: int, rings: Rings) -> Terminal:
        return Terminal(self.host, domid, rings)


@asynccontextmanager
async def world(directory: Path, seed: int = 1, hardware: Hardware | None = None) -> AsyncIterator[World]:
    """A host with a store in a new directory."""
    host = SimulatedHost(directory / "host", random=random.Random(seed), hardware=hardware)
    kernel = directory / "kernel"
    write_kernel(kernel)
    log: list[str] = []
    store = InProcessStore(directory / "host", log.append)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(host.run)
            nursery.start_soon(serve, store.pump)
            source = random.Random(seed)
            async with aio.Client(connect=store.connect, random=source.random) as client:
                yield World(host, client, kernel, source, log)
            nursery.cancel_scope.cancel()
    finally:
        store.close()
        host.power_off()
        if host.faults or any("internal error" in line for line in log):
            raise AssertionError([*host.faults, *log])


class InProcessStore:
    """A store for the domains of a directory; its pump is to be served."""

    def __init__(self, directory: Path, log: Callable[[str], object]) -> None:
        self._held = Held()
        self._rings = StoreRings(SimulatedPlatform(directory, self._held), log)
        self._store = Store(hypervisor=self._rings)
        self._store.log = log
        self.pump = Pump(self._store)
        self.pump.log = log
        self._rings.start(self._store, self.pump)

    def connect(self) -> trio.SocketStream:
        """A stream to it."""
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.pump.add(theirs.detach(), self._store.connect())
        return trio.SocketStream(trio.socket.from_stdlib_socket(ours))

    def close(self) -> None:
        self._rings.stop()
        self._held.close()
        self.pump.close()
