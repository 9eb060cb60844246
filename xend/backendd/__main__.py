"""The program xenbackendd: until SIGTERM or SIGINT."""

import math
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import trio

from xenclient.store.aio import Client
from xend.backendd.coordinator import Coordinator
from xend.backendd.options import Options, UsageError, parse
from xend.device.runner import run_script
from xend.log import Log
from xend.service import KNOWN, Report, Service, run_service
from xend.settings import Settings
from xenstore.daemon import start
from xenstore.daemon.start import Program

PROGRAM = Program("xenbackendd")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; returns its exit status: 0, 1 if it could not start or failed, 2 for bad usage."""
    start.open_standard_descriptors()
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
    except UsageError as error:
        PROGRAM.to_stderr(f"{error}; xenbackendd --help lists the options")
        return 2
    return run_service(
        PROGRAM, lambda log, report: _Backendd(options, report), options.foreground, options.pid_file
    )


class _Backendd(Service):
    """Logs into a file of its own."""

    known = (*KNOWN, OSError)

    def __init__(self, options: Options, report: Report) -> None:
        self._log = Log(options.log_file, options.foreground)
        super().__init__(self._log, report)
        self.options = options

    async def run(self) -> None:
        options = self.options
        self._log.open()
        settings = Settings(
            platform=options.platform,
            script_directory=Path(options.config_directory, "scripts"),
            dump_directory=Path("/nonexistent"),
            store_socket=options.store,
        )
        async with AsyncExitStack() as stack:
            signals = stack.enter_context(
                trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
            )
            store = await stack.enter_async_context(Client(options.store, reconnect=math.inf))
            coordinator = Coordinator(store, settings, run_script, self.log, options.vbd_script)
            nursery = await stack.enter_async_context(trio.open_nursery())
            await nursery.start(coordinator.run)
            self.log(f"serving the backends of {options.store}")
            self.report_ready()
            async for number in signals:
                if number != signal.SIGHUP:
                    break
                self._log.open()
            start.notify_supervisor("STOPPING=1")
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    sys.exit(main())
