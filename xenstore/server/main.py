"""xenstored: serves the store on its Unix socket until SIGTERM or SIGINT; SIGHUP reopens the trace file."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress

from xenstore import _failpoint
from xenstore._arenas import give_back_unused, use_huge_pages
from xenstore.daemon import start
from xenstore.daemon.groups import first_error
from xenstore.daemon.start import StartError
from xenstore.server import arrival
from xenstore.server.meanwhile import serving
from xenstore.server.options import Options, UsageError, parse, usage
from xenstore.server.server import Server
from xenstore.server.start import PROGRAM, SIGNALS


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; returns its exit status: 0, 1 if it could not start or failed, 2 for bad usage."""
    start.open_standard_descriptors()
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments, os.environ)
    except UsageError as error:
        PROGRAM.to_stderr(str(error))
        return 2
    if options.help:
        print(usage())
        return 0
    if options.check_state is not None:
        import xenstore.server.background  # noqa: F401 - who cannot import all of it cannot take over

        return arrival.check(options.check_state)
    for note in options.notes:
        PROGRAM.to_stderr(note)
    if options.failpoint is not None:
        _failpoint.arm(*options.failpoint)
    if options.live_update and not options.foreground:
        PROGRAM.open_syslog()
        return _run(
            options, PROGRAM.to_syslog, lambda failure: PROGRAM.to_syslog(failure) if failure else None
        )
    if not options.foreground:
        return _run(options, PROGRAM.to_syslog, PROGRAM.detach(print_pid=options.print_pid))
    if options.print_pid:
        print(os.getpid(), flush=True)
    return _run(options, PROGRAM.to_stderr, PROGRAM.report)


def _run(options: Options, log: Callable[[str], object], report: Callable[[str | None], object]) -> int:
    """Serves until a signal says stop; `report` gets None once it does, or why it never did."""
    use_huge_pages()
    start.raise_descriptor_limit()
    program = _Program(Server(options, log, may_be_replaced=True), lambda: report(None))
    try:
        program.run()
    except KeyboardInterrupt:  # before the signals were received in order
        return 130
    except Exception as raised:  # noqa: BLE001 - the daemon ends: one line, no traceback
        error = first_error(raised)
        line = str(error) if isinstance(error, StartError) else start.internal_error(error)
        log(line) if program.is_up else report(line)
        return 1
    return 0


class _Program:
    """A server in a process of its own: trio is the pump's guest, signals say when to stop."""

    def __init__(self, server: Server, on_up: Callable[[], object]) -> None:
        self.server = server
        self.on_up = on_up
        self.is_up = False

    def run(self) -> None:
        with ExitStack() as stack:
            self.server.open(stack)
            self.server.bring_up(stack)
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
            with serving(self.server.pump):
                from xenstore.server import background
            background.run(self.server, self.report_up)

    def report_up(self) -> None:
        give_back_unused()
        if self.server.options.banner:
            with suppress(OSError):
                print(_banner(self.server.options.socket), flush=True)
        self.is_up = True
        self.on_up()
        start.notify_supervisor(f"READY=1\nMAINPID={os.getpid()}")


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
