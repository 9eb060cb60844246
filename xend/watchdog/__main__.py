"""The program xenwatchdogd.

SIGUSR1 disarms the timer and ends it; SIGTERM and SIGINT end it and leave the host some minutes to go down,
or disarm, too, with --safe-exit; SIGHUP tells in the log how the timer stands. Any other end, kill -9 among
them, leaves the timer armed on purpose.
"""

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack

import trio

from xend.errors import XendError
from xend.hypervisor import HypervisorError
from xend.hypervisor.choose import open_hypervisor
from xend.watchdog.keeper import Keeper, WatchdogLost
from xend.watchdog.options import Options, UsageError, parse
from xend.watchdog.record import Record
from xenstore.daemon import start
from xenstore.daemon.files import pid_file
from xenstore.daemon.start import Program, StartError

PROGRAM = Program("xenwatchdogd")
Say = Callable[[str], object]
Report = Callable[[str | None], object]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; returns its exit status: 0, 1 if it could not start or lost the timer, 2 for bad
    usage."""
    start.open_standard_descriptors()
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
    except UsageError as error:
        PROGRAM.say(f"{error}; xenwatchdogd --help lists the options")
        return 2
    if options.foreground:
        return _run(options, PROGRAM.say, PROGRAM.tell)
    return _run(options, PROGRAM.to_syslog, PROGRAM.detach())


def _run(options: Options, log: Say, report: Report) -> int:
    daemon = _Daemon(options, log, report)
    try:
        trio.run(daemon.run)
    except KeyboardInterrupt:  # before the signals were received in order
        return 130
    except Exception as error:
        line = _line(error)
        log(line) if daemon.is_up else report(line)
        return 1
    return 0


def _line(error: BaseException) -> str:
    """What to tell of an error; a task's comes in a group."""
    error = start.first_error(error)
    known = isinstance(error, (StartError, XendError, HypervisorError, WatchdogLost))
    return str(error) if known else start.internal_error(error)


class _Daemon:
    def __init__(self, options: Options, log: Say, report: Report) -> None:
        self.options = options
        self.log = log
        self.report = report
        self.is_up = False

    async def run(self) -> None:
        options = self.options
        async with AsyncExitStack() as stack:
            signals = stack.enter_context(
                trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)
            )
            stack.enter_context(pid_file(options.pid_file))
            hypervisor = await stack.enter_async_context(open_hypervisor(options.hypervisor))
            keeper = Keeper(hypervisor, options.timeout_s, options.sleep_s, Record(options.record), self.log)
            await keeper.arm()
            self.say_ready()
            safely = await self.keep(keeper, signals)
            start.notify_supervisor("STOPPING=1")
            await keeper.leave(safely)

    def say_ready(self) -> None:
        self.is_up = True
        self.report(None)
        start.notify_supervisor(f"READY=1\nMAINPID={os.getpid()}")

    async def keep(self, keeper: Keeper, signals: AsyncIterator[int]) -> bool:
        """Until a signal says stop; returns whether it is a safe one."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeper.keep)
            async for number in signals:
                if number != signal.SIGHUP:
                    self.log(f"{signal.Signals(number).name}: stopping")
                    nursery.cancel_scope.cancel()
                    return self.options.safe_exit or number == signal.SIGUSR1
                keeper.tell()
        raise AssertionError("signals do not end")


if __name__ == "__main__":
    sys.exit(main())
