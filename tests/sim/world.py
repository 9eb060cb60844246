"""A whole host in one process: store, simulated hypervisor, guests, scripts, xend; one clock, one seed.

The clock is trio's MockClock.  Sockets and pages are real ones in a scratch directory: within one process
they are as synchronous as memory.  What chance there is comes from the seed, so that a seed played twice
gives the same trace, one line per event.
"""

import gc
import math
import os
import random
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import trio
import trio.testing
from trio._core import _run as trio_run

from tests.unit.xend.console.fake_pty import FakePty
from xenclient.store.aio import Client
from xend.bootloader.contract import Lie
from xend.bootloader.order import Order, Report
from xend.bootloader.outcome import taken
from xend.bootloader.run import Screen, Tail
from xend.bus.methods import Call, Methods
from xend.config.defaults import Defaults
from xend.config.problem import Problem
from xend.daemon import Seams, Xend
from xend.disk import Disks, Identity, Use
from xend.errors import XendError
from xend.host import ScriptOutcome
from xend.hypervisor import Hypervisor, HypervisorError
from xend.model.find import PROGRAMS, program_of
from xend.model.firmware import FIRMWARE, file_of
from xend.model.system import Order as ModelOrder
from xend.operation.running import Operation
from xend.pci.choose import simulated_cards
from xend.settings import Settings
from xend.simulator.description import Hardware
from xend.simulator.host import SimulatedHost
from xend.simulator.image import write_kernel
from xend.simulator.model import TREE, Ended, SimulatedModel
from xend.sysfs import write_at_once
from xenstore._pump import Pump
from xenstore.daemon.groups import alone
from xenstore.daemon.locks import Held
from xenstore.errors import XenstoreError
from xenstore.platform.sim import SimulatedPlatform
from xenstore.server.rings import Rings
from xenstore.store import Store

#: The world's beginning, seconds since 1970.
BEGIN = 1_795_000_000.0

#: Made for the first domain, and left.
TOPS = (
    {"/tool", "/tool/xenstored", "/local", "/local/domain", "/vm", "/libxl", "/local/domain/0/backend"}
    | {
        f"/local/domain/0/backend/{kind}"
        for kind in ("vif", "vbd", "console", "qdisk", "vfb", "vkbd", "9pfs", "vusb", "qusb")
    }
    | {"/local/domain/0/device-model"}
)

EXAMPLE = """
name = "example"
kernel = "/netbsd"
memory = 64
vif = [ 'bridge=bridge0' ]
disk = [ 'file:/disk.img,0x0,w!' ]
"""


class NoDevices(Disks):
    """Of a host whose disks are files, none of them mounted."""

    def of_node(self, status: os.stat_result) -> Identity:
        raise AssertionError("this host has no device nodes")

    def used_by_dom0(self) -> Iterator[Use]:
        yield from ()


class Killed(BaseException):
    """xend is killed here: nothing more of it happens."""


@attrs.define
class Scripts:
    """Plays the hotplug scripts: what each call does, by the script's name.

    Attributes:
        store: whose nodes they write.
        calls: argv of each.
        behaviours: by file name: "fail", "fail once" (as it puts in), "hang" (both ways), "busy" and "stuck"
            (a unit that cannot be taken back, or a script that hangs as it tries), "nothing"; "connect"
            where there is none.
    """

    store: Client
    calls: list[list[str]] = attrs.field(factory=list)
    behaviours: dict[str, str] = attrs.field(factory=dict)

    async def run(self, argv: Sequence[str], environment: Mapping[str, str], seconds: float) -> ScriptOutcome:
        self.calls.append(list(argv))
        behaviour = self.behaviours.get(Path(argv[0]).name, "connect")
        path = environment["XENBUS_PATH"]
        put_in = argv[1] in ("add", "online")
        if behaviour == "fail once" and put_in:
            del self.behaviours[Path(argv[0]).name]
        if behaviour == "fail" or (behaviour == "fail once" and put_in):
            await self.store.write(f"{path}/hotplug-error", "bridge xenbr0 does not exist")
            await self.store.write(f"{path}/hotplug-status", "error")
            return ScriptOutcome(1, "looking for the bridge\nno such bridge")
        if behaviour == "hang" or (behaviour == "stuck" and not put_in):
            await trio.sleep(seconds)
            message = f"{argv[0]} did not end within {seconds:g} s and was killed"
            raise XendError("script_failed", message, waited_s=seconds)
        if behaviour == "busy" and not put_in:
            return ScriptOutcome(1, "detaching\nloop7: busy\n ")
        if put_in and behaviour != "nothing":
            if environment["XENBUS_TYPE"] == "vbd":
                await self.store.write(f"{path}/physical-device", "7:0")
                if behaviour == "busy":
                    await self.store.write(f"{path}/node", "/dev/loop7")
            await self.store.write(f"{path}/hotplug-status", "connected")
        return ScriptOutcome(0, f"{argv[1]}: done" if behaviour == "talk" else "")


