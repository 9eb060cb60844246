"""The program xenbackendd: until SIGTERM or SIGINT."""

import argparse
import math
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import trio

from xenclient.store.address import Address
from xenclient.store.aio import Client
from xend.backendd.coordinator import Coordinator
from xend.device.runner import run_script
from xend.host import PLATFORM, Settings
from xend.log import Log
from xend.options import Parser, UsageError, config_directory
from xend.service import KNOWN, Report, Service, run_service
from xenstore.daemon import start
from xenstore.daemon.start import Program

PROGRAM = Program("xenbackendd")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program; returns its exit status: 0, 1 if it could not start or failed, 2 for bad usage."""
    start.open_standard_descriptors()
    try:
        options = _parser().parse_args(arguments)
    except UsageError as error:
        PROGRAM.say(f"{error}; xenbackendd --help lists the options")
        return 2
    for name in ("log_file", "pid_file", "store", "config_dir"):  # a daemon's directory is another
        if getattr(options, name):
            setattr(options, name, os.path.abspath(getattr(options, name)))
    return run_service(
        PROGRAM, lambda log, report: _Backendd(options, report), options.foreground, options.pid_file
    )


class _Backendd(Service):
    """Logs into a file of its own."""

    known = (*KNOWN, OSError)

    def __init__(self, options: argparse.Namespace, report: Report) -> None:
        self._log = Log(options.log_file, options.foreground)
        super().__init__(self._log, report)
        self.options = options

    async def run(self) -> None:
        options = self.options
        self._log.open()
        settings = Settings(
            platform=options.platform,
            script_directory=Path(options.config_dir, "scripts"),
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
            self.say_ready()
            async for number in signals:
                if number != signal.SIGHUP:
                    break
                self._log.open()
            start.notify_supervisor("STOPPING=1")
            nursery.cancel_scope.cancel()


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="xenbackendd", description="Runs the hotplug scripts of this domain's backends.")
    add = parser.add_argument
    add(
        "-d",
        "--debug",
        action="store_true",
        help="accepted, as in old times",
    )
    add("-f", "--foreground", action="store_true", help="stay in the foreground")
    add("-l", "--log-file", metavar="FILE", default="/var/log/xen/xenbackendd.log", help="(%(default)s)")
    add("-p", "--pid-file", metavar="FILE", help="holds the process id while it runs")
    add("-s", "--vbd-script", metavar="NAME", default="block", help="of disks that name none (%(default)s)")
    add(
        "--store",
        metavar="PATH",
        default=Address().where,
        help="xenstored's socket, or where there is none the kernel's device (%(default)s)",
    )
    add("--config-dir", metavar="DIR", default=config_directory(), help="has scripts/ (%(default)s)")
    add("--platform", choices=("linux", "netbsd"), default=PLATFORM, help="whose conventions scripts follow")
    return parser


if __name__ == "__main__":
    sys.exit(main())
