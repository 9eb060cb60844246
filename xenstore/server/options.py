"""The command line: Xen's options for xenstored, by its names, and ours."""

import getopt
import os
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from xenstore._pump import pollers
from xenstore.limits import QUOTAS
from xenstore.platform.choose import AUTO, NAMES, SIMULATED, valid_name
from xenstore.server.trace import SWITCHES
from xenstore.wire import RELATIVE_PATH_MAX

_VALUE_MAX = 2**31 - 1
_SOFT = "soft-"


class UsageError(Exception):
    """An option or value that does not exist, in one line."""


@dataclass
class Options:
    """What the command line asks for; all paths absolute."""

    foreground: bool = False
    help: bool = False
    banner: bool = False
    print_pid: bool = False
    live_update: bool = False  # go on where the xenstored stopped that was executed before in this process
    check_state: str | None = None  # only say whether this file could be gone on from
    pid_file: str | None = None
    trace_file: str | None = None
    trace_switches: list[str] = field(default_factory=list)
    quotas: dict[str, int] = field(default_factory=dict)
    watch_event_timeout_seconds: int | None = None  # bounds events queued to rings
    keep_orphans: bool = False
    journal: bool = True
    fresh: bool = False
    force: bool = False
    socket: str = ""
    log_directory: str = ""
    poller: str | None = None
    platform: str = AUTO
    failpoint: tuple[str, int] | None = None  # where a test makes the daemon die, getting there how often
    arguments: list[str] = field(default_factory=list)  # all of these again, in words, with absolute paths
    notes: list[str] = field(default_factory=list)  # options that do nothing here, and why

    @property
    def rundir(self) -> str:
        """Where the socket is, and all else that the daemon leaves for its successor."""
        return os.path.dirname(self.socket)


#: Puts an option's value into Options; answers why that has no effect, if so; ValueError: a bad value.
_Apply = Callable[[Options, str], str | None]


class _Option(NamedTuple):
    short: str
    long: str
    value: str  # what it takes, as the help names it; empty: nothing
    help: str
    apply: _Apply


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Options:
    """The options in `arguments` (without the program's name); raises UsageError."""
    short = "".join(option.short + (":" if option.value else "") for option in _OPTIONS if option.short)
    long = [option.long + ("=" if option.value else "") for option in _OPTIONS]
    names = {f"-{option.short}": option for option in _OPTIONS if option.short}
    names.update({f"--{option.long}": option for option in _OPTIONS})
    try:
        given, rest = getopt.gnu_getopt(list(arguments), short, long)
    except getopt.GetoptError as error:
        raise UsageError(f"{error.msg}; see --help") from error
    if rest:
        raise UsageError(f"unexpected argument {rest[0]!r}; see --help")
    options = Options()
    options.log_directory = environment.get("XENSTORED_ROOTDIR", "/var/lib/xen/xenstore")
    options.socket = environment.get("XENSTORED_PATH", "") or os.path.join(
        environment.get("XENSTORED_RUNDIR", "") or "/var/run/xenstored", "socket"
    )
    if failpoint := environment.get("XENSTORED_FAILPOINT"):
        options.failpoint = _failpoint(failpoint)
    for name, value in given:
        value = _absolute(names[name], value)
        options.arguments += _words(names[name], name, value)
        try:
            note = names[name].apply(options, value)
        except ValueError as error:
            raise UsageError(f"{name} {value}: {error}") from error
        if note:
            options.notes.append(f"{name} has no effect: {note}")
    options.socket = os.path.abspath(options.socket)
    return options


def _failpoint(setting: str) -> tuple[str, int]:
    name, colon, count = setting.partition(":")
    try:
        return name, _number(count) if colon else 1
    except ValueError as error:
        raise UsageError(f"XENSTORED_FAILPOINT={setting}: {error}") from error


def usage() -> str:
    """The text of --help."""
    lines = ["Usage: xenstored [options]\n"]
    for option in _OPTIONS:
        short = f"-{option.short}, " if option.short else "    "
        left = f"  {short}--{option.long}{' ' + option.value if option.value else ''}"
        lines.append(f"{left:<36}{option.help}")
    names = ", ".join(quota.name for quota in QUOTAS if not quota.name.startswith(_SOFT))
    lines.append("\n" + textwrap.fill(f"Quotas (0 is unlimited): {names}.", 90, break_on_hyphens=False))
    on = ", ".join(switch for switch in SWITCHES if SWITCHES[switch])
    lines.append(f"Trace switches: {', '.join(SWITCHES)}; on at start: {on}.")
    lines.append("Socket: $XENSTORED_PATH, else $XENSTORED_RUNDIR/socket, else /var/run/xenstored/socket.")
    return "\n".join(lines)


def _words(option: _Option, name: str, value: str) -> list[str]:
    if not option.value:
        return [name]
    return [f"{name}={value}"] if name.startswith("--") else [name, value]


def _absolute(option: _Option, value: str) -> str:
    """An option's value as a program has to be given it that begins in another directory."""
    if option.value in ("<file>", "<dir>") and value:
        return os.path.abspath(value)
    if option.apply is _platform and value.startswith(SIMULATED) and value != SIMULATED:
        return SIMULATED + os.path.abspath(value.removeprefix(SIMULATED))
    return value


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= _VALUE_MAX):
        raise ValueError(f"{text!r} is not a number of 0 to {_VALUE_MAX}")
    return int(text)