@attrs.define
class Loaders:
    """Plays boot loaders: what the next runs do; "boot" when none is left.

    Attributes:
        acts: "boot" (prints a menu, waits for nothing), "menu" (waits for a key), "hang", "flood", "die" (by
            a signal), "fail" (finds no kernel), "lie" (names a file elsewhere), "link" (to another file),
            "nothing" (answers nothing), "shut out" (the system refuses), "bytes" (words that are no text).
        orders: those that were given.
        typed: what they were told by keys.
    """

    acts: list[str] = attrs.field(factory=list)
    orders: list[Order] = attrs.field(factory=list)
    typed: list[bytes] = attrs.field(factory=list)

    async def run(self, order: Order, screen: Screen, tail: Tail) -> Report:
        self.orders.append(order)
        act = self.acts.pop(0) if self.acts else "boot"
        scratch, files = Path(order.directory), Path(order.directory, "files")
        files.mkdir()

        def say(data: bytes) -> None:
            tail.add(data)
            screen.show(data)

        say(b"\x1b[HGRUB menu\r\n")
        if act == "menu":
            self.typed.append(await screen.typed())
        if act == "hang":
            await trio.sleep_forever()
        while act == "flood":
            say(bytes(1 << 16))
            await trio.sleep(0.001)
        if act == "shut out":
            return Report(refused="unshare: Operation not permitted")
        if act == "die":
            return Report(status=-11)
        if act == "fail":
            say(b"Traceback\r\nRuntimeError: Unable to find partition containing kernel\r\n")
            return Report(status=1)
        write_kernel(files / "boot_kernel.1")
        if act == "link":
            (files / "boot_kernel.1").unlink()
            (files / "boot_kernel.1").symlink_to("/etc/passwd")
        named = "/etc/passwd" if act == "lie" else f"{files}/boot_kernel.1"
        answer = (
            b""
            if act == "nothing"
            else b"kernel %s\0args root=/dev/xvda %s\0\0" % (named.encode(), order.loader.args.encode())
        )
        if act == "bytes":
            answer = answer.replace(b"root=", b"x=\xff root=")
        (scratch / "answer").write_bytes(answer)
        try:
            return Report(status=0, outcome=taken(f"{scratch}/answer", f"{files}", order.directory))
        except Lie as lie:
            return Report(status=0, lie=str(lie))


@attrs.define(eq=False)
class RunningModel:
    """A process of a device model."""

    pid: int
    start: str
    order: ModelOrder
    models: "DeviceModels"
    log: int
    go_on: trio.Event = attrs.field(factory=trio.Event)
    ended: trio.Event = attrs.field(factory=trio.Event)
    status: int | None = None
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    program: SimulatedModel | None = None
    ended_scopes: list[trio.CancelScope] = attrs.field(factory=list)
    incoming: int | None = None
    files: dict[int, int] = attrs.field(factory=dict)

    @property
    def argv(self) -> list[str]:
        """As the program sees it in this process."""
        replaced = {f"fd:{self.order.incoming}": f"fd:{self.incoming}"}
        for ours, theirs in self.files.items():
            for word in self.order.argv:
                if word.startswith(f"fd={ours},"):
                    replaced[word] = word.replace(f"fd={ours},", f"fd={theirs},")
        seen = [] if self.order.tree is None else [TREE]
        return [*(replaced.get(word, word) for word in self.order.argv), *seen]

    async def go(self) -> None:
        self.go_on.set()

    async def wait(self) -> int | None:
        await self.ended.wait()
        return self.status

    def send(self, number: signal.Signals) -> None:
        if self.ended.is_set():
            return
        if number == signal.SIGTERM and self.program is not None and "stubborn" in self.program.faults:
            return
        self.status = -number
        self.scope.cancel()

    def say(self, line: str) -> None:
        os.write(self.log, f"{line}\n".encode())


