"""The command line of xenconsoled: Xen's options by its names, and ours."""

import getopt
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import attrs

from xend.hypervisor.choose import SIMULATED, valid_name

__all__ = ["DEFAULT_PID_FILE", "Options", "UsageError", "parse", "usage"]

DEFAULT_PID_FILE = "/var/run/xen/xenconsoled.pid"
DEFAULT_LOG_DIRECTORY = "/var/log/xen/console"
#: What --log and --timestamp may name: (guests, the hypervisor).
_WHOSE = {"none": (False, False), "guest": (True, False), "hv": (False, True), "all": (True, True)}


class UsageError(Exception):
    """An option or value that does not exist, in one line."""


@attrs.define
class Options:
    """What the command line asks for; all paths absolute."""

    help: bool = False
    version: bool = False
    foreground: bool = False
    verbose: bool = False
    log_guests: bool = False
    log_hypervisor: bool = False
    stamp_guests: bool = False
    stamp_hypervisor: bool = False
    keep_overflow: bool = False
    replace_escape: bool = False
    log_directory: str = DEFAULT_LOG_DIRECTORY
    pid_file: str | None = None  # given; a daemon has DEFAULT_PID_FILE otherwise
    hypervisor: str = "auto"
    store: str | None = None  # None: where clients look


class _Option(NamedTuple):
    short: str
    long: str
    value: str  # what it takes, as the help names it; empty: nothing
    help: str
    apply: Callable[[Options, str], None]


def parse(arguments: Sequence[str]) -> Options:
    """The options in `arguments` (without the program's name); raises UsageError."""
    short = "".join(option.short + (":" if option.value else "") for option in _OPTIONS if option.short)
    long = [option.long + ("=" if option.value else "") for option in _OPTIONS]
    names = {f"--{option.long}": option for option in _OPTIONS}
    names |= {f"-{option.short}": option for option in _OPTIONS if option.short}
    try:
        given, rest = getopt.gnu_getopt(list(arguments), short, long)
    except getopt.GetoptError as error:
        raise UsageError(f"{error.msg}; see --help") from error
    if rest:
        raise UsageError(f"unexpected argument {rest[0]!r}; see --help")
    options = Options()
    for name, value in given:
        try:
            names[name].apply(options, value)
        except ValueError as error:
            raise UsageError(f"{name} {value}: {error}") from error
    return options


def usage() -> str:
    """The text of --help."""
    lines = ["Usage: xenconsoled [options]\n"]
    for option in _OPTIONS:
        short = f"-{option.short}, " if option.short else "    "
        left = f"  {short}--{option.long}{'=' + option.value if option.value else ''}"
        lines.append(f"{left:<42} {option.help}")
    lines.append(
        "\nThe store: $XENSTORED_PATH, else $XENSTORED_RUNDIR/socket, else /var/run/xenstored/socket."
    )
    return "\n".join(lines)


def _flag(name: str) -> Callable[[Options, str], None]:
    return lambda options, value: setattr(options, name, True)


def _path(name: str) -> Callable[[Options, str], None]:
    return lambda options, value: setattr(options, name, os.path.abspath(value))


def _whose(value: str) -> tuple[bool, bool]:
    if value not in _WHOSE:
        raise ValueError(f"expected {', '.join(_WHOSE)}")
    return _WHOSE[value]


def _log(options: Options, value: str) -> None:
    options.log_guests, options.log_hypervisor = _whose(value)


def _timestamp(options: Options, value: str) -> None:
    options.stamp_guests, options.stamp_hypervisor = _whose(value)


def _overflow(options: Options, value: str) -> None:
    if value not in ("discard", "keep"):
        raise ValueError("expected discard, keep")
    options.keep_overflow = value == "keep"


def _hypervisor(options: Options, value: str) -> None:
    if not valid_name(value):
        raise ValueError(f"expected xen, auto, or {SIMULATED}DIR")
    if value.startswith(SIMULATED):
        value = SIMULATED + os.path.abspath(value.removeprefix(SIMULATED))
    options.hypervisor = value


_OPTIONS = (
    _Option("", "log", "none|guest|hv|all", "whose output to record; none by default", _log),
    _Option("", "log-dir", "DIR", f"where; {DEFAULT_LOG_DIRECTORY}", _path("log_directory")),
    _Option("t", "timestamp", "none|guest|hv|all", "begin each line of the log with the time", _timestamp),
    _Option("", "replace-escape", "", "a dot for each escape character in logs", _flag("replace_escape")),
    _Option(
        "o", "overflow-data", "discard|keep", "what nobody reads: lose it, or let guests wait", _overflow
    ),
    _Option("", "pid-file", "PATH", f"a daemon's process id; {DEFAULT_PID_FILE}", _path("pid_file")),
    _Option("i", "interactive", "", "stay in the foreground", _flag("foreground")),
    _Option("", "no-fork", "", "the same", _flag("foreground")),
    _Option("v", "verbose", "", "say which consoles are served, too", _flag("verbose")),
    _Option("", "hypervisor", "xen|auto|sim:DIR", "whose domains; auto", _hypervisor),
    _Option("", "store", "PATH", "the store's socket", _path("store")),
    _Option("V", "version", "", "print the version", _flag("version")),
    _Option("h", "help", "", "print this", _flag("help")),
)
