"""A program that a server forks for the tests' own process: what `python.c` does, without a program between.

So it is known by its own process id: what is asked of that (memory, descriptors, a stop) is asked of itself.
"""

import array
import os
import signal
import socket
import struct
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.starter.request import pack

_NUMBER = struct.Struct("=i")


class Forked:
    """As a subprocess.Popen, as far as tests need one.  It ends with the tests, however they end.

    argv: what the interpreter would be called with, itself first.
    output: the descriptor that is its standard output and standard error; None: this process's own.

    Attributes:
        pid: the program's.
        returncode: None until its end was seen; -N: signal N ended it.
    """

    def __init__(
        self,
        server: Path,
        argv: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        output: int | None = None,
    ) -> None:
        self.args = argv
        self.returncode: int | None = None
        streams = (1, 2) if output is None else (output, output)
        null, directory = os.open(os.devnull, os.O_RDONLY), os.open(".", os.O_PATH)
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._server.connect(str(server))
            words = [os.fsencode(word) for word in argv]
            variables = os.environ if environment is None else environment
            message = pack(words, {os.fsencode(n): os.fsencode(v) for n, v in variables.items()}, [0, 1, 2])
            descriptors = array.array("i", [null, *streams, directory])
            self._server.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
            self.pid = self._number()
        finally:
            os.close(null)
            os.close(directory)

    def poll(self) -> int | None:
        """How it ended; None: it has not."""
        if self.returncode is None:
            self._server.settimeout(0)
            with suppress(BlockingIOError):
                self._end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """How it ended.

        Raises:
            subprocess.TimeoutExpired: it has not ended within so many seconds.
        """
        if self.returncode is None:
            self._server.settimeout(timeout)
            try:
                self._end()
            except TimeoutError as error:
                raise subprocess.TimeoutExpired([str(word) for word in self.args], timeout or 0) from error
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """A signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _end(self) -> None:
        self.returncode = os.waitstatus_to_exitcode(self._number())
        self._server.close()

    def _number(self) -> int:
        answer = self._server.recv(_NUMBER.size)
        assert answer, "the server of tests has gone"
        number: int = _NUMBER.unpack(answer)[0]
        return number