@attrs.define(eq=False)
class DeviceModels:
    """Plays the system that device models run on; they outlive xend.

    Attributes:
        connect: a connection to the store.
        start_task: has something run in the world.
        ports: of VNC, that somebody else has.
        is_missing: there is no qemu on this host.
        has_no_des: its qemu asks for no passwords.
        has_no_spice: its qemu was built without SPICE.
        qemu: which QEMU it is.
        lacks: firmware that is not on this host, if the machine of the tests has it neither.
        started: all that were.
        passed: the files that they were given by descriptors.
        named: sets whose names were put into a tree: of which process, which, whether of a device.
        peers: whom each connection leads to.
        reaped: users whose processes were ended.
    """

    connect_store: Callable[[], Client]
    start_task: Callable[..., object]
    ports: set[int] = attrs.field(factory=set)
    is_missing: bool = False
    has_no_des: bool = False
    has_no_spice: bool = False
    qemu: tuple[int, int] | None = (7, 2)
    lacks: set[str] = attrs.field(factory=set)
    started: list[RunningModel] = attrs.field(factory=list)
    passed: list[str] = attrs.field(factory=list)
    named: list[tuple[int, int, bool]] = attrs.field(factory=list)
    peers: dict[trio.abc.Stream, SimulatedModel] = attrs.field(factory=dict)
    reaped: list[int] = attrs.field(factory=list)

    def running(self) -> list[RunningModel]:
        return [each for each in self.started if not each.ended.is_set()]

    def program(self, named: str | None, platform: str) -> str:
        if named is None and not self.is_missing:
            return PROGRAMS[0]
        return program_of(named, platform, ("/no/qemu", "/no/other"))

    def firmware(self, name: str, release: str, platform: str) -> str:
        if name in self.lacks:
            return file_of(name, "0.0", platform)
        return FIRMWARE[name].paths[0].format(release=release)

    async def start(self, order: ModelOrder) -> RunningModel:
        pid = 1000 + len(self.started)
        made = RunningModel(pid, f"start of {pid}", order, self, os.dup(order.log))
        if order.incoming is not None:  # a process has it by the same number, this one by another
            made.incoming = os.dup(order.incoming)
        made.files = {fd: os.dup(fd) for fd in order.files}
        self.started.append(made)
        self.start_task(self._run, made)
        return made

    def find(self, pid: int, start: str) -> RunningModel | None:
        return next((each for each in self.running() if (each.pid, each.start) == (pid, start)), None)

    async def connect(self, path: str) -> trio.abc.Stream:
        for each in self.running():
            if each.program is not None and any(f"path={path}," in word for word in each.order.argv):
                ours, theirs = trio.testing.memory_stream_pair()
                self.start_task(self._converse, each, theirs)
                self.peers[ours] = each.program
                return ours
        raise FileNotFoundError(2, "No such file or directory", path)

    async def asks_for_password(self, program: str) -> bool:
        return not self.has_no_des

    async def has_spice(self, program: str) -> bool:
        return not self.has_no_spice

    async def version(self, program: str) -> tuple[int, int] | None:
        return self.qemu

    async def send_descriptor(self, stream: trio.abc.Stream, fd: int, data: bytes) -> None:
        self.passed.append(os.readlink(f"/proc/self/fd/{fd}"))
        self.peers[stream].answers.received.append(os.dup(fd))
        await stream.send_all(data)

    def store_path(self, socket: str) -> str:
        return socket

    def put_name(self, pid: int, start: str, number: int, is_device: bool) -> None:
        self.named.append((pid, number, is_device))

    async def has_sandbox(self, program: str) -> bool:
        return False

    async def end_all_of(self, uid: int) -> None:
        self.reaped.append(uid)

    async def _run(self, made: RunningModel) -> None:
        with made.scope:
            await made.go_on.wait()
            async with self.connect_store() as client:
                made.program = SimulatedModel(made.argv, client, made.say, self._in_use)
                await self._until_it_ends(made, made.program.run())
        self._ended(made)

    async def _converse(self, made: RunningModel, stream: trio.abc.Stream) -> None:
        assert made.program is not None
        await self._until_it_ends(made, made.program.converse(stream))
        await trio.aclose_forcefully(stream)

    async def _until_it_ends(self, made: RunningModel, running: Awaitable[None]) -> None:
        with trio.CancelScope() as scope:
            made.ended_scopes.append(scope)
            try:
                with alone(Ended):
                    await running
            except Ended as end:
                made.status = end.status
                made.scope.cancel()

    def _in_use(self, port: int) -> bool:
        others = [each.program.port for each in self.running() if each.program is not None]
        return port in self.ports or port in others

    def _ended(self, made: RunningModel) -> None:
        made.ended.set()
        os.close(made.log)
        if made.incoming is not None:
            os.close(made.incoming)
        if made.program is not None:
            made.program.answers.close()
        else:
            for fd in made.files.values():
                os.close(fd)
        for scope in made.ended_scopes:
            scope.cancel()


