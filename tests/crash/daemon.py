"""One run directory, and the daemons that live in it one after the other."""

import json
import os
import select
import signal
import socket
import struct
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.peers.wire import Wire
from tests.starter import ROOT, Starter
from xenstore.wire import MessageType

#: Longer than any start takes.
START_SECONDS = 30.0
#: Process, user and group, as Linux tells of who is at the other end of a socket.
_PEER = struct.Struct("=iII")


class Daemons:
    """Starts xenstored and kills it; a context manager that leaves nothing running.

    segment_bytes: of a segment of the journal, if not the usual 4 MiB.  user: whose the daemons are, if not
    whoever runs the tests.  by: a command that runs the one after it, which starts each of them.

    Attributes:
        user: see above.
        life: readable from the end of the running daemon on, and never before.
        guests: where guests have their pages (`tests.peers.ring`).
    """

    def __init__(
        self,
        starter: Starter,
        directory: Path,
        *options: str,
        segment_bytes: int = 0,
        user: int = 0,
        by: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self.rundir = directory / "r"
        self.socket = self.rundir / "socket"
        self.guests = directory / "guests"
        self.guests.mkdir()
        self.life = socket.socket()
        self._options = options
        self._segment_bytes = segment_bytes
        self.user = user
        self._argv = [*by, str(starter.python), "-m", "tests.crash.program"]
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._births = socket.socket(socket.AF_UNIX)
        self._births.bind(str(directory / "life"))
        self._births.listen()
        self._ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ready.bind(str(directory / "ready"))
        self._ready.setblocking(False)

    def begin(self, *options: str, failpoint: str | None = None) -> None:
        """Fork a daemon, and do not wait until it serves."""
        environment = {"NOTIFY_SOCKET": str(self.directory / "ready")}
        if failpoint is not None:
            environment["XENSTORED_FAILPOINT"] = failpoint
        arguments = ["--no-fork", "--rundir", str(self.rundir), "--platform", f"sim:{self.guests}"]
        how = {"life": str(self.directory / "life"), "segment": self._segment_bytes, "user": self.user}
        with (self.directory / "stderr").open("ab") as errors:
            self._process = subprocess.Popen(
                [*self._argv, json.dumps(how), *arguments, *self._options, *options],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
            )
        self.life = self._births.accept()[0]
        peer = self.life.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        self._pid = _PEER.unpack(peer)[0]

    def start(self, *options: str, failpoint: str | None = None) -> bool:
        """A daemon; returns once it serves.  False: it has come to an end before."""
        self.begin(*options, failpoint=failpoint)
        return self.comes_up()

    def comes_up(self) -> bool:
        """Wait until the daemon that was begun serves, or has come to an end: False."""
        while True:
            readable, _, _ = select.select([self._ready, self.life], [], [], START_SECONDS)
            assert readable, f"it does not come up:\n{self.said()}"
            if self._ready in readable:
                if b"READY=1" in self._ready.recv(4096):
                    return True
            elif self.life in readable:
                return False

    def ends(self) -> bool:
        """Whether it comes to an end now."""
        return bool(select.select([self.life], [], [], START_SECONDS)[0])

    @property
    def pid(self) -> int:
        """Of the running one."""
        return self._pid

    def kill(self) -> None:
        """End it by SIGKILL."""
        with suppress(ProcessLookupError):  # it has ended
            os.kill(self._pid, signal.SIGKILL)
        self.reap()

    def reap(self) -> int:
        """Wait for its end; returns its exit status, negative for a signal."""
        assert self._process is not None
        status = self._process.wait()
        self._pid = 0
        self.life.close()
        try:
            while self._ready.recv(4096):
                pass
        except BlockingIOError:
            return status
        return status

    def said(self) -> str:
        """All that the daemons have said so far."""
        path = self.directory / "stderr"
        return path.read_text(errors="replace") if path.exists() else ""

    def check(self) -> None:
        """Assert that a recount finds what is booked, and that all is recorded."""
        with Wire(self.socket) as wire:
            answer = wire.request(MessageType.CONTROL, b"check\0").payload
        assert answer == b"OK\0", answer
        bad = [
            line
            for line in self.said().splitlines()
            if "check:" in line or "internal error" in line or "lost" in line
        ]
        assert bad == []

    def __enter__(self) -> "Daemons":
        return self

    def __exit__(self, *exc: object) -> None:
        if self._pid:
            self.kill()
        self._births.close()
        self._ready.close()
