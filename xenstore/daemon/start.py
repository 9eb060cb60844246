"""Being a daemon: descriptors, detaching from whoever started it, and reporting when the service is up.

The same for every daemon of this distribution; `Program` is what differs.
"""

import os
import resource
import socket
import syslog
from collections.abc import Callable
from contextlib import suppress

from xenstore.daemon.text import lines_of

_REPORT = 3  # the daemon's end of the pipe to its caller
_READY = b"\0"  # begins the report of success; what follows is the process id
_DIED = "died while starting, without a word; try --no-fork and see the system log"


class StartError(Exception):
    """The daemon cannot start; the text is one line that says what to do."""


class Program:
    """A daemon by its name, which stands before each of its lines."""

    def __init__(self, name: str) -> None:
        self.name = name

    def to_stderr(self, line: str) -> None:
        """One line on standard error, which may be closed."""
        with suppress(OSError):
            os.write(2, "".join(f"{self.name}: {each}\n" for each in lines_of(line)).encode())

    def report(self, failure: str | None) -> None:
        """What `detach` returns, for one that stays in the foreground: why it never served, or None."""
        if failure is not None:
            self.to_stderr(failure)

    def to_syslog(self, line: str) -> None:
        """One line into the system log."""
        for each in lines_of(line):
            syslog.syslog(syslog.LOG_NOTICE, each)

    def open_syslog(self) -> None:
        """Sign the system log's lines with this daemon's name."""
        syslog.openlog(self.name, syslog.LOG_PID, syslog.LOG_DAEMON)

    def detach(self, *, print_pid: bool = False) -> Callable[[str | None], None]:
        """Forks into the background; returns only there, as `report(failure)`, to be called once.

        The daemon has no descriptor of its caller's, no terminal, and / as its working directory.  The
        caller's process waits for the report and exits: with status 0 if it was None (and the daemon's
        process id on standard output, where asked for), else with 1 and the failure on standard error.
        """
        reader, writer = os.pipe()
        if os.fork() != 0:
            os.close(writer)
            raise SystemExit(self._await(reader, print_pid))
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        os.chdir("/")
        os.umask(0o022)
        os.dup2(writer, _REPORT)
        os.closerange(_REPORT + 1, 1 << 20)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.close(null)
        self.open_syslog()
        return _report

    def _await(self, reader: int, print_pid: bool) -> int:
        answer = b""
        while chunk := os.read(reader, 4096):
            answer += chunk
        if not answer.startswith(_READY):
            self.to_stderr(os.fsdecode(answer) or _DIED)
            return 1
        if print_pid:
            print(answer.removeprefix(_READY).decode())
        return 0


def open_standard_descriptors() -> None:
    """Points those of 0, 1 and 2 that are closed at /dev/null, so that nothing else takes their numbers."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number


def raise_descriptor_limit() -> None:
    """One descriptor a client: as many as the system lets this process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # some systems do not grant their own hard limit; the soft one serves
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _report(failure: str | None) -> None:
    answer = b"%s%d" % (_READY, os.getpid()) if failure is None else os.fsencode(failure)
    with suppress(OSError):  # the caller did not wait
        os.write(_REPORT, answer)
    os.close(_REPORT)


def notify_supervisor(state: str) -> None:
    """Tells systemd, or whoever set NOTIFY_SOCKET, what sd_notify(3) would."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    # A supervisor that is gone does not miss it.
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, suppress(OSError):
        sock.sendto(state.encode(), address)


def internal_error(error: BaseException) -> str:
    """An error nobody foresaw, in one line with the place it came from."""
    place = ""
    traceback = error.__traceback__
    while traceback is not None:
        place = f" ({os.path.basename(traceback.tb_frame.f_code.co_filename)}:{traceback.tb_lineno})"
        traceback = traceback.tb_next
    return f"internal error: {type(error).__name__}: {error}{place}"
