"""One helper process, from xend's side: started, given a job, listened to as to a stranger, ended."""

import array
import os
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import trio

from xend.helper import wire
from xenstore.daemon import child
from xenstore.daemon.text import clean_lines

#: What of xend's environment it has: where its modules and Xen's libraries are.
ENVIRONMENT = ("PYTHONPATH", "LD_LIBRARY_PATH")
#: How long its start may take, in seconds; and how long a step of its may, without a sign.
START_SECONDS = 60.0
STEP_SECONDS = 300.0
#: How long the end of one that was killed is waited for: the kernel may hold it.
END_SECONDS = 10.0
#: How much of what it wrote to standard error is looked at.
ERRORS_MAX = 65536
_CHUNK = 65536


class Lost(Exception):
    """It ended, was too slow, or said what no helper says; the text is what happened to it."""


class TooLong(Exception):
    """A job is longer than `wire.JOB_MAX`; the text says how long."""


class Helper:
    """A helper.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = subprocess.Popen(
                    list(command),
                    env=_environment(),
                    cwd=child.DIRECTORY,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            raise
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        self._messages = wire.Messages(wire.ANSWER_MAX)
        self._ready: wire.Ready | None = None
        self.step = ""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    async def ready(self) -> wire.Ready:
        """What it has, once it has begun.

        Raises:
            Lost: it did not begin.
        """
        if self._ready is None:
            answer = await self._answer(START_SECONDS)
            if not isinstance(answer, wire.Ready):
                raise Lost("said what no helper says")
            self._ready = answer
        return self._ready

    async def do(
        self,
        job: str,
        arguments: Mapping[str, Any],
        fd: int | None = None,
        suspend: Callable[[], Awaitable[None]] | None = None,
    ) -> wire.Done | wire.Failed:
        """Have it do a job.  `step` is the key of the step at which it is.

        Args:
            fd: a descriptor that it works with; of its first job only.
            suspend: called where it asks for that, at most once.

        Raises:
            Lost: it did not answer; anything that `suspend` raises.
            TooLong.
        """
        data = wire.pack([job, arguments])
        if len(data) > wire.JOB_MAX:
            raise TooLong(f"a job of {len(data)} bytes")
        await self.ready()
        await self._send(data, fd)
        while True:
            match await self._answer(STEP_SECONDS):
                case wire.Step(key):
                    self.step = key
                case wire.Suspend() if suspend is not None:
                    asked, suspend = suspend, None
                    await asked()
                    await self._send(wire.pack(wire.SUSPENDED))
                case wire.Done() | wire.Failed() as answer:
                    return answer
                case wire.Ready() | wire.Suspend():
                    raise Lost("said what no helper says")

    async def _send(self, data: bytes, fd: int | None = None) -> None:
        """Nothing happens if it has ended, which is read next; a descriptor goes with the first byte."""
        with suppress(trio.BrokenResourceError, OSError):
            if fd is not None:
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
                data = data[await self._stream.socket.sendmsg([data], rights) :]
            await self._stream.send_all(data)

    async def end(self) -> None:
        """Kill it, whatever it does, and wait for its end, even where that is cancelled."""
        with trio.CancelScope(shield=True):
            if self.runs:
                self._process.kill()
            await self._stream.aclose()
            await self._wait()
            if self._process.stderr is not None:
                self._process.stderr.close()

    async def _answer(self, seconds: float) -> wire.Answer:
        try:
            with trio.fail_after(seconds):
                return await self._next()
        except trio.TooSlowError:
            raise Lost(f"gave no sign for {seconds:g} s and was killed") from None
        except ValueError:
            raise Lost("said what no helper says") from None

    async def _next(self) -> wire.Answer:
        while True:
            for message in self._messages:
                return wire.answer_of(message)
            try:
                data = await self._stream.receive_some(_CHUNK)
            except trio.BrokenResourceError:
                data = b""
            if not data:
                raise Lost(await self._end_of_it())
            self._messages.feed(data)

    async def _end_of_it(self) -> str:
        """How it ended, which it does just now."""
        await self._wait()
        status = self._process.returncode
        if status is None:
            return "closed its socket and went on"
        if status >= 0:
            return " ".join([f"ended with status {status}", *(f"({line})" for line in self._last_words())])
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return f"was ended by {name}{_LIKELY.get(name, '')}"

    def _last_words(self) -> list[str]:
        """The last line that it wrote to standard error."""
        assert self._process.stderr is not None
        os.set_blocking(self._process.stderr.fileno(), False)
        with suppress(OSError):
            text = os.read(self._process.stderr.fileno(), ERRORS_MAX).decode(errors="replace")
            return [line[: wire.TEXT_MAX] for line in clean_lines(text)[-1:]]
        return []

    async def _wait(self) -> None:
        with trio.move_on_after(END_SECONDS):
            await trio.to_thread.run_sync(self._process.wait, abandon_on_cancel=True)


#: What mostly sends a signal.
_LIKELY = {
    "SIGKILL": " (dom0 may be out of memory)",
    "SIGXCPU": " (it used more of the processor than it may)",
    "SIGBUS": " (a file may have become shorter while it was read)",
}


def _environment() -> dict[str, str]:
    safe = child.environment(os.environ)
    return {"LC_ALL": "C"} | {name: safe[name] for name in ENVIRONMENT if name in safe}