class PromptStream(trio.abc.Stream):
    """A connection to a store in this process, which answers what is sent before the sender goes on.

    No task of the store's has to be woken up for it; nor is sending a checkpoint, as each sender waits for
    more to send, or for the answer.
    """

    def __init__(self, sock: socket.socket, pump: Pump) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._pump = pump

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        while data:
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                await self.wait_send_all_might_not_block()
            except OSError as error:
                raise trio.BrokenResourceError from error
        _turn(self._pump)

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.wait_writable(self._socket)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.wait_readable(self._socket)
        try:
            return self._socket.recv(max_bytes or 65536)
        except OSError as error:
            raise trio.BrokenResourceError from error

    async def aclose(self) -> None:
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()
        await trio.lowlevel.checkpoint()


@attrs.define(eq=False)
class World:
    """The host, and the means to look at it and to act on it.

    Attributes:
        disks: what dom0 says of files and devices.
        trace: one line for each event since the beginning.
        on_step: called before each step of an operation.
        wrap: puts something between xend and its hypervisor.
        defaults, claims_memory, autoballoon, problems: what xl.conf says.
        platform: what each xend that starts is told.
    """

    seed: int
    directory: Path
    hardware: Hardware
    disks: Disks
    trace: list[str] = attrs.field(factory=list)
    logged: list[str] = attrs.field(factory=list)
    on_step: Callable[[Operation], object] = lambda operation: None
    wrap: Callable[[Hypervisor], Hypervisor] = lambda hypervisor: hypervisor
    xend: Xend = attrs.field(init=False)
    host: SimulatedHost = attrs.field(init=False)
    client: Client = attrs.field(init=False)
    scripts: Scripts = attrs.field(init=False)
    loaders: Loaders = attrs.field(factory=Loaders)
    models: DeviceModels = attrs.field(init=False)
    ptys: list[FakePty] = attrs.field(factory=list)
    defaults: Defaults = attrs.field(factory=Defaults)
    claims_memory: bool = True
    autoballoon: str = "auto"
    problems: Sequence[Problem] = ()
    platform: str = "linux"
    _methods: Methods = attrs.field(init=False)
    _starts: int = 0
    _store: Store = attrs.field(init=False)
    _pump: Pump = attrs.field(init=False)
    _nursery: trio.Nursery = attrs.field(init=False)
    _scope: trio.CancelScope = attrs.field(init=False)

    def now(self) -> float:
        """Seconds since the world began."""
        return trio.current_time()

    def connect_store(self, domid: int = 0) -> Client:
        """A client of the store, to be entered; another domain's has its rights, and no more."""

        def opened() -> trio.abc.Stream:
            ours, theirs = socket.socketpair()
            session = self._store.open_session(domid, False) if domid else self._store.connect()
            self._pump.add(theirs.detach(), session)
            return PromptStream(ours, self._pump)

        chance = random.Random(f"{self.seed} store")
        return Client("the world's store", connect=opened, random=chance.random)

    async def call(self, method: str, **params: Any) -> Any:
        """Call one of xend's methods as a client would; raises its XendError."""
        return await self.call_with("operate", method, **params)

    async def call_with(self, access: str, method: str, **params: Any) -> Any:
        """The same as one who may do this: "operate" or "read"."""
        methods = self._methods
        found = methods.find(method, access)
        arguments = found.arguments([params], access)
        call = Call(method, access, None, None, methods)  # type: ignore[arg-type]  # no connection
        return await found.function(call, **arguments)

    async def create(self, text: str = EXAMPLE, **params: Any) -> int:
        """The domid of a new domain."""
        answer = await self.call("domain.create", text=text, **params)
        return int(answer["domid"])

    async def until(self, done: Callable[[], Awaitable[bool]], seconds: float = 120.0) -> None:
        """Let time pass until something holds; fails after so long."""
        with trio.fail_after(seconds):
            while not await done():
                await trio.sleep(0.05)

    async def names(self) -> list[str]:
        """Of all domains but dom0."""
        return [each["name"] for each in await self.call("domain.list") if each["domid"] != 0]

    async def backend_state(self, domid: int, kind: str, devid: int) -> bytes:
        """What a backend says."""
        return await self.client.read(f"/local/domain/0/backend/{kind}/{domid}/{devid}/state")

    async def connected(self, domid: int, vbd: int = 0) -> None:
        """Let time pass until the devices of a domain like the example are connected."""

        async def both() -> bool:
            states = [await self.backend_state(domid, *each) for each in (("vif", 0), ("vbd", vbd))]
            return states == [b"4", b"4"]

        await self.until(both)

    async def snapshot(self) -> list[str]:
        """Everything a domain could leave behind: nodes of the store, domains, free memory, files.

        Not the empty directories that all domains' are below: they stay, as they do with libxl.
        """
        nodes = [path for path in await self.paths("/") if path not in TOPS]
        domains = [str(info.domid) for info in await self.host.domains()]
        free = (await self.host.host_info()).free_memory_kib
        files = sorted(path.name for path in (self.directory / "xend/domains").iterdir())
        loaders = self.directory / "xend/bootloader"
        files += sorted(path.name for path in loaders.iterdir()) if loaders.exists() else []
        files += sorted(path.name for path in (self.directory / "xend/models").iterdir())
        files += [f"model {each.pid}" for each in self.models.running()]
        return [*nodes, f"domains {domains}", f"free {free}", f"files {files}"]

    async def paths(self, path: str) -> list[str]:
        """Everything below a node of the store."""
        found = []
        for name in await self.client.directory(path):
            below = f"{path.rstrip('/')}/{name}"
            found += [below, *await self.paths(below)]
        return found

    # --- xend's life --------------------------------------------------------------------------------------

    async def start_xend(self) -> None:
        """A new xend, over what the last one left."""
        self._scope = await self._nursery.start(self._run_xend)

    async def kill_xend(self) -> None:
        """Nothing more of it happens; what it did stays."""
        self._scope.cancel()
        await trio.testing.wait_all_tasks_blocked()

    async def _run_xend(self, *, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        self._starts += 1
        with trio.CancelScope() as scope:
            async with self.connect_store() as store:
                self.xend = Xend(
                    hypervisor=self.wrap(self.host),
                    store=store,
                    read_settings=self._settings,
                    rundir=self.directory / "xend",
                    log_directory=self.directory / "log",
                    log=self.log,
                    seams=Seams(
                        random=random.Random(f"{self.seed} {self._starts}"),
                        wall_clock=lambda: BEGIN + trio.current_time(),
                        open_pty=self._open_pty,
                        disks=self.disks,
                        write_sysfs=_write_sysfs,
                        cards=simulated_cards(self.directory / "sim", self.platform),
                        run_script=self.scripts.run,
                        run_cell=self.loaders.run,
                        models=self.models,
                        on_step=self._stepped,
                    ),
                )
                self._methods = Methods(self.xend.methods())
                async with trio.open_nursery() as nursery:
                    await nursery.start(self.xend.run)
                    task_status.started(scope)

    async def follow_store(self) -> None:
        """Every change of the store goes into the trace from now on, with what is there then."""
        await self._nursery.start(self._follow_store)

    async def _follow_store(self, *, task_status: trio.TaskStatus[None]) -> None:
        async with self.connect_store() as client, client.watch("/") as watch:
            task_status.started()
            async for event in watch:
                try:
                    value = repr(await client.read(event.path)).replace(str(self.directory), "DIR")
                except XenstoreError as error:
                    value = error.name
                self.trace.append(f"{trio.current_time():9.3f} {event.path} {value}")

    async def destroy_behind_back(self, domid: int) -> None:
        """Somebody destroys a domain, if it is there."""
        with suppress(HypervisorError):
            await self.host.destroy(domid)

    async def start(self, function: Callable[..., Awaitable[object]], *args: object) -> Any:
        """Have a task run until the world ends; returns what it has to say once it has started."""
        return await self._nursery.start(function, *args)

    def soon(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        """Have something happen meanwhile."""
        self._nursery.start_soon(function, *args)

    def _stepped(self, operation: Operation) -> None:
        try:
            self.on_step(operation)
        except Killed:
            self.xend.operations.stop()
            self._scope.cancel()

    def log(self, line: str) -> None:
        """A line of xend's, or another program's."""
        self.logged.append(line)
        self.trace.append(f"{trio.current_time():9.3f} {line}")

    def _open_pty(self) -> FakePty:
        pty = FakePty(f"/dev/pts/{len(self.ptys)}")
        self.ptys.append(pty)
        return pty

    def _settings(self) -> Settings:
        return Settings(
            platform=self.platform,
            root=str(self.directory / "root"),
            script_directory=self.directory / "scripts",
            dump_directory=self.directory / "dump",
            save_directory=self.directory / "saved",
            store_socket="the world's store",
            defaults=self.defaults,
            claims_memory=self.claims_memory,
            usb_directory=self.usb,
            autoballoon=self.autoballoon,
            problems=self.problems,
        )

    @property
    def usb(self) -> str:
        """Where the host's USB devices are shown."""
        return str(self.directory / "sys-usb")


def _turn(pump: Pump) -> None:
    """Have the store do all that there is for it to do."""
    pump.turn(0)
    while pump.busy:
        pump.turn(0)


async def _write_sysfs(path: str | os.PathLike[str], text: str) -> None:
    """A mock clock knows of no threads."""
    await trio.lowlevel.checkpoint()
    write_at_once(path, text)


async def _serve(pump: Pump) -> None:
    """Turns the pump whenever there is something."""
    while True:
        pause = pump.pause()
        if pause == math.inf:
            await trio.lowlevel.wait_readable(pump.fileno())
        elif pause > 0:
            with trio.move_on_after(pause):
                await trio.lowlevel.wait_readable(pump.fileno())
        else:
            await trio.lowlevel.checkpoint()
        _turn(pump)


def _settle(pump: Pump) -> None:
    """What the stores of earlier worlds left is freed before this one begins, as it costs the pump turns."""
    gc.collect()
    while not pump.pause():
        pump.turn(0)


def _furnish(directory: Path) -> None:
    (directory / "root").mkdir()
    write_kernel(directory / "root/netbsd")
    (directory / "root/disk.img").write_bytes(bytes(512))
    (directory / "scripts").mkdir()
    for name in ("block", "block-iscsi", "vif-bridge", "pygrub"):
        script = directory / "scripts" / name
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)


@asynccontextmanager
async def world(seed: int = 0, disks: Disks | None = None, **hardware: Any) -> AsyncIterator[World]:
    """A world with xend running, and no domain but dom0."""
    directory = Path(tempfile.mkdtemp(prefix="xend-world-"))
    _furnish(directory)
    made = World(seed=seed, directory=directory, hardware=Hardware(**hardware), disks=disks or NoDevices())
    try:
        async with AsyncExitStack() as stack:
            made.host = SimulatedHost(directory / "sim", random=random.Random(seed), hardware=made.hardware)
            stack.callback(made.host.power_off)
            made._store = Store()
            held = Held()
            stack.callback(held.close)
            rings = Rings(SimulatedPlatform(directory / "sim", held), lambda line: None)
            made._store.hypervisor = rings
            made._pump = Pump(made._store, clock=trio.current_time)
            stack.callback(made._pump.close)
            _settle(made._pump)
            rings.start(made._store, made._pump)
            stack.callback(rings.stop)
            made._nursery = await stack.enter_async_context(trio.open_nursery())
            stack.callback(made._nursery.cancel_scope.cancel)
            made._nursery.start_soon(_serve, made._pump)
            await made._nursery.start(made.host.run)
            made.client = await stack.enter_async_context(made.connect_store())
            made.scripts = Scripts(made.client)
            made.models = DeviceModels(made.connect_store, made._nursery.start_soon)
            await made.start_xend()
            yield made
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def play(
    body: Callable[[World], Awaitable[None]], seed: int = 0, disks: Disks | None = None, **hardware: Any
) -> World:
    """Runs `body(world)` in a world of its own under MockClock; returns the world, for its trace."""
    kept: list[World] = []

    async def main() -> None:
        async with world(seed, disks, **hardware) as made:
            kept.append(made)
            await body(made)
            assert not made.host.faults, made.host.faults

    trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]  # as pytest-trio does
    trio_run._r.seed(seed)
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return kept[0]
