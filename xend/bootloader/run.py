"""Runs a boot loader: starts the process around it, gives it a terminal, waits for its report."""

import fcntl
import os
import re
import signal
import socket
import struct
import termios
from contextlib import suppress
from typing import Protocol

import trio

from xend.bootloader.order import Order, Report, pack, report_of
from xend.errors import XendError
from xenstore.daemon import child
from xenstore.daemon.groups import alone
from xenstore.daemon.text import one_line

__all__ = ["OUTPUT_MAX_BYTES", "Screen", "Tail", "run_cell"]

#: What a loader may print in all.
OUTPUT_MAX_BYTES = 16 << 20
#: Of a report.
REPORT_MAX_BYTES = 1 << 20
#: What is kept of its output for an error: the end.
TAIL_BYTES = 8192
TAIL_LINES = 12
LINE_CHARS = 500
#: Rows and columns of its terminal, as of a vt100.
SIZE = (24, 80)
#: How long what it printed last is waited for, in seconds.
GRACE_SECONDS = 0.5
#: How long its process may take to end what it started, in seconds.
END_SECONDS = 3.0
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|[()][A-Za-z0-9]|[=>78A-Za-z])|[\x00-\x08\x0b-\x1f\x7f]")


class Screen(Protocol):
    """Where it is shown: the console of its domain."""

    def show(self, data: bytes) -> None: ...
    async def typed(self) -> bytes: ...


class Tail:
    """The end of what a loader printed, and how much it was."""

    def __init__(self) -> None:
        self.count = 0
        self._data = bytearray()

    def add(self, data: bytes) -> None:
        """More of it.

        Raises:
            XendError: bad_image: it prints without end.
        """
        self.count += len(data)
        self._data += data
        del self._data[:-TAIL_BYTES]
        if self.count > OUTPUT_MAX_BYTES:
            raise XendError(
                "bad_image", f"the boot loader printed more than {OUTPUT_MAX_BYTES >> 20} MiB and was killed"
            )

    def text(self) -> str | None:
        """Its last lines, without what moves a cursor; None: it said nothing."""
        text = _ESCAPES.sub("", self._data.decode("utf-8", "replace").replace("\r\n", "\n"))
        lines = [
            one_line(line.rstrip().replace("\t", " ")[:LINE_CHARS])
            for line in re.split(r"[\r\n]+", text)
            if line.strip()
        ]
        return "\n".join(lines[-TAIL_LINES:]) or None


async def run_cell(order: Order, screen: Screen, tail: Tail) -> Report:
    """What came of it; whatever is left of it is ended.

    Raises:
        XendError: bad_image: it printed without end; internal: it cannot be started, or its process died.
    """
    master, slave = os.openpty()
    terminal = trio.lowlevel.FdStream(master)
    ours, theirs = socket.socketpair()
    with ours:
        try:
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
            process = await trio.lowlevel.open_process(
                child.module("xend.bootloader.cell", str(theirs.fileno())),
                stdin=slave,
                stdout=slave,
                stderr=slave,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env=child.environment(os.environ),
                cwd=child.DIRECTORY,
            )
        except OSError as error:
            await trio.aclose_forcefully(terminal)
            raise XendError(
                "internal", "the boot loader's process cannot be started", cause=str(error)
            ) from error
        finally:
            theirs.close()
            os.close(slave)
        try:
            with alone(XendError):
                return await _follow(order, ours, process, terminal, screen, tail)
        finally:
            with trio.CancelScope(shield=True):
                with suppress(OSError):
                    ours.shutdown(socket.SHUT_RDWR)  # so that it ends what only it can
                with trio.move_on_after(END_SECONDS):
                    await process.wait()
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
                await trio.aclose_forcefully(terminal)
    raise AssertionError("alone lets no error pass in silence")


async def _follow(
    order: Order,
    ours: socket.socket,
    process: trio.Process,
    terminal: trio.lowlevel.FdStream,
    screen: Screen,
    tail: Tail,
) -> Report:
    """Its report, once it has ended and all that it printed was read."""
    was_read = trio.Event()

    async def show() -> None:
        with suppress(trio.BrokenResourceError):  # nobody has the other side any more
            async for data in terminal:
                tail.add(bytes(data))
                screen.show(bytes(data))
        was_read.set()

    async def pass_on() -> None:
        with suppress(trio.BrokenResourceError):
            while data := await screen.typed():
                await terminal.send_all(data)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(show)
        nursery.start_soon(pass_on)
        report = await _ask(ours, order)
        await process.wait()
        with trio.move_on_after(GRACE_SECONDS):
            await was_read.wait()
        nursery.cancel_scope.cancel()
    return report


async def _ask(ours: socket.socket, order: Order) -> Report:
    """Give the order, and wait for the report."""
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
    answer = bytearray()
    with suppress(trio.BrokenResourceError):
        await stream.send_all(pack(order))
        async for data in stream:
            answer += data
            if answer.endswith(b"\n") or len(answer) > REPORT_MAX_BYTES:
                break
    if not answer.endswith(b"\n"):
        raise XendError("internal", "the boot loader's process died without a report")
    return report_of(bytes(answer))
