"""xenconsoled: the consoles of all domains, for hosts whose domains another toolstack starts.

Serves until SIGTERM or SIGINT; SIGHUP goes on in new log files.
"""

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from importlib.metadata import version
from typing import Protocol

import trio

from xenclient.store.aio import Client
from xend.console.follow import Follower, Host
from xend.console.hypervisor_log import Speaker, follow
from xend.console.log import ConsoleLog
from xend.console.maker import Filter, Opener
from xend.console.options import DEFAULT_PID_FILE, Options, UsageError, parse, usage
from xend.console.pty import open_pty
from xend.console.service import Consoles
from xend.console.stamp import LineStamp, replace_escape
from xend.hypervisor.choose import open_hypervisor
from xend.service import Logger, Report, Service, run_service
from xenstore.daemon import start, trusted
from xenstore.daemon.start import Program

PROGRAM = Program("xenconsoled")


class _Hypervisor(Opener, Host, Speaker, Protocol):
    """What this program needs of one."""

    name: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; returns its exit status: 0, 1 if it could not start or failed, 2 for bad usage."""
    start.open_standard_descriptors()
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
    except UsageError as error:
        PROGRAM.to_stderr(str(error))
        return 2
    if options.help or options.version:
        print(usage() if options.help else f"xenconsoled {version('xend')}")
        return 0
    return run_service(
        PROGRAM, lambda log, report: _Daemon(options, log, report), options.foreground, _pid_path(options)
    )


def _pid_path(options: Options) -> str | None:
    if options.pid_file is not None or options.foreground:
        return options.pid_file
    with suppress(OSError):  # the file's own error will say more
        trusted.make_directory(os.path.dirname(DEFAULT_PID_FILE))
    return DEFAULT_PID_FILE


class _Daemon(Service):
    def __init__(self, options: Options, log: Logger, report: Report) -> None:
        super().__init__(log, report)
        self.options = options

    async def run(self) -> None:
        start.raise_descriptor_limit()
        if self.options.log_guests or self.options.log_hypervisor:
            trusted.check_logs(self.options.log_directory)
        async with AsyncExitStack() as stack:
            signals = stack.enter_context(
                trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
            )
            hypervisor = await stack.enter_async_context(open_hypervisor(self.options.hypervisor))
            store = await stack.enter_async_context(Client(self.options.store))
            await self.serve(hypervisor, store, signals)
        start.notify_supervisor("STOPPING=1")

    async def serve(self, hypervisor: _Hypervisor, store: Client, signals: AsyncIterator[int]) -> None:
        options = self.options
        consoles = Consoles(
            hypervisor,
            store,
            options.log_directory if options.log_guests else None,
            open_pty,
            self.log,
            log_prefix="guest-",
            filters=lambda: _filters(options.stamp_guests, options.replace_escape),
            keep_overflow=options.keep_overflow,
        )
        chat = self.log if options.verbose else lambda line: None
        async with trio.open_nursery() as nursery:
            await nursery.start(consoles.run)
            nursery.start_soon(Follower(hypervisor, store, consoles, self.log, chat).run)
            logs = [consoles.reopen_logs]
            if options.log_hypervisor:
                log = self.hypervisor_log()
                logs.append(log.reopen)
                nursery.start_soon(follow, hypervisor, log, self.log)
            self.log(f"serving the consoles of the domains of {hypervisor.name}")
            self.report_ready()
            await self.obey(signals, logs)
            nursery.cancel_scope.cancel()

    def hypervisor_log(self) -> ConsoleLog:
        path = os.path.join(self.options.log_directory, "hypervisor.log")
        filters = _filters(self.options.stamp_hypervisor, self.options.replace_escape)
        return ConsoleLog(path, self.log, filters=filters)

    async def obey(self, signals: AsyncIterator[int], logs: Sequence[Callable[[], object]]) -> None:
        """Reopen the logs as often as asked for, until a signal says stop."""
        async for number in signals:
            if number != signal.SIGHUP:
                self.log(f"{signal.Signals(number).name}: stopping")
                return
            for reopen in logs:
                reopen()


def _filters(stamped: bool, escaped: bool) -> list[Filter]:
    return [*([replace_escape] if escaped else []), *([LineStamp()] if stamped else [])]


if __name__ == "__main__":
    sys.exit(main())
