"""The program xenbackendd: until SIGTERM or SIGINT."""

import argparse
import math
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import trio

from xenclient.store.address import Address
from xenclient.store.aio import Client
from xenclient.store.errors import ClientError
from xend.backendd.coordinator import Coordinator
from xend.device.runner import run_script
from xend.host import PLATFORM, Settings
from xend.log import Log
from xend.options import Parser, UsageError, config_directory
from xenstore.daemon import start
from xenstore.daemon.files import pid_file
from xenstore.daemon.start import Program, StartError
from xenstore.errors import XenstoreError

PROGRAM = Program("xenbackendd")
Report = Callable[[str | None], object]


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
    report: Report = PROGRAM.tell if options.foreground else PROGRAM.detach()
    log = Log(options.log_file, options.foreground)
    failures: list[BaseException] = []
    try:
        log.open()
        with ExitStack() as stack:
            if options.pid_file:
                stack.enter_context(pid_file(options.pid_file))
            trio.run(_serve, options, log, report)
    except* (StartError, ClientError, XenstoreError, OSError) as group:
        failures.append(start.first_error(group))
    for failure in failures:
        report(str(failure))
    return 1 if failures else 0


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


async def _serve(options: argparse.Namespace, log: Log, report: Report) -> None:
    settings = Settings(
        platform=options.platform,
        script_directory=Path(options.config_dir, "scripts"),
        dump_directory=Path("/nonexistent"),
        store_socket=options.store,
    )
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with Client(options.store, reconnect=math.inf) as store, trio.open_nursery() as nursery:
            coordinator = Coordinator(store, settings, run_script, log, options.vbd_script)
            await nursery.start(coordinator.run)
            log(f"serving the backends of {options.store}")
            report(None)
            start.notify_supervisor(f"READY=1\nMAINPID={os.getpid()}")
            async for number in signals:
                if number != signal.SIGHUP:
                    break
                log.open()
            start.notify_supervisor("STOPPING=1")
            nursery.cancel_scope.cancel()


if __name__ == "__main__":
    sys.exit(main())
