"""The command line of xenconsoled: Xen's options by its names, and ours."""

import os
from collections.abc import Sequence

import attrs

from xend.hypervisor.choose import absolute_name
from xenstore.daemon.getopt_table import GetoptTable
from xenstore.daemon.options import Option, UsageError

__all__ = ["DEFAULT_PID_FILE", "Options", "UsageError", "parse", "usage"]

DEFAULT_PID_FILE = "/var/run/xen/xenconsoled.pid"
DEFAULT_LOG_DIRECTORY = "/var/log/xen/console"
#: What --log and --timestamp may name: (guests, the hypervisor).
_WHOSE = {"none": (False, False), "guest": (True, False), "hv": (False, True), "all": (True, True)}


@attrs.frozen(kw_only=True)
class Options:
    """What the command line asks for; all paths absolute.

    Attributes:
        log, timestamp: whether the guests' consoles and the hypervisor's are recorded, and stamped.
        pid_file: given; a daemon has DEFAULT_PID_FILE otherwise.
        store: None: where clients look.
    """

    help: bool
    version: bool
    foreground: bool
    verbose: bool
    log: tuple[bool, bool]
    timestamp: tuple[bool, bool]
    keep_overflow: bool
    replace_escape: bool
    log_directory: str
    pid_file: str | None
    hypervisor: str
    store: str | None

    @property
    def log_guests(self) -> bool:
        return self.log[0]

    @property
    def log_hypervisor(self) -> bool:
        return self.log[1]

    @property
    def stamp_guests(self) -> bool:
        return self.timestamp[0]

    @property
    def stamp_hypervisor(self) -> bool:
        return self.timestamp[1]


def parse(arguments: Sequence[str]) -> Options:
    """The options in `arguments` (without the program's name); raises UsageError."""
    return Options(**_TABLE.parse(arguments, {}))


def usage() -> str:
    """The text of --help."""
    return _TABLE.usage()


def _hypervisor(name: str) -> str:
    return absolute_name(name, "expected xen, auto, or sim:DIR")


def _whose_option(spelling: str, help: str) -> Option:
    whose = tuple(_WHOSE)
    return Option(spelling, "", help, _WHOSE.__getitem__, choices=whose, default=_WHOSE["none"])


_TABLE = GetoptTable(
    "xenconsoled",
    (
        _whose_option("--log", "whose output to record; none by default"),
        Option(
            "--log-dir",
            "DIR",
            f"where; {DEFAULT_LOG_DIRECTORY}",
            os.path.abspath,
            sets="log_directory",
            default=DEFAULT_LOG_DIRECTORY,
        ),
        _whose_option("-t --timestamp", "begin each line of the log with the time"),
        Option("--replace-escape", "", "a dot for each escape character in logs"),
        Option(
            "-o --overflow-data",
            "",
            "what nobody reads: lose it, or let guests wait",
            lambda text: text == "keep",
            sets="keep_overflow",
            default=False,
            choices=("discard", "keep"),
        ),
        Option("--pid-file", "PATH", f"a daemon's process id; {DEFAULT_PID_FILE}", os.path.abspath),
        Option("-i --interactive", "", "stay in the foreground", sets="foreground"),
        Option("--no-fork", "", "the same", sets="foreground"),
        Option("-v --verbose", "", "say which consoles are served, too"),
        Option("--hypervisor", "xen|auto|sim:DIR", "whose domains; auto", _hypervisor, default="auto"),
        Option("--store", "PATH", "the store's socket", os.path.abspath),
        Option("-V --version", "", "print the version"),
        Option("-h --help", "", "print this"),
    ),
    help_column=43,
    separator="=",
    epilogue="\nThe store: $XENSTORED_PATH, else $XENSTORED_RUNDIR/socket, else /var/run/xenstored/socket.",
)
