"""The second half of a live update: going on where another xenstored stopped.

It has executed this program in its own process: its sockets and the event channels' descriptor are open, the
rest is in RUNDIR/state_dump.  Until `taken`, that file can be gone on from again, so nothing may be executed,
sent or consumed before.
"""

import os
from collections.abc import Callable

from xenstore import stream
from xenstore._pump import Pump
from xenstore.daemon import trusted
from xenstore.daemon.start import StartError
from xenstore.image import Image, restore
from xenstore.server import guardian
from xenstore.server.options import Options
from xenstore.server.start import PROGRAM
from xenstore.store import Session, Store
from xenstore.stream import StreamError

STATE_FILE = "state_dump"


class Arrival:
    """What the xenstored before this one left, put into a fresh store.

    Attributes:
        image: all but the nodes.

    Raises:
        StartError: there is nothing, it is damaged, or a descriptor is missing.
    """

    def __init__(self, path: str, store: Store, log: Callable[[str], object]) -> None:
        self.path = path
        self.image, self._clients = _load(path, store, log)
        for fd in [*self._clients, self.image.socket_fd, self.image.event_fd]:
            self._keep(fd)

    def _keep(self, fd: int) -> None:
        """Programs that this one executes do not get a descriptor."""
        if fd < 0:
            return
        try:
            os.set_inheritable(fd, False)
        except OSError as error:
            raise StartError(f"{self.path}: descriptor {fd}: {error.strerror}") from error

    def connect(self, pump: Pump) -> None:
        """Serve the clients from now on.  A descriptor that is no client's socket is a client lost."""
        for fd, session in self._clients.items():
            pump.add(fd, session)

    def taken(self) -> None:
        """All is in place: nobody else may go on from the file any more."""
        os.unlink(self.path)
        guardian.dismiss()


def state_file(options: Options) -> str:
    """Where one xenstored leaves its state to the next."""
    return os.path.join(options.rundir, STATE_FILE)


def check(path: str) -> int:
    """The program's exit status for --check-state: whether a store could be made of a file."""
    try:
        _load(path, Store(), PROGRAM.to_stderr)
    except StartError as error:
        PROGRAM.to_stderr(str(error))
        return 1
    return 0


def _load(path: str, store: Store, log: Callable[[str], object]) -> tuple[Image, dict[int, Session]]:
    try:
        with open(trusted.open_file(path, os.O_RDONLY), "rb") as file:
            data = file.read()
        image = stream.read(data, store, lambda line: log(f"{path}: {line}"))
        return image, restore(image, store)
    except OSError as error:
        raise StartError(f"no state to go on from: {error.filename or path}: {error.strerror}") from error
    except (StreamError, ValueError) as error:
        raise StartError(f"{path} is no state to go on from: {error}") from error
