"""The processes of device models as the system has them; a simulated world puts its own in their place."""

import errno
import json
import os
import re
import signal
import socket
import struct
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import attrs
import trio

from xend.model import pids, tree
from xend.model.find import program_of
from xend.model.firmware import file_of
from xend.model.image import FILES
from xend.model.tree import STORE_DEVICE, Tree
from xenstore.daemon import child

__all__ = ["Order", "Process", "System", "SystemProcesses"]

#: How long a program may take to say whether it knows an option, in seconds.
PROBE_SECONDS = 10.0
#: A qemu that has no machine and needs no Xen, listens to its standard input, and is told to end.
_ALONE = (
    "-machine", "none,accel=qtest", "-nodefaults", "-no-user-config", "-display", "none", "-S", "-qmp",
    "stdio",
)  # fmt: skip
_QUIT = b'{"execute": "qmp_capabilities"}\n{"execute": "quit"}\n'
_VERSION = re.compile(rb"QEMU emulator version ([0-9]{1,3})\.([0-9]{1,3})")
#: How long the end of what it may have begun is waited for, in seconds.
REAP_SECONDS = 10.0


@attrs.frozen(kw_only=True)
class Order:
    """What is to be started.

    Attributes:
        log: a descriptor that its output and errors go to.
        incoming: that of a state, which it has by the same number; None: none.
        files: others that it has so.
        tree: what it sees of the files once it has begun; None: as its command line says.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    log: int
    incoming: int | None = None
    files: Sequence[int] = ()
    tree: Tree | None = None


class Process(Protocol):
    """One that runs.

    Attributes:
        pid, start: which one it is, for another xend (see `pids`).
    """

    @property
    def pid(self) -> int: ...
    @property
    def start(self) -> str: ...
    async def go(self) -> None:
        """Have it become the device model: until then it is nothing, and ends with xend."""

    async def wait(self) -> int | None:
        """Its exit status, negative: the signal that ended it; None: it was another xend's child."""

    def send(self, number: signal.Signals) -> None:
        """Signal it; nothing happens if it has ended."""


class System(Protocol):
    """What runs device models."""

    def program(self, named: str | None, platform: str) -> str:
        """The path of the one that is named, or of the host's.  Raises: XendError (see `find`)."""

    def firmware(self, name: str, release: str, platform: str) -> str:
        """The path of a piece of firmware (see `firmware`).  Raises: XendError: unsupported."""

    async def start(self, order: Order) -> Process:
        """Raises: OSError."""

    def find(self, pid: int, start: str) -> Process | None:
        """One that another xend started; None: it has ended."""

    async def connect(self, path: str) -> trio.abc.Stream:
        """A connection to its QMP socket.  Raises: OSError."""

    async def send_descriptor(self, stream: trio.abc.Stream, fd: int, data: bytes) -> None:
        """Send bytes to its QMP socket, and a descriptor with them.  Raises: OSError, or as send_all."""

    def store_path(self, socket: str) -> str:
        """Where they reach the store, if it listens at a socket."""

    def put_name(self, pid: int, start: str, number: int, is_device: bool) -> None:
        """Have one see the name of one more set of descriptors in its tree.  Raises: OSError."""

    async def has_sandbox(self, program: str) -> bool:
        """Whether it can deny itself system calls: Debian's of Xen cannot."""

    async def asks_for_password(self, program: str) -> bool:
        """Whether it can ask for one by VNC: Debian's of Xen cannot; True: it does not say."""

    async def has_spice(self, program: str) -> bool:
        """Whether it can show a screen by SPICE."""

    async def version(self, program: str) -> tuple[int, int] | None:
        """Which QEMU it is: (7, 2); None: it does not say."""

    async def end_all_of(self, uid: int) -> None:
        """End whatever runs as the user of a device model that has ended."""