def _pair(text: str, unit: str) -> tuple[str, int]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"expected <what>=<{unit}>")
    return name, _number(value)


def _flag(name: str, to: bool = True) -> _Apply:
    return lambda options, value: setattr(options, name, to)


def _path(name: str) -> _Apply:
    return lambda options, value: setattr(options, name, value)


def _limit(quota: str) -> _Apply:
    return lambda options, value: options.quotas.__setitem__(quota, _number(value))


def _path_max(options: Options, value: str) -> None:
    options.quotas["path-max"] = min(_number(value), RELATIVE_PATH_MAX)


def _quota(prefix: str) -> _Apply:
    known = [q.name.removeprefix(_SOFT) for q in QUOTAS if q.name.startswith(_SOFT) == bool(prefix)]

    def apply(options: Options, text: str) -> None:
        name, value = _pair(text, "nb")
        if name not in known:
            raise ValueError(f"unknown quota {name!r}; there is {', '.join(known)}")
        options.quotas[prefix + name] = value

    return apply


def _timeout(options: Options, text: str) -> None:
    name, seconds = _pair(text, "seconds")
    if name != "watch-event":
        raise ValueError(f"unknown timeout {name!r}; there is watch-event")
    options.watch_event_timeout_seconds = seconds


def _trace_control(options: Options, text: str) -> None:
    if text[:1] not in ("+", "-") or text[1:] not in SWITCHES:
        raise ValueError(f"expected + or - and one of {', '.join(SWITCHES)}")
    options.trace_switches.append(text)


def _poller(options: Options, name: str) -> None:
    if name not in pollers():
        raise ValueError(f"unknown poller; there is {', '.join(pollers())}")
    options.poller = name


def _platform(options: Options, name: str) -> None:
    if not valid_name(name):
        raise ValueError(f"expected {', '.join(NAMES)} or {SIMULATED}<dir>")
    options.platform = name


def _rundir(options: Options, directory: str) -> None:
    options.socket = os.path.join(directory, "socket")


def _without_effect(why: str) -> _Apply:
    return lambda options, value: why


def _only_zero(options: Options, value: str) -> str:
    if _number(value) != 0:
        raise ValueError("only 0: this xenstored runs in dom0, never in a domain of its own")
    return "this xenstored always runs in dom0"


_OPTIONS = (
    _Option("N", "no-fork", "", "stay in the foreground", _flag("foreground")),
    _Option("F", "pid-file", "<file>", "write the daemon's process id here", _path("pid_file")),
    _Option("P", "output-pid", "", "print the daemon's process id", _flag("print_pid")),
    _Option("", "rundir", "<dir>", "serve <dir>/socket", _rundir),
    _Option("T", "trace-file", "<file>", "trace requests, replies and events here", _path("trace_file")),
    _Option("", "trace-control", "+|-<switch>", "choose what is traced (see below)", _trace_control),
    _Option("E", "entry-nb", "<nb>", "quota nodes: owned by a domain", _limit("nodes")),
    _Option("S", "entry-size", "<size>", "quota node-size: bytes of a node", _limit("node-size")),
    _Option("W", "watch-nb", "<nb>", "quota watches: of a domain", _limit("watches")),
    _Option("t", "transaction", "<nb>", "quota transactions: a domain's open ones", _limit("transactions")),
    _Option("A", "perm-nb", "<nb>", "quota node-permissions: entries of a node", _limit("node-permissions")),
    _Option("M", "path-max", "<chars>", f"quota path-max, {RELATIVE_PATH_MAX} at most", _path_max),
    _Option("Q", "quota", "<what>=<nb>", "set a quota (see below)", _quota("")),
    _Option("q", "quota-soft", "<what>=<nb>", "set a quota that only warns in the log", _quota(_SOFT)),
    _Option("w", "timeout", "<what>=<s>", "watch-event: drop events not read for so long", _timeout),
    _Option(
        "K", "keep-orphans", "", "keep the nodes of domains that are gone (a risk)", _flag("keep_orphans")
    ),
    _Option("", "no-journal", "", "record nothing: a restart begins empty", _flag("journal", False)),
    _Option("", "fresh", "", "begin empty, not where the journal ends", _flag("fresh")),
    _Option("", "force", "", "--fresh even where domains run", _flag("force")),
    _Option("", "poller", "<name>", f"how to wait for clients: {', '.join(pollers())}", _poller),
    _Option(
        "",
        "platform",
        "<name>",
        f"whose domains: {', '.join(NAMES)}, {SIMULATED}<dir>",
        _platform,
    ),
    _Option("U", "live-update", "", "go on from <rundir>/state_dump", _flag("live_update")),
    _Option("", "check-state", "<file>", "say whether -U could go on from a file", _path("check_state")),
    _Option("", "banner", "", "print what to try in another terminal", _flag("banner")),
    _Option("H", "help", "", "print this", _flag("help")),
    _Option("V", "verbose", "", "no effect", _without_effect("--trace-file shows each request")),
    _Option("D", "no-domain-init", "", "no effect", _without_effect("no domain is initialised here")),
    _Option("R", "no-recovery", "", "no effect", _without_effect("there is no database file to recover")),
    _Option("I", "internal-db", "<on|off>", "no effect", _without_effect("the store is in memory")),
    _Option("", "event", "<port>", "0 only, no effect", _only_zero),
    _Option("", "master-domid", "<domid>", "0 only, no effect", _only_zero),
    _Option("", "priv-domid", "<domid>", "0 only, no effect", _only_zero),
)
