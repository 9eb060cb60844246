"""`python -m xend.simulator DIR`: the process that keeps a simulated host alive."""

import os
import random
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import trio

from xend.simulator.host import SimulatedHost
from xend.simulator.options import Options, UsageError, parse
from xend.simulator.place import Place, check_length
from xend.simulator.server import Server
from xend.simulator.wire import SOCKET_NAME
from xenstore.daemon.groups import first_error
from xenstore.daemon.locks import Held, holding, pid_file
from xenstore.daemon.sockets import listening
from xenstore.daemon.start import (
    Program,
    StartError,
    internal_error,
    open_standard_descriptors,
    raise_descriptor_limit,
)

PROGRAM = Program("xend-simulator")
PID_FILE = "host.pid"
#: How long --exit-when-idle waits for a first client, in seconds.
FIRST_CLIENT_SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; returns its exit status."""
    open_standard_descriptors()
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
    except UsageError as error:
        PROGRAM.to_stderr(f"{error}; python -m xend.simulator --help lists the options")
        return 2
    raise_descriptor_limit()
    report = (lambda failure: None) if options.foreground else PROGRAM.detach()
    try:
        return _run(options, report)
    except Exception as error:  # noqa: BLE001 - the daemon ends: one line, no traceback
        return _fail(_line(first_error(error)), options, report)


def _run(options: Options, report: Callable[[str | None], None]) -> int:
    directory = options.directory
    check_length(directory)
    with ExitStack() as stack:
        path = os.path.join(directory, SOCKET_NAME)
        held = stack.enter_context(holding(path, "simulated host"))
        # The first to come and the last to go: who waits for its end waits for that.
        stack.enter_context(pid_file(os.path.join(directory, PID_FILE)))
        Place(directory).make()
        return trio.run(_serve, options, held, path, report)


async def _serve(options: Options, held: Held, path: str, report: Callable[[str | None], None]) -> int:
    """Until it is ended (0), or the host was reset (1)."""
    host = SimulatedHost(options.directory, random=random.Random(options.seed), hardware=options.hardware)
    server = Server(host)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(host.run)
            nursery.start_soon(_end_on_signal, nursery.cancel_scope)
            nursery.start_soon(_end_on_reset, host, nursery.cancel_scope)
            if options.exit_when_idle:
                nursery.start_soon(_end_when_idle, host, server, nursery.cancel_scope)
            # Who gets in may start a store, which looks for dom0's page.
            with listening(held, path) as listener:
                report(None)
                listener.setblocking(False)
                socket_listener = trio.SocketListener(trio.socket.from_stdlib_socket(listener))
                await trio.serve_listeners(server, [socket_listener])
    finally:
        host.power_off()
        log = PROGRAM.to_stderr if options.foreground else PROGRAM.to_syslog
        for line in [*host.faults, *filter(None, [host.reset])]:
            log(line)
    return 1 if host.reset else 0


async def _end_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            scope.cancel()


async def _end_on_reset(host: SimulatedHost, scope: trio.CancelScope) -> None:
    await host.was_reset.wait()
    scope.cancel()


async def _end_when_idle(host: SimulatedHost, server: Server, scope: trio.CancelScope) -> None:
    idle = trio.Event()

    def look() -> None:
        if not server.clients and not host.has_guests:
            idle.set()

    server.on_idle = host.on_gone = look
    await trio.lowlevel.checkpoint()
    with trio.move_on_after(FIRST_CLIENT_SECONDS):
        await idle.wait()
    look()
    await idle.wait()
    scope.cancel()


def _line(error: BaseException) -> str:
    """What ends the program, in one line."""
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    return str(error) if isinstance(error, StartError) else internal_error(error)


def _fail(line: str, options: Options, report: Callable[[str | None], None]) -> int:
    if options.foreground:
        PROGRAM.to_stderr(line)
    report(line)
    return 1


if __name__ == "__main__":
    sys.exit(main())
