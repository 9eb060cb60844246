"""The program xenwatchdogd.

SIGUSR1 disarms the timer and ends it; SIGTERM and SIGINT end it and leave the host some minutes to go down,
or disarm, too, with --safe-exit; SIGHUP tells in the log how the timer stands. Any other end, kill -9 among
them, leaves the timer armed on purpose.
"""

import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import trio

from xend.hypervisor.choose import open_hypervisor
from xend.service import KNOWN, Logger, Report, Service, run_service
from xend.watchdog.keeper import Keeper, WatchdogLost
from xend.watchdog.options import Options, UsageError, parse
from xend.watchdog.record import Record
from xenstore.daemon import start
from xenstore.daemon.start import Program

PROGRAM = Program("xenwatchdogd")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; returns its exit status: 0, 1 if it could not start or lost the timer, 2 for bad
    usage."""
    start.open_standard_descriptors()
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
    except UsageError as error:
        PROGRAM.to_stderr(f"{error}; xenwatchdogd --help lists the options")
        return 2
    return run_service(
        PROGRAM, lambda log, report: _Watchdog(options, log, report), options.foreground, options.pid_file
    )


class _Watchdog(Service):
    known = (*KNOWN, WatchdogLost)

    def __init__(self, options: Options, log: Logger, report: Report) -> None:
        super().__init__(log, report)
        self.options = options

    async def run(self) -> None:
        options = self.options
        async with AsyncExitStack() as stack:
            signals = stack.enter_context(
                trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)
            )
            hypervisor = await stack.enter_async_context(open_hypervisor(options.hypervisor))
            keeper = Keeper(hypervisor, options.timeout_s, options.sleep_s, Record(options.record), self.log)
            await keeper.arm()
            self.report_ready()
            safely = await self.keep(keeper, signals)
            start.notify_supervisor("STOPPING=1")
            await keeper.leave(safely)

    async def keep(self, keeper: Keeper, signals: AsyncIterator[int]) -> bool:
        """Until a signal says stop; returns whether it is a safe one."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeper.keep)
            async for number in signals:
                if number != signal.SIGHUP:
                    self.log(f"{signal.Signals(number).name}: stopping")
                    nursery.cancel_scope.cancel()
                    return self.options.safe_exit or number == signal.SIGUSR1
                keeper.log_timer()
        raise AssertionError("signals do not end")


if __name__ == "__main__":
    sys.exit(main())
