"""A program that runs: started in a session of its own, its output read here, its end waited for."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

import trio

from xend._spawn import spawn


class Process(Protocol):
    """What is known of it; of trio.Process no more than this is used.

    Attributes:
        returncode: its exit status, or the negative number of the signal that ended it; None: it runs.
        stdout: its output and errors; None: nobody reads them.
    """

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    @property
    def stdout(self) -> trio.abc.ReceiveStream | None: ...
    async def wait(self) -> int: ...


async def start_process(argv: Sequence[str], environment: Mapping[str, str]) -> Process:
    """Starts argv[0], looked for in the environment's PATH if it is no path.

    Where the system has that, it is the reaper of all that it starts.

    Raises:
        OSError: it cannot be run.
    """
    if has_reapers():
        return ReapingProcess(argv, environment)
    return await trio.lowlevel.open_process(
        list(argv),
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd="/",
    )


def has_reapers() -> bool:
    """Linux from 5.3 on: before that, the end of a process cannot be waited for but by trio's own means."""
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


class ReapingProcess:
    """A process on Linux that has for children what its descendants leave behind (see `descendants`)."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        program = argv[0] if "/" in argv[0] else shutil.which(argv[0], path=environment.get("PATH"))
        words = [os.fsencode(word) for word in (program or argv[0], *argv[1:])]
        variables = [os.fsencode(f"{name}={value}") for name, value in environment.items()]
        reader, writer = os.pipe()
        try:
            self.pid = spawn(words, variables, writer)
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        self.stdout: trio.abc.ReceiveStream = trio.lowlevel.FdStream(reader)
        self._status: int | None = None

    @property
    def returncode(self) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    async def wait(self) -> int:
        """Returns once it has ended."""
        await trio.lowlevel.checkpoint()
        while (status := self.returncode) is None:
            end = os.pidfd_open(self.pid)
            try:
                await trio.lowlevel.wait_readable(end)
            finally:
                os.close(end)
        return status
