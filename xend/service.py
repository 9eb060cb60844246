"""A small daemon, from where its options are known to its exit status."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import nullcontext

import trio

from xenclient.store.errors import ClientError
from xend.errors import XendError
from xend.hypervisor import HypervisorError
from xenstore.daemon import start
from xenstore.daemon.groups import first_error
from xenstore.daemon.locks import pid_file
from xenstore.daemon.start import Program, StartError
from xenstore.daemon.trusted import Untrusted
from xenstore.errors import XenstoreError

#: Gets a line for the log.
Logger = Callable[[str], object]
#: Gets None once the daemon serves, or why it never did.
Report = Callable[[str | None], object]

#: Errors that say all there is to say, in one line.
KNOWN: tuple[type[Exception], ...] = (
    StartError,
    XendError,
    HypervisorError,
    ClientError,
    XenstoreError,
    Untrusted,
)


class Service(ABC):
    """What the daemon does.  One is made once the daemon's lock is held.

    Attributes:
        known: errors that say all there is to say, in one line.
        log: takes a line.
        is_up: it serves, or has served.
    """

    known = KNOWN

    def __init__(self, log: Logger, report: Report) -> None:
        self.log = log
        self._report = report
        self.is_up = False

    @abstractmethod
    async def run(self) -> None:
        """Serve, until a signal says stop."""

    def report_ready(self) -> None:
        """Report to whoever started it, and to a supervisor, that it serves."""
        self.is_up = True
        self._report(None)
        start.notify_supervisor(f"READY=1\nMAINPID={os.getpid()}")


def run_service(
    program: Program, make: Callable[[Logger, Report], Service], foreground: bool, pid_path: str | None
) -> int:
    """Runs what `make(log, report)` makes, in the background unless `foreground`; returns its exit status.

    pid_path: the pid file, which is its lock: while another one has that, nothing is made or run.

    0: it ended as told; 1: it could not start, or failed, which is reported or logged; 130: interrupted.
    """
    log, report = (program.to_stderr, program.report) if foreground else (program.to_syslog, program.detach())
    try:
        with nullcontext() if pid_path is None else pid_file(pid_path):
            return _run(make(log, report), report)
    except StartError as error:
        report(str(error))
        return 1


def _run(service: Service, report: Report) -> int:
    try:
        trio.run(service.run)
    except KeyboardInterrupt:  # before signals were received in order
        return 130
    except Exception as error:  # noqa: BLE001 - the daemon ends: one line, no traceback
        line = _line(error, service.known)
        service.log(line) if service.is_up else report(line)
        return 1
    return 0


def _line(error: BaseException, known: tuple[type[Exception], ...]) -> str:
    """What to tell of an error; a task's comes in a group."""
    error = first_error(error)
    if isinstance(error, OSError) and OSError in known and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) if isinstance(error, known) else start.internal_error(error)
