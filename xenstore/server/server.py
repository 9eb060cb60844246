"""A store with all that is around it: its socket, rings, journal and trace.

Who uses it turns the pump: `main` with trio as its guest, `embedded` as a task of a program's.  What it does
under trio is in `background`; nothing here needs that, so a server that was killed answers before trio is
imported.
"""

import os
from collections.abc import Callable
from contextlib import ExitStack

from xenstore._pump import Pump, peer_uid
from xenstore._system import System
from xenstore.control import Control
from xenstore.daemon.locks import holding, pid_file
from xenstore.daemon.sockets import listening
from xenstore.daemon.start import StartError
from xenstore.journal.writer import Journal
from xenstore.live_update import LiveUpdate
from xenstore.platform import PlatformError, Unavailable
from xenstore.platform.choose import open_platform
from xenstore.server import recovery
from xenstore.server.arrival import Arrival, state_file
from xenstore.server.options import Options
from xenstore.server.rings import Rings
from xenstore.server.start import PROGRAM
from xenstore.server.trace import Trace
from xenstore.store import Session, Store


class Server:
    """`open`, then `bring_up`, then `background.start`.

    may_be_replaced: by another program, on live-update.
    system: the kernel that real hosts are reached by.
    """

    def __init__(
        self,
        options: Options,
        log: Callable[[str], object],
        *,
        may_be_replaced: bool,
        system: System | None = None,
    ) -> None:
        self.options = options
        self.may_be_replaced = may_be_replaced
        self.log = log
        self.system = system
        self.why_alone = "as --platform asks"
        self.users = {0, os.geteuid()}
        self.journal: Journal | None = None
        self.arrival: Arrival | None = None
        #: The dialogue that may put another program in this one's place, if that can be done.
        self.live_update: LiveUpdate | None = None

    def open(self, stack: ExitStack) -> None:
        """Take the lock, then make the store and open what it needs; nothing of it can be seen by others yet.

        Raises:
            StartError: something is missing, or another one serves here; then nothing was touched.
        """
        self.held = stack.enter_context(holding(self.options.socket, PROGRAM.name))
        self.store = Store(quotas=self.options.quotas, keep_orphans=self.options.keep_orphans)
        self.store.log = self.log
        if self.may_be_replaced:
            self.live_update = LiveUpdate(self.store, self.log)
        if self.options.live_update:
            self.arrival = Arrival(state_file(self.options), self.store, self.log)
        self.rings = self.open_rings()
        if self.rings is not None:
            self.store.hypervisor = self.rings
        if self.options.watch_event_timeout_seconds is not None:
            self.store.watch_event_seconds = self.options.watch_event_timeout_seconds
        self.trace = Trace(self.store, self.log, self.options.log_directory)
        self.store.control = Control(self.store, self.trace, self.log, self.live_update)
        self.pump = Pump(self.store, self.options.poller)
        self.pump.log = self.log
        stack.callback(self.trace.off)
        stack.callback(self.pump.close)
        if self.rings is not None:
            stack.callback(self.rings.stop)

    def bring_up(self, stack: ExitStack) -> None:
        """Everything others can see, in the order in which it must appear; undone by the stack.

        Raises:
            StartError: something of it is not to be had.
        """
        inherited = -1 if self.arrival is None else self.arrival.image.socket_fd
        if self.options.pid_file is not None:
            stack.enter_context(pid_file(self.options.pid_file))
        listener = stack.enter_context(listening(self.held, self.options.socket, inherited))
        self.start_trace()
        if self.options.journal:
            self.journal = self.begin_journal()
            stack.callback(self.journal.stop)
        elif self.arrival is not None:
            recovery.drop_journal(self.options)
        self.pump.listen(listener.fileno(), self.admit)
        stack.callback(self.pump.forget, listener.fileno())
        if self.rings is None:
            self.log(f"serving {self.options.socket} only: {self.why_alone}")
        else:
            self.start_rings(self.rings)
        if self.arrival is not None:
            self.arrival.connect(self.pump)
            self.arrival.taken()
            if self.rings is not None:
                self.rings.hear_of_changes()
            self.log("took over by live update")
        self.listener_fd = listener.fileno()

    def begin_journal(self) -> Journal:
        if self.arrival is not None:
            return recovery.begin_journal(self.options, self.store, self.log)
        return recovery.open_journal(self.options, self.store, self.rings, self.log)

    def open_rings(self) -> Rings | None:
        event_fd = -1 if self.arrival is None else self.arrival.image.event_fd
        try:
            platform = open_platform(
                self.options.platform, self.held, self.explain, self.system, event_fd=event_fd
            )
        except Unavailable as error:
            raise StartError(str(error)) from error
        if platform is None:
            return None
        rings = Rings(platform, self.log)
        if self.arrival is not None:
            rings.inherit(self.arrival.image.domains)
        try:
            rings.claim()
        except PlatformError as error:
            rings.stop()
            raise StartError(error.strerror) from error
        return rings

    def explain(self, why: str) -> None:
        """Why no domains are served, though nobody asked for that."""
        self.why_alone = why

    def start_rings(self, rings: Rings) -> None:
        try:
            rings.start(self.store, self.pump)
        except PlatformError as error:
            raise StartError(f"dom0's store ring: {error.strerror}") from error
        self.log(f"serving {self.options.socket} and the rings of {rings.count} domains on {rings.host}")

    def start_trace(self) -> None:
        for setting in self.options.trace_switches:
            self.trace.switch(setting)
        if self.options.trace_file is not None:
            try:
                self.trace.redirect(self.options.trace_file)
            except OSError as error:
                where = error.filename or self.options.trace_file
                raise StartError(f"trace file {where}: {error.strerror}") from error

    def reopen_trace(self) -> None:
        if self.trace.is_open:
            try:
                self.trace.on()
            except OSError as error:
                self.log(f"cannot reopen the trace file, keeping the old one: {error}")

    def admit(self, fd: int) -> Session | None:
        """The session of a client that may connect: root, or whoever runs this daemon."""
        user = peer_uid(fd)
        if user in self.users:
            return self.store.connect()
        self.log(f"a client of user {user} was turned away: only root and the daemon's own user may connect")
        return None
