"""The process that forks programs: it has all of them imported, so that a start costs no import.

`tests/starter/python.c` stands for the interpreter and hands over what it was started with.  What runs is a
process like one of a fresh interpreter: its descriptors, environment, directory, umask, namespaces and
command line are those that it was started with.  Its parent is this process.
"""

import gc
import importlib
import os
import pkgutil
import select
import signal
import socket
import struct
import sys
from contextlib import suppress

from tests.starter import program
from tests.starter.request import receive

PACKAGES = ("xenstore", "xend", "xenclient")
#: Programs of the tests' own that are started often.
MODULES = ("tests.rcd.init",)
_NUMBER = struct.Struct("=i")


def load() -> None:
    """Import all that programs may import; no collection of garbage looks through it in each of them."""
    for name in PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(module.name)
    for name in MODULES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def listen(path: str) -> socket.socket:
    """A socket that programs connect to which stand beside it."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(128)
    return listener


class Server:
    """Serves until its standard input ends; kills the programs that somebody waits for then.

    listener: closed in each program.
    """

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._callers: dict[int, socket.socket] = {}
        self._pids: dict[int, int] = {}
        self._poll = select.poll()
        self._wakeup = socket.socketpair()
        for side in self._wakeup:
            side.setblocking(False)

    def run(self) -> None:
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wakeup[1].fileno(), warn_on_full_buffer=False)
        for fd in (0, self._listener.fileno(), self._wakeup[0].fileno()):
            self._poll.register(fd, select.POLLIN)
        while True:
            for fd, _ in self._poll.poll():
                if fd == 0:
                    self._end()
                elif fd == self._listener.fileno():
                    self._start()
                elif fd == self._wakeup[0].fileno():
                    self._reap()
                elif fd in self._pids:
                    os.kill(self._pids[fd], signal.SIGKILL)  # the caller was killed
                    self._poll.unregister(fd)

    def _end(self) -> None:
        for pid in self._callers:
            os.kill(pid, signal.SIGKILL)
        os._exit(0)

    def _start(self) -> None:
        caller = self._listener.accept()[0]
        try:
            request = receive(caller)
        except (EOFError, OSError):  # killed before it said anything
            caller.close()
            return
        pid = os.fork()
        if pid == 0:
            os._exit(program.run(request))
        request.close()
        self._callers[pid] = caller
        self._pids[caller.fileno()] = pid
        self._poll.register(caller.fileno(), select.POLLIN)
        _tell(caller, pid)

    def _reap(self) -> None:
        """Every child, also those that ended as orphans, if this is process 1."""
        with suppress(BlockingIOError):
            self._wakeup[0].recv(4096)
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = ended
                caller = self._callers.pop(pid, None)
                if caller is not None:
                    del self._pids[caller.fileno()]
                    with suppress(KeyError):
                        self._poll.unregister(caller.fileno())
                    _tell(caller, status)
                    caller.close()


def _tell(caller: socket.socket, number: int) -> None:
    with suppress(OSError):  # killed
        caller.send(_NUMBER.pack(number))


def main() -> None:
    load()
    listener = listen(sys.argv[1])
    print("up", flush=True)
    Server(listener).run()


if __name__ == "__main__":
    main()
