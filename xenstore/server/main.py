"""xenstored: serves the store on its Unix socket until SIGTERM or SIGINT; SIGHUP reopens the trace file."""

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, suppress

import trio

from xenstore import _failpoint
from xenstore._arenas import use_huge_pages
from xenstore._pump import Pump, peer_uid
from xenstore.control import Control
from xenstore.journal.writer import Journal
from xenstore.live_update import LiveUpdate
from xenstore.platform import PlatformError, Unavailable
from xenstore.platform.choose import open_platform
from xenstore.server import arrival, recovery, start
from xenstore.server.arrival import Arrival, state_file
from xenstore.server.drive import drive
from xenstore.server.files import listening, pid_file
from xenstore.server.handover import SIGNALS, Handover
from xenstore.server.options import Options, UsageError, parse, usage
from xenstore.server.rings import Rings
from xenstore.server.start import StartError, say
from xenstore.server.trace import Trace
from xenstore.store import Session, Store


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; returns its exit status: 0, 1 if it could not start or failed, 2 for bad usage."""
    start.open_standard_descriptors()
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments, os.environ)
    except UsageError as error:
        say(str(error))
        return 2
    if options.help:
        print(usage())
        return 0
    if options.check_state is not None:
        return arrival.check(options.check_state)
    for note in options.notes:
        say(note)
    if options.failpoint is not None:
        _failpoint.arm(*options.failpoint)
    if options.live_update and not options.foreground:
        start.keep_log()
        return _run(options, start.to_syslog, lambda failure: start.to_syslog(failure) if failure else None)
    if not options.foreground:
        return _run(options, start.to_syslog, start.detach(print_pid=options.print_pid))
    if options.print_pid:
        print(os.getpid(), flush=True)
    return _run(options, say, lambda failure: say(failure) if failure else None)


def _run(options: Options, log: Callable[[str], object], report: Callable[[str | None], object]) -> int:
    """Serves until a signal says stop; `report` gets None once it does, or why it never did."""
    use_huge_pages()
    server = _Server(options, log, lambda: report(None))
    try:
        server.run()
    except StartError as error:
        report(str(error))
        return 1
    except KeyboardInterrupt:  # before the signals were received in order
        return 130
    except Exception as error:
        line = start.internal_error(error)
        log(line) if server.is_up else report(line)
        return 1
    return 0


class _Server:
    def __init__(self, options: Options, log: Callable[[str], object], on_up: Callable[[], object]) -> None:
        self.options = options
        self.log = log
        self.on_up = on_up
        self.is_up = False
        self.why_alone = "as --platform asks"
        self.users = {0, os.geteuid()}
        self.journal: Journal | None = None
        self.arrival: Arrival | None = None

    def run(self) -> None:
        start.raise_descriptor_limit()
        self.store = Store(quotas=self.options.quotas, keep_orphans=self.options.keep_orphans)
        self.store.log = self.log
        if self.options.live_update:
            self.arrival = Arrival(state_file(self.options), self.store, self.log)
        self.rings = self.open_rings()
        if self.rings is not None:
            self.store.hypervisor = self.rings
        if self.options.watch_event_timeout_seconds is not None:
            self.store.watch_event_seconds = self.options.watch_event_timeout_seconds
        self.trace = Trace(self.store, self.log, self.options.log_directory)
        self.live_update = LiveUpdate(self.store, self.log)
        self.store.control = Control(self.store, self.trace, self.log, self.live_update)
        self.pump = Pump(self.store, self.options.poller)
        self.pump.log = self.log
        with ExitStack() as stack:
            stack.callback(self.trace.off)
            stack.callback(self.pump.close)
            drive(self.pump, lambda: self.serve(stack))

    async def serve(self, stack: ExitStack) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as received:
            handover = self.bring_up(stack)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # a live update had them wait
            async with trio.open_nursery() as nursery:
                if self.rings is not None:
                    nursery.start_soon(self.rings.scan_regularly)
                if self.journal is not None:
                    nursery.start_soon(recovery.keep_trying, self.journal, self.pump)
                nursery.start_soon(handover.serve)
                await self.obey(received)
                nursery.cancel_scope.cancel()
            start.notify_supervisor("STOPPING=1")

    async def obey(self, signals: AsyncIterator[int]) -> None:
        """Does what signals ask for, until one asks to stop."""
        async for number in signals:
            if number != signal.SIGHUP:
                self.log(f"{signal.Signals(number).name}: stopping")
                return
            self.reopen_trace()

    def bring_up(self, stack: ExitStack) -> Handover:
        """Everything others can see, in the order in which it must appear; undone by the stack.

        Returns what can leave it all to another program.
        """
        inherited = -1 if self.arrival is None else self.arrival.image.socket_fd
        if self.options.pid_file is not None:
            stack.enter_context(pid_file(self.options.pid_file))
        listener = stack.enter_context(listening(self.options.socket, inherited))
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
            self.start_rings(self.rings, stack)
        if self.arrival is not None:
            self.arrival.connect(self.pump)
            self.arrival.taken()
            if self.rings is not None:
                self.rings.hear_of_changes()
            self.log("took over by live update")
        if self.options.banner:
            with suppress(OSError):
                print(_banner(self.options.socket), flush=True)
        self.is_up = True
        self.on_up()
        start.notify_supervisor(f"READY=1\nMAINPID={os.getpid()}")
        return Handover(
            self.live_update,
            self.store,
            self.pump,
            self.rings,
            self.journal,
            listener.fileno(),
            self.options.rundir,
        )

    def begin_journal(self) -> Journal:
        if self.arrival is not None:
            return recovery.begin_journal(self.options, self.store, self.log)
        return recovery.open_journal(self.options, self.store, self.rings, self.log)

    def open_rings(self) -> Rings | None:
        event_fd = -1 if self.arrival is None else self.arrival.image.event_fd
        try:
            platform = open_platform(self.options.platform, self.explain, event_fd=event_fd)
        except Unavailable as error:
            raise StartError(str(error)) from error
        if platform is None:
            return None
        rings = Rings(platform, self.log)
        if self.arrival is not None:
            rings.inherit(self.arrival.image.domains)
        return rings

    def explain(self, why: str) -> None:
        """Why no domains are served, though nobody asked for that."""
        self.why_alone = why

    def start_rings(self, rings: Rings, stack: ExitStack) -> None:
        try:
            rings.start(self.store, self.pump)
        except PlatformError as error:
            raise StartError(f"dom0's store ring: {error.strerror}") from error
        stack.callback(rings.stop)
        self.log(f"serving {self.options.socket} and the rings of {rings.count} domains on {rings.host}")

    def start_trace(self) -> None:
        for setting in self.options.trace_switches:
            self.trace.switch(setting)
        if self.options.trace_file is not None:
            try:
                self.trace.redirect(self.options.trace_file)
            except OSError as error:
                raise StartError(f"trace file {self.options.trace_file}: {error.strerror}") from error

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


def _banner(path: str) -> str:
    path = min(path, os.path.relpath(path), key=len)
    programs = os.path.relpath(os.path.dirname(os.path.abspath(sys.argv[0])))
    return f"""\
xenstored serves {path}.  In another terminal:

    export XENSTORED_PATH={os.path.abspath(path)}
    {programs}/xenstore-write /local/domain/0/name Domain-0
    {programs}/xenstore-ls
    {programs}/xenstore-watch /local

Xen's own programs work as well: XENSTORED_PATH={path} xenstore-ls.  Stop with Ctrl-C.
"""


if __name__ == "__main__":
    sys.exit(main())