class SystemProcesses:
    """Those of this system."""

    def __init__(self) -> None:
        self._told: dict[tuple[object, ...], bytes | None] = {}

    def program(self, named: str | None, platform: str) -> str:
        return program_of(named, platform)

    def firmware(self, name: str, release: str, platform: str) -> str:
        return file_of(name, release, platform)

    async def start(self, order: Order) -> Process:
        process = await trio.lowlevel.open_process(
            child.module("xend.model.starter"),
            stdin=subprocess.PIPE,
            stdout=order.log,
            stderr=order.log,
            start_new_session=True,
            pass_fds=(*order.files, *(() if order.incoming is None else (order.incoming,))),
            env=child.environment(os.environ),
            cwd=child.DIRECTORY,
        )
        told = {
            "argv": list(order.argv),
            "environment": dict(order.environment),
            "tree": None if order.tree is None else attrs.asdict(order.tree),
        }
        return _Child(process, pids.started(process.pid) or "", json.dumps(told).encode() + b"\n")

    def find(self, pid: int, start: str) -> Process | None:
        return _Stranger(pid, start) if start and pids.started(pid) == start else None

    async def connect(self, path: str) -> trio.abc.Stream:
        sock = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            await sock.connect(path)
        except BaseException:
            sock.close()
            raise
        return trio.SocketStream(sock)

    async def send_descriptor(self, stream: trio.abc.Stream, fd: int, data: bytes) -> None:
        assert isinstance(stream, trio.SocketStream)
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("=i", fd))
        sent = await stream.socket.sendmsg([data], [rights])
        await stream.send_all(data[sent:])

    def store_path(self, socket: str) -> str:
        return STORE_DEVICE if os.path.exists(STORE_DEVICE) else socket

    def put_name(self, pid: int, start: str, number: int, is_device: bool) -> None:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        names = os.open(f"/proc/{pid}/root{FILES}", flags)
        try:
            if pids.started(pid) != start:
                raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
            tree.put_name(names, number, is_device)
        finally:
            os.close(names)

    async def has_sandbox(self, program: str) -> bool:
        return await self._always_says(program, "-sandbox", "on", "-machine", "help") is not None

    async def asks_for_password(self, program: str) -> bool:
        without = [program, *_ALONE]
        return await _succeeds([*without, "-vnc", "none,password=on"], _QUIT) or not await _succeeds(
            without, _QUIT
        )

    async def has_spice(self, program: str) -> bool:
        found = await _said([program, "-spice", "help"], statuses=(0, 1))  # it lists them, and fails
        return found is not None and found.startswith(b"spice options")

    async def version(self, program: str) -> tuple[int, int] | None:
        found = _VERSION.match(await self._always_says(program, "-version") or b"")
        return None if found is None else (int(found[1]), int(found[2]))

    async def _always_says(self, program: str, *words: str) -> bytes | None:
        """What the same file always says, as `_said`: it is asked once."""
        with suppress(OSError, trio.TooSlowError):
            found = os.stat(program)
            key = (program, found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size, *words)
            if key not in self._told:
                self._told[key] = await _ended([program, *words])
            return self._told[key]
        return None

    async def end_all_of(self, uid: int) -> None:
        with trio.move_on_after(REAP_SECONDS), suppress(OSError):
            await trio.run_process(
                child.module("xend.model.reaper", str(uid)),
                stdin=b"",
                check=False,
                capture_stderr=True,
                env=child.environment(os.environ),
                cwd=child.DIRECTORY,
            )


async def _succeeds(words: Sequence[str], told: bytes = b"") -> bool:
    """Whether a program ends well that is told something."""
    return await _said(words, told) is not None


async def _said(words: Sequence[str], told: bytes = b"", statuses: Sequence[int] = (0,)) -> bytes | None:
    """What a program says that is told something; None: it does not end with one of these."""
    with suppress(OSError, trio.TooSlowError):
        return await _ended(words, told, statuses)
    return None


async def _ended(words: Sequence[str], told: bytes = b"", statuses: Sequence[int] = (0,)) -> bytes | None:
    """As `_said`.  Raises: OSError: it cannot be run; trio.TooSlowError: it does not end."""
    with trio.fail_after(PROBE_SECONDS):
        done = await trio.run_process(
            words, stdin=told, check=False, capture_stdout=True, capture_stderr=True, cwd="/"
        )
    return done.stdout if done.returncode in statuses else None


@attrs.define
class _Child:
    process: trio.Process
    start: str
    line: bytes

    @property
    def pid(self) -> int:
        return self.process.pid

    async def go(self) -> None:
        assert self.process.stdin is not None
        with suppress(trio.BrokenResourceError):  # it has ended: its end is seen by who waits for that
            await self.process.stdin.send_all(self.line)
        await self.process.stdin.aclose()

    async def wait(self) -> int | None:
        return await self.process.wait()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@attrs.frozen
class _Stranger:
    pid: int
    start: str

    async def go(self) -> None:
        """It has."""

    async def wait(self) -> int | None:
        await pids.await_end(self.pid, self.start)
        return None

    def send(self, number: signal.Signals) -> None:
        pids.send(self.pid, self.start, number)
